"""PAdES levels through the whole chain, from a real signing service with its time-stamps and its revocation data, told
by programs that are not ours."""

import asyncio
import base64
import io
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from asn1crypto import cms, x509
from PIL import Image
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESPassed
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.ades import ades_lta_validation, simulate_future_ades_lta_validation
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.policy_decl import (
    PdfSignatureValidationSpec,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.policy_decl import CertRevTrustPolicy, RevocationCheckingPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager

from tests.flows.chain import Chain
from tests.flows.verdicts import pdfsig, read_root
from tests.rssp.timestamps import openssl
from tests.support.gateway_caller import GatewayCaller
from tests.support.pdfa.checker import Verdict, pdfa_checker
from tests.support.pdfa.samples import make_pdfa
from tests.support.pdfs import make_pdf

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("one instance")]

LEVELS = ("B-B", "B-T", "B-LT", "B-LTA")


@pytest.fixture(scope="module")
def caller(chain: Chain) -> Iterator[GatewayCaller]:
    with chain.walker("Alice") as walker:
        walker.sign_up()
        walker.get_certificate("ec-p256")
        yield GatewayCaller(walker, chain.instance)


@pytest.fixture(scope="module")
def signed(caller: GatewayCaller) -> dict[str, tuple[bytes, Any]]:
    """The same document at each level, with its job."""
    return {level: caller.sign(make_pdf(pages=2), level=level) for level in LEVELS}


def policy(root: bytes) -> PdfSignatureValidationSpec:
    """A verifier that trusts our root and asks nobody."""
    return PdfSignatureValidationSpec(
        SignatureValidationSpec(
            cert_validation_policy=CertValidationPolicySpec(
                trust_manager=SimpleTrustManager.build([x509.Certificate.load(root)]),
                revinfo_policy=CertRevTrustPolicy(RevocationCheckingPolicy.from_legacy("require")),
            ),
            revinfo_gathering_policy=RevocationInfoGatheringSpec(RevinfoOnlineFetchingRule.LOCAL_ONLY),
        )
    )


@pytest.mark.parametrize("level", LEVELS)
def test_g1_every_level_satisfies_foreign_programs(
    chain: Chain, signed: dict[str, tuple[bytes, Any]], tmp_path: Path, level: str
) -> None:
    pdf, job = signed[level]
    assert pdf.startswith(make_pdf(pages=2))
    assert (job["level"], job["signed"]["level"], job["signed"]["shortfall"]) == (level, level, None)
    said = pdfsig(pdf, tmp_path)
    # Older versions of poppler do not know document time-stamps; OpenSSL verifies that one below.
    assert said.count("Signature Validation: Signature is Valid.") in {1, 1 + int(level == "B-LTA")}, said
    assert said.count("Signature Type: ETSI.CAdES.detached") == 1
    assert said.count("Signature #") == 1 + int(level == "B-LTA"), said
    if level in {"B-B", "B-T"}:
        assert "Total document signed" in said
        assert "Not total" not in said
    if level == "B-LTA":
        assert "Total document signed" in said.rsplit("Signature #", 1)[1]
    checked = subprocess.run(["qpdf", "--check", str(tmp_path / "signed.pdf")], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout
    if level in {"B-B", "B-T"}:
        heard = subprocess.run(
            ["mutool", "sign", "-v", tmp_path / "signed.pdf"], capture_output=True, text=True, check=False
        )
        assert "The document is unchanged since signing." in heard.stdout, heard.stdout + heard.stderr


def extract(pdf: bytes, folder: Path) -> cms.SignerInfo:
    """The CMS object and what it is over, as files for OpenSSL."""
    [signature] = PdfFileReader(io.BytesIO(pdf)).embedded_regular_signatures
    content = cms.ContentInfo.load(signature.pkcs7_content, strict=False)
    begin, length, again, rest = (int(number) for number in signature.byte_range)
    (folder / "cms.der").write_bytes(content.dump())
    (folder / "content").write_bytes(pdf[begin : begin + length] + pdf[again : again + rest])
    return content["content"]["signer_infos"][0]


@pytest.mark.parametrize("level", LEVELS)
def test_openssl_verifies_what_is_extracted(
    chain: Chain, signed: dict[str, tuple[bytes, Any]], tmp_path: Path, level: str
) -> None:
    pdf, _ = signed[level]
    signer = extract(pdf, tmp_path)
    (tmp_path / "root.pem").write_bytes(
        httpx.get(f"{chain.base_url}/pki/root.pem", trust_env=False, timeout=60).content
    )
    trusted = ["-CAfile", tmp_path / "root.pem"]
    cms_files = ["-in", tmp_path / "cms.der", "-inform", "DER", "-content", tmp_path / "content"]
    openssl("cms", "-verify", "-binary", "-cades", *cms_files, "-purpose", "any", "-out", tmp_path / "out", *trusted)
    if level == "B-B":
        assert not signer["unsigned_attrs"]
        return
    [attribute] = signer["unsigned_attrs"]
    (tmp_path / "token").write_bytes(attribute["values"][0].dump())
    (tmp_path / "value").write_bytes(signer["signature"].native)
    token = ["-in", tmp_path / "token", "-token_in"]
    assert "Verification: OK" in openssl("ts", "-verify", *token, "-data", tmp_path / "value", *trusted)
    if level == "B-LTA":
        [stamp] = PdfFileReader(io.BytesIO(pdf)).embedded_timestamp_signatures
        (tmp_path / "token").write_bytes(cms.ContentInfo.load(stamp.pkcs7_content, strict=False).dump())
        begin, length, again, rest = (int(number) for number in stamp.byte_range)
        (tmp_path / "value").write_bytes(pdf[begin : begin + length] + pdf[again : again + rest])
        assert "Verification: OK" in openssl("ts", "-verify", *token, "-data", tmp_path / "value", *trusted)


def test_what_a_level_promises_is_in_the_document(chain: Chain, signed: dict[str, tuple[bytes, Any]]) -> None:
    """A verifier that asks nobody, and takes no certificate that it cannot see to be good."""
    root = x509.Certificate.load(read_root(chain.base_url))
    for level, holds_evidence in {"B-T": False, "B-LT": True, "B-LTA": True}.items():
        reader = PdfFileReader(io.BytesIO(signed[level][0]))
        [signature] = reader.embedded_regular_signatures
        arguments = {"trust_roots": [root], "allow_fetching": False, "revocation_mode": "hard-fail"}
        if holds_evidence:
            context = DocumentSecurityStore.read_dss(reader).as_validation_context(arguments)
        else:
            context = ValidationContext(**arguments, crls=[], ocsps=[])
        status = validate_pdf_signature(signature, context)
        assert status.bottom_line is holds_evidence, status.pretty_print_details()
        assert status.timestamp_validity is not None
        assert status.timestamp_validity.trusted is holds_evidence
        if holds_evidence:
            assert status.modification_level == ModificationLevel.LTA_UPDATES


def test_what_lasts_is_valid_after_its_certificate_has_ended(
    chain: Chain, signed: dict[str, tuple[bytes, Any]]
) -> None:
    """EN 319 102-1, 5.6.3, with the clock of years from now."""
    root = read_root(chain.base_url)
    ends = {level: datetime.fromisoformat(signed[level][1]["signed"]["lasts_until"]) for level in LEVELS}
    assert ends["B-B"] == ends["B-T"] < ends["B-LT"] <= ends["B-LTA"]
    moment = ends["B-B"] + timedelta(days=30)
    [signature] = PdfFileReader(io.BytesIO(signed["B-LTA"][0])).embedded_regular_signatures
    assert asyncio.run(ades_lta_validation(signature, policy(root))).ades_subindic == AdESPassed.OK
    [signature] = PdfFileReader(io.BytesIO(signed["B-LTA"][0])).embedded_regular_signatures
    later = asyncio.run(simulate_future_ades_lta_validation(signature, policy(root), future_validation_time=moment))
    assert later.ades_subindic == AdESPassed.OK


def test_g15_options_through_the_whole_chain(caller: GatewayCaller, tmp_path: Path) -> None:
    """Certified, visible, with a field for who signs next; and then that field."""
    box = [60, 60, 260, 120]
    shows = {"page": 2, "box": box, "text": "Alice Example\nПривет 漢字", "qr": "https://example.org/verify"}
    first, _ = caller.sign(
        make_pdf(pages=2),
        level="B-LT",
        field="Tenant",
        certify=2,
        appearance=shows,
        new_fields=[{"name": "Landlord", "page": 1, "box": box}],
        location="Lyon",
        commitment="approval",
    )
    second, job = caller.sign(first, level="B-T", field="Landlord", appearance={"text": "Bob Example"})
    assert second.startswith(first)
    assert job["signed"]["level"] == "B-T"
    said = pdfsig(second, tmp_path)
    assert said.count("Signature Validation: Signature is Valid.") == 2, said
    # In the order of fields; the later signature covers all.
    assert said.count("- Total document signed") == 1, said
    checked = subprocess.run(["qpdf", "--check", str(tmp_path / "signed.pdf")], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout
    job_id = caller.call("POST", "jobs", second).json()["job_id"]
    refused = caller.call("POST", f"jobs/{job_id}/prepare", {"credential_id": caller.credential(), "field": "Tenant"})
    assert (refused.status_code, refused.json()["error"]) == (422, "field_name_taken")


def test_g13_pdf_a_stays_pdf_a_through_the_whole_chain(caller: GatewayCaller) -> None:
    """veraPDF says so, of a file that allows nothing transparent and asks for every glyph to be listed."""
    image = io.BytesIO()
    Image.new("RGBA", (40, 20), (20, 30, 160, 120)).save(image, "PNG")
    shows = {"page": 1, "box": [60, 60, 260, 120], "text": "Alice Example\nПривет مرحبا"}
    signed, job = caller.sign(
        make_pdfa("1b"),
        level="B-LTA",
        certify=2,
        appearance=shows | {"image": base64.b64encode(image.getvalue()).decode()},
    )
    assert job["signed"]["level"] == "B-LTA"
    with pdfa_checker() as checker:
        assert checker.check(signed) == Verdict("1b", {})

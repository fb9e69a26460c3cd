"""Time-stamps from a running instance: curl asks, OpenSSL verifies, and pyHanko makes a PDF with one."""

import io
import subprocess
from pathlib import Path

import httpx
import pytest
from asn1crypto import keys, x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import signers, timestamps
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from tests.flows.chain import Chain
from tests.flows.verdicts import pdfsig, read_root
from tests.rssp.timestamps import openssl, read_reply
from tests.support.authority import Authority
from tests.support.pdfs import make_pdf

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("one instance")]


def curl(url: str, query: Path, reply: Path, *options: str) -> str:
    """The status and media type of the answer, which lies in ``reply``."""
    command = ["curl", "--silent", "--noproxy", "*", "-o", str(reply), "-w", "%{http_code} %{content_type}"]
    sent = ["--data-binary", f"@{query}", *(options or ("-H", "Content-Type: application/timestamp-query"))]
    return subprocess.run([*command, *sent, url], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("nonce", [True, False])
@pytest.mark.parametrize("certificates", [True, False])
@pytest.mark.parametrize("name", ["sha256", "sha384", "sha512"])
def test_curl_asks_and_openssl_verifies(
    chain: Chain, tmp_path: Path, name: str, certificates: bool, nonce: bool
) -> None:
    url, query, reply = f"{chain.instance.base_url}/pki/tsa", tmp_path / "query", tmp_path / "reply"
    (tmp_path / "lease").write_bytes(b"A lease.\n")
    wanted = [*(["-cert"] if certificates else []), *([] if nonce else ["-no_nonce"])]
    openssl("ts", "-query", "-data", tmp_path / "lease", f"-{name}", *wanted, "-out", query)
    assert curl(url, query, reply) == "200 application/timestamp-reply"
    text = openssl("ts", "-reply", "-in", reply, "-text")
    for line in ("Status: Granted.", "Accuracy: 0x01 seconds", "Ordering: no", "TSA: DirName:", f"Algorithm: {name}"):
        assert line in text
    assert ("Nonce: unspecified" in text) is not nonce
    openssl("asn1parse", "-inform", "DER", "-in", reply)
    (tmp_path / "root.pem").write_bytes(
        httpx.get(f"{chain.instance.base_url}/pki/root.pem", trust_env=False, timeout=60).content
    )
    trusted = ["-CAfile", tmp_path / "root.pem"]
    if not certificates:
        addresses = [f"{chain.instance.base_url}/pki/{role}.cer" for role in ("tsa", "issuing")]
        beside = (httpx.get(address, trust_env=False, timeout=60) for address in addresses)
        pem = []
        for number, answer in enumerate(beside):
            (tmp_path / f"{number}.cer").write_bytes(answer.content)
            pem.append(openssl("x509", "-inform", "DER", "-in", tmp_path / f"{number}.cer"))
        (tmp_path / "untrusted.pem").write_text("".join(pem))
        trusted += ["-untrusted", tmp_path / "untrusted.pem"]
    for what in (("-queryfile", query), ("-data", tmp_path / "lease")):
        assert "Verification: OK" in openssl("ts", "-verify", "-in", reply, *what, *trusted)


def test_curl_is_refused_as_an_answer_or_by_http(chain: Chain, tmp_path: Path) -> None:
    url, query, reply = f"{chain.instance.base_url}/pki/tsa", tmp_path / "query", tmp_path / "reply"
    (tmp_path / "lease").write_bytes(b"A lease.\n")
    openssl("ts", "-query", "-data", tmp_path / "lease", "-sha1", "-out", query)
    assert curl(url, query, reply) == "200 application/timestamp-reply"
    assert "unrecognized or unsupported algorithm" in openssl("ts", "-reply", "-in", reply, "-text")
    openssl("ts", "-query", "-data", tmp_path / "lease", "-sha256", "-tspolicy", "1.2.3.4", "-out", query)
    assert curl(url, query, reply) == "200 application/timestamp-reply"
    assert "policy is not supported" in openssl("ts", "-reply", "-in", reply, "-text")
    query.write_bytes(b"<html>")
    assert curl(url, query, reply) == "200 application/timestamp-reply"
    assert read_reply(reply.read_bytes()).failures == {"bad_data_format"}
    assert curl(url, query, reply, "-H", "Content-Type: text/xml").startswith("415 text/plain")
    query.write_bytes(bytes(3_000_000))
    assert curl(url, query, reply).startswith("413 text/plain")


def test_pyhanko_makes_a_pdf_with_a_time_stamp_that_it_and_poppler_accept(chain: Chain, tmp_path: Path) -> None:
    authority = Authority(name="Somebody's Root")
    identity = authority.issue("Alice Example")
    assert identity.key is not None
    key = identity.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    signer = signers.SimpleSigner(
        signing_cert=x509.Certificate.load(identity.certificate),
        signing_key=keys.PrivateKeyInfo.load(key),
        cert_registry=SimpleCertificateStore(),
    )
    stamper = timestamps.HTTPTimeStamper(f"{chain.instance.base_url}/pki/tsa", timeout=60)
    metadata = signers.PdfSignatureMetadata(field_name="Sig", subfilter=SigSeedSubFilter.PADES, md_algorithm="sha256")
    out = io.BytesIO()
    signers.PdfSigner(metadata, signer, timestamper=stamper).sign_pdf(
        IncrementalPdfFileWriter(io.BytesIO(make_pdf())), output=out
    )
    pdf, root = out.getvalue(), read_root(chain.instance.base_url)
    [embedded] = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
    signer_context = ValidationContext(trust_roots=[x509.Certificate.load(authority.certificate)], allow_fetching=False)
    stamp_context = ValidationContext(trust_roots=[x509.Certificate.load(root)], allow_fetching=False)
    status = validate_pdf_signature(embedded, signer_context, ts_validation_context=stamp_context)
    assert status.bottom_line, status.pretty_print_details()
    stamp = status.timestamp_validity
    assert stamp is not None
    assert (stamp.intact, stamp.valid, stamp.trusted) == (True, True, True)
    said = pdfsig(pdf, tmp_path)
    assert "Signature Validation: Signature is Valid." in said
    assert "Total document signed" in said
    # Without our root the time-stamp is intact, and nobody believes it.
    other = ValidationContext(trust_roots=[x509.Certificate.load(authority.certificate)], allow_fetching=False)
    stranger = validate_pdf_signature(embedded, signer_context, ts_validation_context=other).timestamp_validity
    assert stranger is not None
    assert (stranger.intact, stranger.trusted) == (True, False)

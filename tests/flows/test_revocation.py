"""A certificate is revoked in a running instance: whoever asks is told at once, and whoever does not ask finds it
published within a minute, because the regular round asked."""

import base64
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyasn1.codec.der.decoder import decode
from pyasn1.codec.der.encoder import encode
from pyasn1_modules.rfc5280 import CertificateList
from pyasn1_modules.rfc5652 import ContentInfo
from pyasn1_modules.rfc6960 import BasicOCSPResponse, OCSPResponse

from tests.flows.chain import Chain, Signer, eventually
from tests.support.walk import digest_of

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("flows-one")]


@dataclass(frozen=True)
class Relying:
    """Somebody elsewhere, with nothing but addresses and openssl."""

    chain: Chain
    signer: Signer
    folder: Path

    def __post_init__(self) -> None:
        serial, der = self.chain.rows(
            "rssp",
            "SELECT c.serial_number, c.der FROM rssp_certificate c JOIN rssp_credential d ON d.certificate_id = c.id "
            "WHERE d.credential_id = ?",
            self.signer.credential,
        )[0]
        (self.folder / "serial").write_text(serial)
        signer = x509.load_der_x509_certificate(bytes(der)).public_bytes(Encoding.PEM)
        issuing = x509.load_der_x509_certificate(self.get("issuing.cer")).public_bytes(Encoding.PEM)
        for name, pem in {"signer": signer, "issuing": issuing, "root": self.get("root.pem")}.items():
            (self.folder / f"{name}.pem").write_bytes(pem)
        (self.folder / "chain.pem").write_bytes(issuing + self.get("root.pem"))

    @property
    def serial(self) -> str:
        return (self.folder / "serial").read_text()

    def get(self, path: str) -> bytes:
        answer = httpx.get(f"{self.chain.base_url}/pki/{path}", trust_env=False, timeout=60)
        assert answer.status_code == 200
        return answer.content

    def openssl(self, *arguments: str) -> str:
        done = subprocess.run(
            ["openssl", *arguments], cwd=self.folder, capture_output=True, text=True, check=False, timeout=60
        )
        return done.stdout + done.stderr

    def ask(self) -> str:
        """openssl as a client of the responder, with a nonce of its own."""
        about = ["-issuer", "issuing.pem", "-cert", "signer.pem", "-CAfile", "chain.pem", "-nonce"]
        said = self.openssl("ocsp", "-url", f"{self.chain.base_url}/pki/ocsp", *about)
        assert "Response verify OK" in said, said
        assert "nonce" not in said.lower()
        return said

    def verify(self) -> str:
        (self.folder / "list.crl").write_bytes(self.get("issuing.crl"))
        files = ["-CAfile", "root.pem", "-untrusted", "issuing.pem", "-CRLfile", "list.crl"]
        return self.openssl("verify", "-x509_strict", "-crl_check", *files, "signer.pem")

    def change(self, *act: str) -> None:
        self.chain.instance.manage("change_status", self.serial, *act, "--reason", "a test", capture=True)


@pytest.fixture
def relying(chain: Chain, tmp_path: Path) -> Iterator[Relying]:
    with chain.signer("Bob", "ec-p256") as signer:
        yield Relying(chain, signer, tmp_path)


def test_a_revocation_is_told_at_once_and_ends_what_was_approved(chain: Chain, relying: Relying) -> None:
    assert "signer.pem: good" in relying.ask()
    assert "signer.pem: OK" in relying.verify()
    lease, annex = digest_of(secrets.token_hex(8)), digest_of(secrets.token_hex(8))
    token = relying.signer.ask(lease, annex)
    assert relying.signer.sign(token, lease).status_code == 200
    before = chain.sign_calls()
    relying.change("revoke", "--code", "key_compromise")
    answer = relying.signer.sign(token, annex)
    assert answer.status_code == 400
    assert answer.json()["error_description"].endswith("is revoked.")
    assert chain.ledger([lease, annex]) == ["signed", "withdrawn"]
    assert chain.sign_calls() == before
    said = relying.ask()
    assert "signer.pem: revoked" in said
    assert "Reason: keyCompromise" in said
    assert "certificate revoked" in relying.verify()


def test_a_hold_ends_as_it_began(relying: Relying) -> None:
    relying.change("suspend")
    assert "Reason: certificateHold" in relying.ask()
    assert "certificate revoked" in relying.verify()
    relying.change("resume")
    assert "signer.pem: good" in relying.ask()
    assert "signer.pem: OK" in relying.verify()


def test_a_revocation_that_nobody_asks_about_is_published_within_a_minute(chain: Chain, relying: Relying) -> None:
    relying.verify()

    def latest() -> tuple[int, int]:
        sql = (
            "SELECT l.number, l.entries FROM rssp_revocationlist l JOIN rssp_revocationscope s ON l.scope_id = s.id "
            "JOIN rssp_certificate c ON s.issuer_id = c.id WHERE c.role = 'issuing' ORDER BY l.number DESC LIMIT 1"
        )
        number, entries = chain.rows("rssp", sql)[0]
        return int(number), int(entries)

    number, entries = latest()
    relying.change("revoke", "--code", "superseded")
    # A list that was due anyway may have come between.
    eventually(lambda: (told := latest())[0] > number and told[1] == entries + 1)


def test_what_is_published_is_der_to_openssl_and_to_a_second_library(chain: Chain, relying: Relying) -> None:
    """An OCSP answer that curl fetched by GET for openssl's own request, a revocation list and the bundle."""
    about = ["-issuer", "issuing.pem", "-cert", "signer.pem", "-no_nonce"]
    relying.openssl("ocsp", *about, "-reqout", "request.der")
    asked = quote(base64.b64encode((relying.folder / "request.der").read_bytes()).decode(), safe="")
    address = f"{chain.base_url}/pki/ocsp/{asked}"
    command = ["curl", "--silent", "--noproxy", "*", "-o", "answer.der", "-w", "%{http_code} %{content_type}", address]
    told = subprocess.run(command, cwd=relying.folder, capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout == "200 application/ocsp-response"
    said = relying.openssl("ocsp", *about, "-reqin", "request.der", "-respin", "answer.der", "-CAfile", "chain.pem")
    assert "Response verify OK" in said
    assert "signer.pem: good" in said
    (relying.folder / "list.crl").write_bytes(relying.get("issuing.crl"))
    (relying.folder / "authorities.p7b").write_bytes(relying.get("authorities.p7b"))
    specs = {"answer.der": OCSPResponse, "list.crl": CertificateList, "authorities.p7b": ContentInfo}
    for name, spec in specs.items():
        der = (relying.folder / name).read_bytes()
        parsed = subprocess.run(
            ["openssl", "asn1parse", "-inform", "DER", "-in", name],
            cwd=relying.folder, capture_output=True, check=False, timeout=60,
        )  # fmt: skip
        assert (parsed.returncode, parsed.stderr) == (0, b""), name
        value, rest = decode(der, asn1Spec=spec())
        assert (rest, encode(value)) == (b"", der), name
    answer, _ = decode((relying.folder / "answer.der").read_bytes(), asn1Spec=OCSPResponse())
    basic = bytes(answer["responseBytes"]["response"])
    value, rest = decode(basic, asn1Spec=BasicOCSPResponse())
    assert (rest, encode(value)) == (b"", basic)

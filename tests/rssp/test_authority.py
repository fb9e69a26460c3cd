"""Certificates from a real authority in a real token, read by other tools."""

import hashlib
import secrets
import subprocess
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from rssp.algorithms import KEY_ALGORITHMS, SigningOperation, verify_signature
from rssp.errors import (
    AuthorityMissingError,
    CertificateLintError,
    CertificatePolicyError,
    CertificateSubjectError,
    HsmUnavailableError,
    InvalidSignatureError,
    SigningFailedError,
)
from rssp.models import Certificate
from rssp.pki import ca
from rssp.pki.profiles import DEMONSTRATION_EMAIL, DEMONSTRATION_EMAIL_POLICY
from rssp.pki.subjects import UnverifiedPerson
from rssp.services import authority
from rssp.services.authority import (
    certificate_status,
    issue_certificate,
    prepare_authority,
    read_chain,
)
from rssp.services.revoking import revoke_certificate
from tests.support.softhsm import Token

pytestmark = pytest.mark.django_db(databases="__all__", transaction=False)


@pytest.fixture
def hsm(tmp_path, monkeypatch):
    monkeypatch.setenv("SOFTHSM2_CONF", "")  # so that it is put back afterwards
    token = Token(tmp_path / "softhsm")
    token.prepare()
    hsm = token.open()
    monkeypatch.setattr(authority, "get_hsm", lambda: hsm)
    return hsm


@pytest.fixture
def prepared(hsm):
    prepare_authority()
    return hsm


def make_key(hsm, key_algorithm="ec-p256"):
    key_id = secrets.token_bytes(16)
    return key_id, hsm.generate_key(key_id=key_id, label="a credential", key_algorithm=key_algorithm)


def issue(hsm, key_algorithm="ec-p256", public_key=None, **changes):
    policy = changes.pop("certificate_policy", "demonstration")
    subject = UnverifiedPerson(**{"common_name": "Alice Example", "email": "alice@example.org"} | changes)
    public_key = public_key or make_key(hsm, key_algorithm)[1]
    return issue_certificate(certificate_policy=policy, subject=subject, public_key=public_key)


def write_pem(folder: Path, chain: list[bytes]) -> list[str]:
    paths = []
    for number, der in enumerate(chain):
        path = folder / f"{number}.pem"
        path.write_bytes(x509.load_der_x509_certificate(der).public_bytes(ca.Encoding.PEM))
        paths.append(str(path))
    return paths


def openssl(*arguments: str) -> str:
    finished = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr + finished.stdout
    return finished.stdout


@pytest.mark.parametrize("key_algorithm", KEY_ALGORITHMS)
def test_the_chain_of_every_key_verifies_with_openssl(prepared, tmp_path, key_algorithm):
    signer, issuing, root = write_pem(tmp_path, read_chain(issue(prepared, key_algorithm)))
    verify = ["verify", "-x509_strict", "-policy_check", "-explicit_policy", "-policy", DEMONSTRATION_EMAIL_POLICY]
    assert "OK" in openssl(*verify, "-CAfile", root, "-untrusted", issuing, signer)


def test_a_certificate_says_whose_it_is_and_that_nobody_verified_it(prepared, tmp_path):
    certificate = issue(prepared)
    signer, *_ = write_pem(tmp_path, read_chain(certificate))
    text = openssl("x509", "-in", signer, "-noout", "-text")
    for words in (
        "Subject: CN = Alice Example",
        "Demonstration Issuing CA",
        "email:alice@example.org",
        "Key Usage: critical\n                Non Repudiation\n",
        "Basic Constraints: critical\n                CA:FALSE",
        f"Policy: {DEMONSTRATION_EMAIL_POLICY}",
        "nobody verified the name",
        "CA Issuers - URI:http://localhost:8000/pki/issuing.cer",
        "Subject Key Identifier",
        "Authority Key Identifier",
    ):
        assert words in text
    assert "qcStatements" not in text
    assert certificate.serial_number == f"{x509.load_der_x509_certificate(bytes(certificate.der)).serial_number:x}"
    assert certificate.not_after - certificate.not_before == timedelta(days=365)


@pytest.mark.parametrize(
    "name", ["Алиса Приме́рова", "愛麗絲", "Alice 🖋", "أليس", "é" * 64, 'O\'Neil, Alice = "A" + B', "A"]
)
def test_a_name_of_any_script_stands_as_it_was_typed(prepared, name, tmp_path):
    chain = read_chain(issue(prepared, common_name=name))
    subject = x509.load_der_x509_certificate(chain[0]).subject
    assert subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value == name
    signer, issuing, root = write_pem(tmp_path, chain)
    assert "OK" in openssl("verify", "-CAfile", root, "-untrusted", issuing, signer)


@pytest.mark.parametrize("name", ["", "   ", "a" * 65, "a\x00b", "a\nb", "\ud800", "a\u2028b"])
def test_a_name_that_fits_no_certificate_is_refused_before_anything_is_signed(prepared, name):
    rows = Certificate.objects.count()
    with pytest.raises(CertificateSubjectError):
        issue(prepared, common_name=name)
    assert Certificate.objects.count() == rows


@pytest.mark.parametrize(
    "email", ["", "@", "alice", "a b@example.org", "älice@example.org", "a@\x00", "a@" + "b" * 300]
)
def test_an_address_that_fits_no_certificate_is_refused(prepared, email):
    with pytest.raises(CertificateSubjectError):
        issue(prepared, email=email)


def test_an_international_domain_is_written_in_ascii(prepared):
    certificate = x509.load_der_x509_certificate(bytes(issue(prepared, email="alice@bücher.example").der))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.RFC822Name) == ["alice@xn--bcher-kva.example"]


def test_an_unknown_policy_or_an_authority_that_is_not_there_is_refused(hsm):
    with pytest.raises(AuthorityMissingError):
        issue(hsm)
    prepare_authority()
    with pytest.raises(CertificatePolicyError):
        issue(hsm, certificate_policy="qualified")


def test_the_authority_is_made_once(hsm):
    first, second = prepare_authority(), prepare_authority()
    assert first == second
    assert [certificate.role for certificate in first] == ["root", "issuing"]
    assert len(hsm.list_key_ids()) == 2


def test_of_two_processes_that_prepare_at_once_one_makes_the_authority(hsm, monkeypatch):
    find, calls = authority._find_authority, []

    def find_too_early(profile, issuer=None):
        """The other process comes between our look and our key."""
        calls.append(profile.role)
        if len(calls) == 1:
            prepare_authority()
            return None
        return find(profile, issuer)

    with monkeypatch.context() as patch:
        patch.setattr(authority, "_find_authority", find_too_early)
        mine = prepare_authority()
    assert mine == prepare_authority()
    assert Certificate.objects.filter(state="issued").count() == 2
    assert Certificate.objects.filter(state="intended").count() == 1
    assert len(hsm.list_key_ids()) == 2


def test_two_living_roots_cannot_be_recorded(prepared):
    root = Certificate.objects.get(role="root")
    root.pk, root.serial_number, root.public_key_sha256 = None, "ff", ""
    with pytest.raises(IntegrityError), transaction.atomic(using="rssp"):
        root.save(force_insert=True)


class _Failing:
    """An HSM whose signatures fail, or are another key's."""

    def __init__(self, hsm, fail):
        self.hsm, self.fail = hsm, fail

    @contextmanager
    def open_key(self, *, key_id):
        self.intended = list(Certificate.objects.filter(state="intended").values_list("role", flat=True))
        with self.hsm.open_key(key_id=key_id) as signer:
            self.signer = signer
            yield self

    def sign_digest(self, *, operation, digest):
        return self.fail(self.signer, operation, digest)


def _refuse(signer, operation, digest):
    raise SigningFailedError("the HSM did not sign")


def _sign_something_else(signer, operation, digest):
    return signer.sign_digest(operation=operation, digest=hashlib.sha256(digest).digest())


@pytest.mark.parametrize(
    ("fail", "error"), [(_refuse, SigningFailedError), (_sign_something_else, InvalidSignatureError)]
)
def test_an_intent_stays_when_signing_fails_and_nothing_is_handed_out(prepared, monkeypatch, fail, error):
    failing = _Failing(prepared, fail)
    monkeypatch.setattr(authority, "get_hsm", lambda: failing)
    public_key = make_key(prepared)[1]
    with pytest.raises(error):
        issue(prepared, public_key=public_key)
    assert failing.intended == ["signer"]  # the row was there before the key was
    row = Certificate.objects.get(role="signer")
    assert (row.state, bytes(row.der)) == ("intended", b"")
    assert certificate_status(row, timezone.now()) != "valid"
    monkeypatch.setattr(authority, "get_hsm", lambda: prepared)
    assert issue(prepared, public_key=public_key).serial_number != row.serial_number


def test_a_certificate_that_is_not_what_was_asked_for_is_not_handed_out(prepared):
    issued = issue(prepared)
    issuing = authority.read_authority(role="issuing")
    der = bytes(issued.der)
    seen = x509.load_der_x509_certificate(der)
    draft = ca.Draft(
        profile=DEMONSTRATION_EMAIL,
        serial_number=seen.serial_number,
        subject=seen.subject,
        email="alice@example.org",
        public_key=seen.public_key().public_bytes(ca.Encoding.DER, ca.PublicFormat.SubjectPublicKeyInfo),
        not_before=seen.not_valid_before_utc,
        not_after=seen.not_valid_after_utc,
    )
    issuer = authority.describe_issuer(issuing)
    ca.verify_certificate(der=der, draft=draft, issuer=issuer)
    for name, value in {
        "serial_number": seen.serial_number + 1,
        "email": "mallory@example.org",
        "public_key": make_key(prepared)[1],
        "not_after": seen.not_valid_after_utc + timedelta(days=1),
        "subject": seen.issuer,
        "profile": authority.ROOT,
    }.items():
        with pytest.raises(CertificateLintError):
            ca.verify_certificate(der=der, draft=ca.Draft(**{**draft.__dict__, name: value}), issuer=issuer)
    with pytest.raises(CertificateLintError):
        ca.verify_certificate(der=der[:-1] + bytes([der[-1] ^ 1]), draft=draft, issuer=issuer)


def test_status_follows_revocation_and_the_clock(prepared):
    certificate, now = issue(prepared), timezone.now()
    assert certificate_status(certificate, now) == "valid"
    assert certificate_status(certificate, now + timedelta(days=366)) == "expired"
    assert certificate_status(certificate, now - timedelta(days=1)) == "suspended"
    revoke_certificate(certificate=certificate, reason="key_compromise")
    revoke_certificate(certificate=certificate, reason="unspecified")
    assert (
        certificate_status(certificate, now) == certificate_status(certificate, now + timedelta(days=366)) == "revoked"
    )
    assert certificate.revocation_reason == "key_compromise"
    assert certificate.revoked_at is not None


def test_nothing_is_issued_while_the_token_is_away(tmp_path, prepared):
    _, public_key = make_key(prepared)
    Token(tmp_path / "softhsm").move_away()
    with pytest.raises(HsmUnavailableError):
        issue(prepared, public_key=public_key)


def test_a_signer_cannot_issue(prepared):
    """path_length 0 and CA:FALSE: a certificate under a signer's is worth nothing."""
    signer, issuing, root = (x509.load_der_x509_certificate(der) for der in read_chain(issue(prepared)))
    assert signer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert issuing.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    issuing.verify_directly_issued_by(root)
    signer.verify_directly_issued_by(issuing)


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("root.pem", "application/x-pem-file"),
        ("root.cer", "application/pkix-cert"),
        ("issuing.cer", "application/pkix-cert"),
    ],
)
def test_the_authoritys_certificates_are_published(prepared, client, path, media_type):
    response = client.get(f"/pki/{path}")
    assert (response.status_code, response["Content-Type"]) == (200, media_type)
    assert "max-age=" in response["Cache-Control"]
    role = path.partition(".")[0]
    parse = x509.load_pem_x509_certificate if path.endswith("pem") else x509.load_der_x509_certificate
    assert parse(response.content).public_bytes(ca.Encoding.DER) == bytes(Certificate.objects.get(role=role).der)
    assert client.post(f"/pki/{path}").status_code == 405


def test_an_authority_that_is_not_there_publishes_nothing(client):
    assert client.get("/pki/root.pem").status_code == 404


def test_outside_development_no_token_is_made(settings):
    settings.DEVELOPMENT = False
    with pytest.raises(CommandError, match="PKCS11_MODULE"):
        call_command("prepare_token")


def test_the_key_in_the_certificate_is_the_one_that_signs(prepared):
    key_id, public_key = make_key(prepared, "rsa-2048")
    certificate = x509.load_der_x509_certificate(bytes(issue(prepared, "rsa-2048", public_key).der))
    spki = certificate.public_key().public_bytes(ca.Encoding.DER, ca.PublicFormat.SubjectPublicKeyInfo)
    operation, digest = SigningOperation("rsa", "pkcs1", "sha256"), hashlib.sha256(b"agreed").digest()
    with prepared.open_key(key_id=key_id) as signer:
        signature = signer.sign_digest(operation=operation, digest=digest)
    verify_signature(public_key=spki, operation=operation, digest=digest, signature=signature)

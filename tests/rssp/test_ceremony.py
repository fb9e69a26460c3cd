"""A root in a token of its own: made in a ceremony, asked by file, and gone while everything else goes on."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings as django_settings
from django.utils import timezone

from rssp.errors import (
    AuthorityError,
    AuthorityMissingError,
    CeremonyError,
    CertificateKeyError,
    KeyNotFoundError,
    RevocationListUnavailableError,
)
from rssp.models import Certificate, RevocationList
from rssp.pki.subjects import build_organisation_name
from rssp.services import authority, ceremony, root_lists
from rssp.services.hsm import get_hsm
from rssp.services.revocation_lists import read_content, read_revocation_list
from rssp.services.revoking import revoke_certificate
from tests.rssp.conftest import have_authority
from tests.rssp.test_profiles import SUBJECTS, new_key, openssl, parse

BASE = Path(django_settings.BASE_DIR)


class Installation:
    """rssp alone, with a folder, a database and a SoftHSM configuration of its own."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        folder.mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_URL", "PKCS11"))}
        self.environment = kept | {
            "ENVIRONMENT": "development",
            "ROLES": "rssp",
            "VAR_DIR": str(folder),
            "SOFTHSM2_CONF": str(folder / "softhsm" / "softhsm2.conf"),
            "RSSP_PKI_URL": "http://rssp.example.org/pki",
            **settings,
        }

    def run(self, *words, fails=False):
        done = subprocess.run(
            [sys.executable, "manage.py", *map(str, words)],
            cwd=BASE,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout


ISSUE = """
import secrets
from pathlib import Path
from rssp.pki.subjects import UnverifiedPerson
from rssp.services.authority import issue_certificate, prepare_service_certificate
from rssp.services.hsm import get_hsm
from rssp.services.revocation_lists import read_content, read_revocation_list
from rssp.services.revoking import revoke_certificate
key = get_hsm().generate_key(key_id=secrets.token_bytes(16), label="alice", key_algorithm="ec-p256")
alice = UnverifiedPerson("Alice Example", "alice@example.org")
made = issue_certificate(certificate_policy="demonstration", subject=alice, public_key=key)
Path("{folder}/signer.der").write_bytes(bytes(made.der))
print(prepare_service_certificate(role="ocsp").published_name, len(get_hsm().list_key_ids()))
"""


FETCH = """
import hashlib
from django.test import Client
answer = Client(headers={"host": "localhost"}).get("/pki/root.crl")
content = b"".join(answer) if answer.streaming else answer.content
print(hashlib.sha256(content).hexdigest() if answer.status_code == 200 else "not published")
"""


def test_a_root_may_be_kept_away_from_everything_that_issues(tmp_path):
    safe = Installation(tmp_path / "safe")
    online = Installation(tmp_path / "online", RSSP_ROOT_ELSEWHERE="true")
    for installation in (safe, online):
        installation.run("migrate", "--database", "default", "-v", "0")
        installation.run("prepare_token")

    hold = ("hold_root_ceremony", "--output", safe.folder / "out", "--operator", "Demo Operator")
    assert "two operators" in safe.run(*hold, fails=True)
    record = safe.run(*hold, "--operator", "Alice Example")
    kept = (safe.folder / "out" / "record.txt").read_text()
    root = (safe.folder / "out" / "root.cer").read_bytes()
    text, _, last = kept.rpartition("SHA-256 of this record   ")
    assert last.strip() == hashlib.sha256(text.encode()).hexdigest()
    assert kept in record
    for words in ("Demo Operator", "Alice Example", "token label              paraph", "hold_root_ceremony --output"):
        assert words in text
    assert re.search(r"token serial +[0-9a-f]{16}\n", text)
    assert re.search(r"key id +[0-9a-f]{32}\n", text)
    assert f"certificate SHA-256      {hashlib.sha256(root).hexdigest()}" in text
    assert "the root was there" in safe.run(*hold, "--operator", "Alice Example")
    assert (safe.folder / "out" / "root.cer").read_bytes() == root
    assert (safe.folder / "out" / "record-2.txt").exists()

    assert online.run("prepare_authority") == ""  # nothing is made, and nothing fails
    request, answer = online.folder / "issuing.csr", online.folder / "issuing.cer"
    online.run("request_issuing_certificate", "--output", request)
    openssl("req", "-inform", "DER", "-in", str(request), "-noout", "-verify")
    assert "exists" in online.run("request_issuing_certificate", "--output", request, fails=True)
    safe.run("sign_issuing_certificate", "--request", request, "--output", answer)

    listed = safe.folder / "out" / "root.crl"
    assert safe.run("sign_root_crl", "--output", listed).startswith("number 1, 0 entries")

    shutil.move(safe.folder, tmp_path / "in a safe place")
    import_ = ("import_issuing_certificate", "--root", tmp_path / "in a safe place/out/root.cer", "--certificate")
    assert "no certificate" in online.run(*import_, request, fails=True)
    assert "issuing: " in online.run(*import_, answer)
    assert online.run("prepare_authority").splitlines()[1].startswith("issuing: ")
    assert "not published" in online.run("shell", "-v", "0", "-c", FETCH)
    list_ = ("import_root_crl", "--crl", tmp_path / "in a safe place/out/root.crl")
    assert online.run(*list_).startswith("number 1, 0 entries")
    assert "number or a later one" in online.run(*list_, fails=True)
    assert hashlib.sha256((list_[2]).read_bytes()).hexdigest() in online.run("shell", "-v", "0", "-c", FETCH)
    assert "ocsp 3" in online.run("shell", "-v", "0", "-c", ISSUE.format(folder=online.folder))
    for name in ("issuing.cer", "signer.der"):
        openssl("x509", "-inform", "DER", "-in", str(online.folder / name), "-out", str(tmp_path / f"{name}.pem"))
    (tmp_path / "root.pem").write_bytes(x509.load_der_x509_certificate(root).public_bytes(Encoding.PEM))
    chain = ["-CAfile", str(tmp_path / "root.pem"), "-untrusted", str(tmp_path / "issuing.cer.pem")]
    assert "OK" in openssl("verify", "-x509_strict", *chain, str(tmp_path / "signer.der.pem"))
    assert "not in this token" in online.run("renew_issuing_authority", fails=True)


@pytest.fixture
def root(token):
    have_authority()
    return authority.read_authority(role="root")


def request_with(key, name, algorithm=None):
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(key, algorithm or hashes.SHA256()).public_bytes(Encoding.DER)


def name_of(**changes):
    words = {
        "common_name": "Paraph Demonstration Issuing CA 2",
        "organisation": "Paraph (demonstration)",
        "identifier": "PA:FR-DEMONSTRATION",
        "country": "FR",
    }
    return build_organisation_name(**words | changes)


P256 = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (lambda: b"", CeremonyError),
        (lambda: b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", CeremonyError),
        (lambda: request_with(P256, name_of())[:-4] + b"\x00\x00\x00\x01", CeremonyError),
        (lambda: request_with(P256, name_of(country="DE")), CeremonyError),
        (lambda: request_with(P256, name_of(organisation="Mallory")), CeremonyError),
        (lambda: request_with(P256, name_of(identifier="VATFR-1")), CeremonyError),
        (lambda: request_with(P256, name_of(common_name="Paraph Demonstration Root CA")), CeremonyError),
        (lambda: request_with(P256, x509.Name([*name_of(), *name_of()])), CeremonyError),
        (lambda: request_with(P256, x509.Name([])), CeremonyError),
        (lambda: request_with(rsa.generate_private_key(65537, 2048), name_of()), CertificateKeyError),
        (lambda: request_with(ec.generate_private_key(ec.SECP384R1()), name_of()), CertificateKeyError),
        (lambda: request_with(ec.generate_private_key(ec.SECP521R1()), name_of()), CertificateKeyError),
    ],
)
def test_the_root_signs_no_other_request(root, asked, request_, error):
    rows = Certificate.objects.count()
    with pytest.raises(error):
        ceremony.sign_issuing_certificate(request=request_())
    assert asked.count == 0
    assert Certificate.objects.count() == rows


def test_the_same_request_gets_the_same_certificate_again(root, asked):
    request = request_with(P256, name_of())
    first = ceremony.sign_issuing_certificate(request=request)
    assert ceremony.sign_issuing_certificate(request=request) == first
    assert asked.count == 1
    with pytest.raises(CertificateKeyError):
        ceremony.sign_issuing_certificate(request=request_with(P256, name_of(common_name="Another Issuing CA")))


def signed_elsewhere():
    """What comes back from the other installation: here, where its row is taken away again."""
    signed = ceremony.sign_issuing_certificate(request=ceremony.request_issuing_certificate())
    Certificate.objects.filter(pk=signed.pk).delete()
    return bytes(signed.der)


def test_a_request_is_imported_once_and_then_issues(root):
    der = signed_elsewhere()
    before = authority.read_authority(role="issuing")
    imported = ceremony.import_issuing_certificate(root=bytes(root.der), certificate=der)
    assert authority.read_authority(role="issuing") == imported != before
    made = authority.issue_certificate(
        certificate_policy="demonstration", subject=SUBJECTS["demonstration"], public_key=new_key()
    )
    assert made.issuer == imported
    with pytest.raises(CeremonyError):
        ceremony.import_issuing_certificate(root=bytes(root.der), certificate=der)


def test_nothing_else_is_imported(root, monkeypatch):
    der, issuing = signed_elsewhere(), authority.read_authority(role="issuing")
    unasked = ceremony.sign_issuing_certificate(request=request_with(P256, name_of()))
    spoiled = der[:-1] + bytes([der[-1] ^ 1])
    files = [
        (bytes(root.der), b""),
        (b"", der),
        (bytes(root.der), bytes(unasked.der)),  # for a key that nobody asked for here
        (bytes(root.der), bytes(issuing.der)),  # here already
        (bytes(root.der), bytes(root.der)),
        (bytes(issuing.der), der),  # no root
        (der, der),
        (bytes(root.der), spoiled),
        (bytes(root.der)[:-1] + b"\x00", der),
    ]
    for root_file, certificate in files:
        with pytest.raises(AuthorityError):
            ceremony.import_issuing_certificate(root=root_file, certificate=certificate)
    now = timezone.now()
    with monkeypatch.context() as patch:
        patch.setattr(ceremony.timezone, "now", lambda: now + timedelta(days=11 * 365))
        with pytest.raises(CeremonyError):
            ceremony.import_issuing_certificate(root=bytes(root.der), certificate=der)
    requested = Certificate.objects.get(state="requested")
    get_hsm().destroy_key(key_id=bytes(requested.hsm_key_id))
    with pytest.raises(KeyNotFoundError):
        ceremony.import_issuing_certificate(root=bytes(root.der), certificate=der)
    assert Certificate.objects.get(pk=requested.pk).state == "requested"


def test_a_request_is_no_orphan_and_issues_nothing(root):
    from rssp.services.operating import list_orphan_keys

    before = authority.read_authority(role="issuing")
    orphans = set(list_orphan_keys())
    ceremony.request_issuing_certificate()
    assert set(list_orphan_keys()) == orphans
    assert authority.read_authority(role="issuing") == before


# --- The root's revocation list, made elsewhere ----------------------------------------------------------------


def list_by(key, number, *, issuer, revoked=(), days=30, begins=timedelta(0), **scope):
    now = timezone.now() + begins
    point = {
        **dict.fromkeys(["full_name", "relative_name", "only_some_reasons"]),
        **dict.fromkeys(["only_contains_user_certs", "indirect_crl", "only_contains_attribute_certs"], False),
        "only_contains_ca_certs": True,
    }
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer)
    builder = builder.last_update(now).next_update(now + timedelta(days=days))
    builder = builder.add_extension(x509.IssuingDistributionPoint(**point | scope), critical=True)
    if number is not None:
        builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    for serial_number in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial_number).revocation_date(now)
        entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags.ca_compromise), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(key, hashes.SHA384()).public_bytes(Encoding.DER)


@pytest.fixture
def sign_list(root):
    """Lists of a root whose key this installation has no more, as far as its rows say."""
    with authority.open_authority_key(root) as key:
        Certificate.objects.filter(pk=root.pk).update(hsm_key_id=None)
        yield lambda number=7, **words: list_by(key, number, **{"issuer": parse(root).subject} | words)


def test_what_the_roots_list_revokes_is_revoked_here_and_issues_no_more(root, sign_list):
    issuing = authority.read_authority(role="issuing")
    root_lists.import_root_list(encoded=sign_list(7))
    assert authority.read_authority(role="issuing") == issuing
    encoded = sign_list(8, revoked=[parse(issuing).serial_number, 12345])
    kept = root_lists.import_root_list(encoded=encoded)
    assert (kept.number, kept.entries, kept.scope.issuer) == (8, 2, root)
    issuing.refresh_from_db()
    assert (issuing.status, issuing.revocation_reason) == ("revoked", "ca_compromise")
    with pytest.raises(AuthorityMissingError):
        authority.read_authority(role="issuing")
    root.refresh_from_db()
    assert bytes(read_content(read_revocation_list(issuer=root, partition=0)).der) == encoded


def test_no_other_list_is_imported(root, sign_list):
    root_lists.import_root_list(encoded=sign_list(7))
    other = ec.generate_private_key(ec.SECP384R1())
    good = sign_list(8)
    files = [
        b"",
        b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
        bytes(root.der),
        sign_list(7),  # the number that is published
        sign_list(6),
        sign_list(None),
        sign_list(8, begins=timedelta(days=1)),
        sign_list(8, begins=timedelta(days=-31)),
        sign_list(8, issuer=name_of()),
        sign_list(8, only_contains_ca_certs=False, only_contains_user_certs=True),
        sign_list(8, full_name=[x509.UniformResourceIdentifier("http://rssp.example.org/pki/root.crl")]),
        list_by(other, 8, issuer=parse(root).subject),
        good[:-1] + bytes([good[-1] ^ 1]),
    ]
    for encoded in files:
        with pytest.raises(CeremonyError):
            root_lists.import_root_list(encoded=encoded)
    assert [row.number for row in RevocationList.objects.filter(scope__issuer=root)] == [7]


def test_a_root_that_is_here_makes_its_lists_here(root):
    with authority.open_authority_key(root) as key:
        encoded = list_by(key, 7, issuer=parse(root).subject)
    with pytest.raises(CeremonyError):
        root_lists.import_root_list(encoded=encoded)


def test_without_an_imported_list_there_is_none_and_nobody_waits(root, sign_list):
    root.refresh_from_db()
    with pytest.raises(RevocationListUnavailableError):
        read_revocation_list(issuer=root, partition=0)


# --- Two issuing authorities at once ---------------------------------------------------------------------------


def test_the_newest_issuing_authority_issues_and_the_older_one_goes_on(root):
    old = authority.read_authority(role="issuing")
    older_signer = authority.issue_certificate(
        certificate_policy="demonstration", subject=SUBJECTS["demonstration"], public_key=new_key()
    )
    old_responder = authority.prepare_service_certificate(role="ocsp")
    new = authority.renew_issuing_authority()
    assert (new.published_name, authority.read_authority(role="issuing")) == ("issuing-2", new)
    signer = authority.issue_certificate(
        certificate_policy="demonstration", subject=SUBJECTS["demonstration"], public_key=new_key()
    )
    assert (older_signer.issuer, signer.issuer) == (old, new)
    pointers = parse(signer).extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert pointers[0].full_name[0].value.endswith("/pki/issuing-2.crl")
    # Each has a responder of its own, and the older one's key still signs its revocation list.
    responder = authority.prepare_service_certificate(role="ocsp")
    assert (old_responder.issuer, responder.issuer) == (old, new)
    assert authority.prepare_service_certificate(role="ocsp", issuer=old) == old_responder
    now = timezone.now()
    builder = x509.CertificateRevocationListBuilder().issuer_name(parse(old).subject)
    with authority.open_authority_key(old) as key:
        crl = builder.last_update(now).next_update(now + timedelta(days=1)).sign(key, key.hash_algorithm)
    assert crl.is_signature_valid(parse(old).public_key())
    assert not crl.is_signature_valid(parse(new).public_key())


def test_when_the_newest_is_revoked_the_older_one_issues_again(root):
    old = authority.read_authority(role="issuing")
    new = authority.renew_issuing_authority()
    revoke_certificate(certificate=new, reason="ca_compromise")
    assert authority.read_authority(role="issuing") == old
    revoke_certificate(certificate=old, reason="ca_compromise")
    with pytest.raises(AuthorityMissingError):
        authority.read_authority(role="issuing")

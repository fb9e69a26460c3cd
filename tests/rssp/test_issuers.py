"""Certificates from outside authorities: by OpenSSL's CMP server, and carried by hand."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from django.core.management import CommandError, call_command

from rssp import tasks
from rssp.checks import check_registration
from rssp.errors import IssuerUnavailableError, RequestClosedError, WrongCertificateError
from rssp.models import AuditEvent, Certificate, CertificateRequest, Credential
from rssp.services import issuing, telling
from rssp.services.hsm import get_hsm
from rssp.services.revoking import revoke_certificate
from tests.rssp.conftest import Asked, Signer, call, digest
from tests.rssp.test_cmp import SIGNED
from tests.rssp.test_requests import EVIDENCE, OPERATOR, approve, ask
from tests.support.outside_authority import REFERENCE, SECRET, OutsideAuthority, openssl

LEASE = digest("Lease")


@pytest.fixture
def outside(tmp_path: Path, settings: Any) -> OutsideAuthority:
    settings.RSSP_CERTIFICATE_POLICIES = ["demonstration", "signer"]
    settings.REGISTRATION = {"demonstration": "automatic"}
    settings.CERTIFICATE_ISSUERS = {"signer": "cmp", "demonstration": "cmp"}
    settings.CMP_URL, settings.CMP_REFERENCE, settings.CMP_SECRET = "http://127.0.0.1:9/", REFERENCE, SECRET
    settings.OUTSIDE_ANCHORS_FILE = str(tmp_path / "root.pem")
    return OutsideAuthority(tmp_path)


@pytest.fixture(autouse=True)
def _over_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens are introspected at the tests' own server, messages to the authority go out."""
    clients: dict[str, httpx.Client] = {}
    monkeypatch.setattr(
        "rssp.clients.cmp.client_for", lambda address: clients.setdefault(address, httpx.Client(timeout=5))
    )


@pytest.fixture
def approved(alice: Signer, outside: OutsideAuthority) -> CertificateRequest:
    """A request that the authority could not be asked for yet; its PKCS#10 is signed."""
    request = CertificateRequest.objects.get(credential_id=ask(alice).json()["credentialID"])
    approve(request)
    with pytest.raises(IssuerUnavailableError):
        issuing.issue_request(request=request)
    request.refresh_from_db()
    assert request.state == "approved"
    return request


def test_a_certificate_comes_from_outside_and_signs(
    alice: Signer, outside: OutsideAuthority, approved: CertificateRequest, settings: Any, asked: Asked
) -> None:
    csr = bytes(approved.certification_request)
    assert b"Alice" in openssl("req", "-inform", "DER", "-verify", "-noout", "-subject", stdin=csr)
    der = outside.certify(csr)
    with outside.serve() as settings.CMP_URL:
        tasks.sweep_requests()  # what beat rings for, and no token is needed
    approved.refresh_from_db()
    assert (approved.state, asked.count) == ("issued", 0)
    alice.credential = Credential.objects.get(credential_id=approved.credential_id)
    chain = call("credentials/info", {"credentialID": approved.credential_id, "certificates": "chain"}, alice.log_in())
    assert len(chain.json()["cert"]["certificates"]) == 3
    assert bytes(alice.credential.certificate.der) == der
    assert alice.sign(alice.approve(LEASE), LEASE).status_code == 200
    assert set(Certificate.objects.filter(role="outside").values_list("der", flat=True)) == {
        outside.root,
        outside.issuing,
    }


def test_an_authority_that_is_down_leaves_an_automatic_request_for_later(
    alice: Signer, outside: OutsideAuthority, settings: Any
) -> None:
    made = ask(alice, "demonstration")
    assert made.status_code == 202
    assert made.json()["certificateRequest"]["state"] == "approved"
    request = CertificateRequest.objects.get(credential_id=made.json()["credentialID"])
    tasks.sweep_requests()
    request.refresh_from_db()
    assert (request.state, request.reason) == ("approved", "the authority is not reached")
    outside.certify(bytes(request.certification_request))
    with outside.serve() as settings.CMP_URL:
        tasks.sweep_requests()
    request.refresh_from_db()
    assert request.state == "issued"


def test_a_refusal_from_outside_ends_the_request_with_its_reason(
    alice: Signer, outside: OutsideAuthority, approved: CertificateRequest, settings: Any
) -> None:
    outside.certify(bytes(approved.certification_request))
    with outside.serve("-pkistatus", "2", "-statusstring", "unknown person") as settings.CMP_URL:
        tasks.sweep_requests()
    told = call("credentials/info", {"credentialID": approved.credential_id}, alice.log_in()).json()
    assert told["certificateRequest"]["reason"] == "unknown person"
    approved.refresh_from_db()
    assert approved.state == "refused"
    event = AuditEvent.objects.latest("sequence")
    assert (event.result, event.reason) == ("refused", "refused by the authority: unknown person")


@pytest.mark.parametrize("wrong", ["key", "name", "usage", "anchor"])
def test_another_certificate_than_was_asked_for_is_refused(
    outside: OutsideAuthority, approved: CertificateRequest, settings: Any, wrong: str
) -> None:
    csr = bytes(approved.certification_request)
    if wrong == "key":
        outside.certify(outside.request_of_its_own("Alice Example"))
    elif wrong == "usage":
        outside.certify(csr, "keyUsage=critical,keyCertSign\n")
    elif wrong == "anchor":
        outside.certify(csr)
        settings.OUTSIDE_ANCHORS_FILE = ""
    else:
        outside.certify(csr)
        approved.attributes.filter(name="common_name").update(value="Alicia Example")
    before = Certificate.objects.count()
    with outside.serve() as settings.CMP_URL:
        assert issuing.issue_request(request=approved).state == "refused"
    assert Certificate.objects.count() == before
    assert bytes(approved.key.key_id) not in get_hsm().list_key_ids()


def test_an_automatic_request_that_is_refused_outside_is_answered_so(
    alice: Signer, outside: OutsideAuthority, settings: Any
) -> None:
    outside.certify(outside.request_of_its_own("Alice Example"))
    with outside.serve() as settings.CMP_URL:
        refused = ask(alice, "demonstration")
    assert refused.status_code == 400
    assert refused.json()["error_description"] == "The authority refused: it is for another key."


@pytest.fixture
def exported(alice: Signer, outside: OutsideAuthority, settings: Any, tmp_path: Path, capsys: Any) -> Path:
    """A request that goes by hand, and its PKCS#10 as a file (DER)."""
    settings.CERTIFICATE_ISSUERS = {"signer": "by-hand"}
    request = CertificateRequest.objects.get(credential_id=ask(alice).json()["credentialID"])
    with pytest.raises(CommandError, match="waiting"):
        call_command("export_csr", request.credential_id)
    approve(request)
    capsys.readouterr()
    for _ in range(2):
        call_command("export_csr", request.credential_id)
    pem = capsys.readouterr().out
    assert pem.count("BEGIN") == 2
    assert pem[: len(pem) // 2] == pem[len(pem) // 2 :]  # signed once
    assert AuditEvent.objects.filter(reason="certification request exported", subject="console").count() == 2
    path = tmp_path / request.credential_id
    path.write_bytes(openssl("req", "-verify", "-outform", "DER", stdin=pem.encode()))
    return path


def test_a_certificate_is_carried_by_hand(
    alice: Signer, outside: OutsideAuthority, exported: Path, tmp_path: Path, capsys: Any
) -> None:
    der = outside.certify(exported.read_bytes())
    chain = (tmp_path / "signer.pem").read_bytes() + (tmp_path / "issuing.pem").read_bytes()
    (tmp_path / "chain.pem").write_bytes(chain)
    call_command("import_certificate", exported.name, tmp_path / "chain.pem")
    alice.credential = Credential.objects.get(credential_id=exported.name)
    assert bytes(alice.credential.certificate.der) == der
    assert alice.sign(alice.approve(LEASE), LEASE).status_code == 200
    with pytest.raises(CommandError):
        call_command("import_certificate", exported.name, tmp_path / "chain.pem")


@pytest.mark.parametrize("wrong", ["alone", "junk", "key", "missing", "none", "duplicate"])
def test_a_file_that_is_not_the_certificate_changes_nothing(
    outside: OutsideAuthority, exported: Path, tmp_path: Path, wrong: str
) -> None:
    der = outside.certify(outside.request_of_its_own("Alice Example") if wrong == "key" else exported.read_bytes())
    path = tmp_path / "chain.pem"
    chain = (tmp_path / "signer.pem").read_bytes() + (tmp_path / "issuing.pem").read_bytes()
    path.write_bytes({"alone": der, "junk": b"junk"}.get(wrong, chain))
    if wrong == "missing":
        path.unlink()
    if wrong == "duplicate":
        Certificate.objects.filter(role="signer").update(der=der)
    name = "nothing" if wrong == "none" else exported.name
    with pytest.raises(CommandError):
        call_command("import_certificate", name, path)
    request = CertificateRequest.objects.get(credential_id=exported.name)
    assert (request.state, request.claimed) == ("approved", None)
    assert not Credential.objects.filter(credential_id=exported.name).exists()


def test_the_regular_round_carries_nothing_by_hand(exported: Path) -> None:
    tasks.sweep_requests()
    request = CertificateRequest.objects.get(credential_id=exported.name)
    assert (request.state, request.claimed, request.reason) == ("approved", None, "")


def test_a_request_in_another_state_is_neither_exported_nor_given_a_certificate(
    alice: Signer, outside: OutsideAuthority, exported: Path, asked: Asked
) -> None:
    request = CertificateRequest.objects.get(credential_id=ask(alice).json()["credentialID"])
    der = outside.certify(exported.read_bytes())
    with pytest.raises(RequestClosedError):
        issuing.export_request(request=request, operator=OPERATOR)
    with pytest.raises(RequestClosedError):
        issuing.import_certificate(request=request, data=der, operator=OPERATOR)
    other = CertificateRequest.objects.get(credential_id=exported.name)
    with pytest.raises(WrongCertificateError):
        issuing.import_certificate(request=other, data=b"", operator=OPERATOR)
    assert asked.count == 0
    assert other.attributes.get(name="surname").evidence == EVIDENCE
    assert x509.load_der_x509_csr(bytes(other.certification_request)).is_signature_valid


# --- What was revoked here ---------------------------------------------------------------------------------------


@pytest.fixture
def issued(outside: OutsideAuthority, approved: CertificateRequest, settings: Any) -> Certificate:
    outside.certify(bytes(approved.certification_request))
    with outside.serve() as settings.CMP_URL:
        tasks.sweep_requests()
    settings.CMP_URL = "http://127.0.0.1:9/"
    return Certificate.objects.get(credentials__credential_id=approved.credential_id)


def test_an_authority_outside_is_told_what_was_revoked_once(
    outside: OutsideAuthority, issued: Certificate, settings: Any
) -> None:
    assert telling.tell_revocations() == 0  # it is valid
    revoke_certificate(certificate=issued, reason="key_compromise")
    tasks.sweep_requests()  # the authority is away, and nothing is forgotten
    issued.refresh_from_db()
    assert issued.issuer_told is None
    with outside.serve() as settings.CMP_URL:
        assert telling.tell_revocations() == 1
        assert telling.tell_revocations() == 0
    issued.refresh_from_db()
    assert (issued.issuer_told is not None, issued.issuer_refusal) == (True, "")
    event = AuditEvent.objects.latest("sequence")
    assert (event.result, event.reason) == ("done", f"{issued.serial_number}: its issuer was told")


def test_what_the_authority_has_against_it_is_kept(
    outside: OutsideAuthority, issued: Certificate, settings: Any
) -> None:
    revoke_certificate(certificate=issued, reason="superseded")
    with outside.serve("-pkistatus", "2", "-statusstring", "we never do") as settings.CMP_URL:
        tasks.sweep_requests()
    issued.refresh_from_db()
    assert issued.issuer_refusal == "we never do"
    assert AuditEvent.objects.latest("sequence").result == "refused"


@pytest.mark.parametrize("issuer", ["by-hand", "built-in"])
def test_an_authority_that_is_not_spoken_to_is_not_told(
    outside: OutsideAuthority, issued: Certificate, settings: Any, issuer: str
) -> None:
    revoke_certificate(certificate=issued, reason="superseded")
    settings.CERTIFICATE_ISSUERS = {"signer": issuer}
    with outside.serve() as settings.CMP_URL:
        assert telling.tell_revocations() == 0


def test_a_certificate_comes_by_signatures_too(
    outside: OutsideAuthority, approved: CertificateRequest, settings: Any
) -> None:
    for name in ("client", "server"):
        outside.admit(name)
    settings.CMP_KEY_FILE = str(outside.folder / "client.key")
    settings.CMP_CERTIFICATE_FILE = str(outside.folder / "client.pem")
    settings.CMP_SERVER_CERTIFICATE_FILE = str(outside.folder / "nothing.pem")
    outside.certify(bytes(approved.certification_request))
    with outside.serve(*SIGNED, with_secret=False) as settings.CMP_URL:
        tasks.sweep_requests()
        approved.refresh_from_db()
        assert (approved.state, "cannot be read" in approved.reason) == ("approved", True)
        settings.CMP_SERVER_CERTIFICATE_FILE = str(outside.folder / "server.pem")
        tasks.sweep_requests()
    approved.refresh_from_db()
    assert approved.state == "issued"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, []),
        ({"CMP_REFERENCE": ""}, ["rssp.E006"]),
        ({"CMP_URL": ""}, ["rssp.E006"]),
        ({"CMP_KEY_FILE": "key.pem"}, ["rssp.E006"]),
        ({"CMP_KEY_FILE": "k", "CMP_CERTIFICATE_FILE": "c", "CMP_REFERENCE": ""}, ["rssp.E006"]),
        (
            {"CMP_KEY_FILE": "k", "CMP_CERTIFICATE_FILE": "c", "CMP_SERVER_CERTIFICATE_FILE": "s", "CMP_REFERENCE": ""},
            [],
        ),
    ],
)
def test_messages_without_protection_are_no_setting(
    outside: OutsideAuthority, settings: Any, change: dict[str, str], told: list[str]
) -> None:
    for name, value in change.items():
        setattr(settings, name, value)
    assert [message.id for message in check_registration()] == told

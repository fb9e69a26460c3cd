"""Newer certificates for credentials, with the key that they have or a new one, and with what was verified before."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.management import CommandError, call_command

from rssp.errors import (
    AuthorityError,
    CertificateSubjectError,
    CredentialEndedError,
    EvidenceMissingError,
    OwnRequestError,
    RequestClosedError,
    RsspError,
    SecondOperatorError,
)
from rssp.models import AuditEvent, Certificate, CertificateRequest, Credential, SigningKey
from rssp.services import lifecycle, requests
from rssp.services.issuing import issue_request
from rssp.services.operating import Operator
from rssp.services.renewing import request_renewal
from tests.authz.conftest import Person
from tests.rssp.conftest import Asked, Signer, call, digest, is_key_there
from tests.rssp.test_admin import act, operator, page_of
from tests.rssp.test_requests import OPERATOR, SECOND, approve, ask
from tests.support.softhsm import Token

__all__ = ["operator"]
LEASE = digest("Lease")


@pytest.fixture
def verified(alice: Signer, settings: Any) -> Credential:
    """Alice's credential by an operator's approval."""
    settings.RSSP_CERTIFICATE_POLICIES = ["demonstration", "signer"]
    settings.REGISTRATION = {"demonstration": "automatic"}
    request = CertificateRequest.objects.get(credential_id=ask(alice).json()["credentialID"])
    issue_request(request=approve(request))
    alice.credential = Credential.objects.get(credential_id=request.credential_id)
    return alice.credential


def renew(credential: Credential, operator: Operator = OPERATOR, *, new_key: bool = False) -> CertificateRequest:
    return request_renewal(credential=credential, new_key=new_key, text="It ends soon", operator=operator)


def key_of(certificate: Certificate) -> bytes:
    parsed = x509.load_der_x509_certificate(bytes(certificate.der))
    return parsed.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("new_key", [False, True])
def test_a_renewed_credential_signs_on(alice: Signer, verified: Credential, asked: Asked, new_key: bool) -> None:
    before = asked.count
    old, old_key = verified.certificate, verified.key
    assert issue_request(request=renew(verified, new_key=new_key)).state == "issued"
    assert asked.count - before == 1
    credential = Credential.objects.get(pk=verified.pk)
    assert credential.credential_id == verified.credential_id
    new = credential.certificate
    assert new.pk != old.pk
    assert new.subject == old.subject
    assert key_of(new) == bytes(credential.key.public_key)
    assert (key_of(new) != key_of(old)) is new_key
    old.refresh_from_db()
    assert (old.status, new.renews_id) == (("revoked", None) if new_key else ("valid", old.pk))
    assert is_key_there(old_key) is not new_key
    assert alice.sign(alice.approve(LEASE), LEASE).status_code == 200
    listed = call("credentials/list", {"credentialInfo": True}, alice.log_in()).json()
    assert "certificateRequests" not in listed
    assert listed["credentialIDs"].count(credential.credential_id) == 1
    told = list(AuditEvent.objects.order_by("sequence").values_list("subject", "reason"))
    kind = "a new key" if new_key else "the same key"
    assert (OPERATOR.name, f"renewal with {kind} requested: It ends soon") in told
    assert (alice.subject, f"renewed: {new.serial_number}") in told
    assert issue_request(request=renew(credential, new_key=not new_key)).state == "issued"  # and once more


def test_a_renewal_in_the_meantime_leaves_the_credential_as_it_is(
    alice: Signer, verified: Credential, settings: Any
) -> None:
    settings.FOUR_EYES = ["requests"]
    request = renew(verified, new_key=True)
    assert request.state == "waiting"
    info = call("credentials/info", {"credentialID": verified.credential_id}, alice.log_in()).json()
    assert info["key"]["status"] == "enabled"
    assert "certificateRequest" not in info
    assert alice.sign(alice.approve(LEASE), LEASE).status_code == 200
    with pytest.raises(SecondOperatorError):
        approve(request)
    with pytest.raises(OwnRequestError):
        approve(request, Operator("alice@example.org", "", "", alice.subject))
    with pytest.raises(RequestClosedError):
        renew(verified, SECOND)
    assert issue_request(request=approve(request, SECOND)).state == "issued"


@pytest.mark.parametrize("new_key", [False, True])
def test_a_refused_renewal_destroys_no_key_that_is_in_use(
    alice: Signer, verified: Credential, settings: Any, new_key: bool
) -> None:
    settings.FOUR_EYES = ["requests"]
    request = renew(verified, new_key=new_key)
    requests.refuse_request(request=request, reason="Not needed", operator=SECOND)
    requests.destroy_ended_keys()
    assert SigningKey.objects.get(pk=verified.key_id).state == "assigned"
    assert (SigningKey.objects.get(pk=request.key_id).state == "destroyed") is new_key
    assert alice.sign(alice.approve(LEASE), LEASE).status_code == 200


def test_what_cannot_be_renewed_leaves_nothing(alice: Signer, bob: Signer, verified: Credential) -> None:
    keys = SigningKey.objects.filter(state="assigned").count()
    attempts: list[tuple[type[RsspError], dict[str, Any]]] = [
        (EvidenceMissingError, {"text": " "}),
        (EvidenceMissingError, {"text": "x" * 201}),
        (OwnRequestError, {"operator": Operator("alice@example.org", "", "", alice.subject)}),
        (CertificateSubjectError, {"credential": bob.credential}),  # made without a request: nothing is known
    ]
    for error, changes in attempts:
        given = {"credential": verified, "text": "It ends soon", "operator": OPERATOR} | changes
        with pytest.raises(error):
            request_renewal(new_key=True, **given)
    lifecycle.end_credential(credential=verified, code="superseded", text="because", operator=OPERATOR)
    with pytest.raises(CredentialEndedError):
        renew(Credential.objects.get(pk=verified.pk), new_key=True)
    assert SigningKey.objects.filter(state="assigned").count() == keys - 1
    assert not CertificateRequest.objects.exclude(renews=None).exists()


def test_a_credential_that_ends_before_its_renewal_stays_ended(verified: Credential) -> None:
    request = renew(verified, new_key=True)
    lifecycle.end_credential(credential=verified, code="superseded", text="because", operator=SECOND)
    with pytest.raises(RsspError):
        issue_request(request=request)
    credential = Credential.objects.get(pk=verified.pk)
    assert (credential.status, credential.certificate_id) == ("ended", verified.certificate_id)
    assert Certificate.objects.latest("pk").status == "revoked"


def test_a_renewal_without_the_token_is_tried_again(
    verified: Credential, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rssp.hsm.sessions._RETRY_SECONDS", 0.0)
    request = renew(verified)
    token.move_away()
    try:
        with pytest.raises((AuthorityError, RsspError)):
            issue_request(request=request)
    finally:
        token.bring_back()
    assert issue_request(request=request).state == "issued"


def test_the_admin_and_the_command_renew(alice: Signer, verified: Credential, operator: Person, capsys: Any) -> None:
    assert "a newer certificate" in page_of(act(operator, "renew", verified))
    assert "approved again" in page_of(act(operator, "rekey", verified, confirmed="1", reason=" "))
    assert act(operator, "renew", verified, confirmed="1", reason="It ends soon").status_code == 302
    first = Credential.objects.get(pk=verified.pk)
    assert first.certificate_id != verified.certificate_id
    act(operator, "rekey", verified, confirmed="1", reason="A larger key")
    assert Credential.objects.get(pk=verified.pk).key_id != first.key_id
    capsys.readouterr()
    call_command("renew_credential", verified.credential_id, "--reason", "again", "--new-key")
    assert "issued" in capsys.readouterr().out
    for name, reason in (("nothing", "again"), (verified.credential_id, "")):
        with pytest.raises(CommandError):
            call_command("renew_credential", name, "--reason", reason)
    assert alice.sign(alice.approve(LEASE), LEASE).status_code == 200

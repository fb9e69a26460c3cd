"""One approval, one key, one certificate: made when a signature is prepared, opened by its own approval, gone after."""

import base64
import os
import subprocess
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.utils import timezone

from rssp import tasks
from rssp.checks import check_one_time_issuers
from rssp.errors import (
    EvidenceMissingError,
    HsmUnavailableError,
    OwnRequestError,
    RequestClosedError,
    SecondOperatorError,
)
from rssp.models import (
    Activation,
    AuditEvent,
    Certificate,
    CertificateRequest,
    Credential,
    OneTimeCredential,
    PasskeyBinding,
    SigningKey,
)
from rssp.pki.extensions import NO_REV_AVAIL, VALIDITY_ASSURED
from rssp.services import ending_standing, keys, one_time, requests, tending
from rssp.services.authority import read_chain
from rssp.services.expiring import list_expiring
from rssp.services.hsm import get_hsm
from rssp.services.operating import Operator
from tests.rssp.conftest import ALIAS, Asked, Signer, call, digest
from tests.rssp.test_requests import EVIDENCE, OPERATOR, SECOND, VERIFIED, ask
from tests.support.authenticator import Authenticator
from tests.support.softhsm import Token

LEASE, OTHER = digest("Lease"), digest("Other")
ROUNDS = int(os.environ.get("ONE_TIME_ROUNDS", "20"))


@pytest.fixture(autouse=True)
def _policies(settings: Any) -> None:
    settings.KEY_POOL = {}
    settings.RSSP_CERTIFICATE_POLICIES = ["demonstration", "signer", "short-lived"]


def stand(signer: Signer) -> CertificateRequest:
    answer = ask(signer, "short-lived")
    assert answer.status_code == 202, answer.content
    waiting = CertificateRequest.objects.get(credential_id=answer.json()["credentialID"])
    return requests.approve_request(request=waiting, stated=VERIFIED, evidence=EVIDENCE, operator=OPERATOR)


@pytest.fixture
def standing(alice: Signer) -> CertificateRequest:
    return stand(alice)


def prepare(signer: Signer, standing: CertificateRequest, **members: Any) -> Any:
    body = {"credentialID": standing.credential_id, "certificates": "chain", "certInfo": True} | members
    return call("credentials/prepareCertificate", body, signer.log_in())


def prepared(signer: Signer, standing: CertificateRequest) -> Credential:
    answer = prepare(signer, standing)
    assert answer.status_code == 201, answer.content
    signer.credential = Credential.objects.get(credential_id=answer.json()["credentialID"])
    return signer.credential


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_description"]


def expire(credential: Credential) -> None:
    Certificate.objects.filter(pk=credential.certificate_id).update(not_after=timezone.now() - timedelta(seconds=1))


# --- What stands ------------------------------------------------------------------------------------------------


def test_the_approved_request_stands_without_a_key_and_is_listed(alice: Signer, bob: Signer) -> None:
    before = SigningKey.objects.count()
    standing = stand(alice)
    assert (standing.state, standing.key, standing.key_algorithm) == ("standing", None, "ec-p256")
    assert SigningKey.objects.count() == before
    info = call("credentials/info", {"credentialID": standing.credential_id}, alice.log_in()).json()
    assert info["cert"]["certificates"] == []
    assert "CN=Alice Example" in info["cert"]["subjectDN"]
    assert (info["key"]["status"], info["multisign"]) == ("enabled", 1)
    assert info["shortLived"] == {"validitySeconds": 3600}
    listed = call("credentials/list", {"credentialInfo": True, "onlyValid": True}, alice.log_in()).json()
    assert listed["credentialIDs"] == [alice.credential.credential_id, standing.credential_id]
    assert listed["credentialInfos"][1] == {"credentialID": standing.credential_id} | info
    version_1 = call("credentials/list", {}, alice.log_in(), version=1).json()
    assert version_1["credentialIDs"] == [alice.credential.credential_id]
    body = {"credentialID": standing.credential_id}
    assert call("credentials/info", body, bob.log_in()).status_code == 400
    assert standing.credential_id not in call("credentials/list", {}, bob.log_in()).json()["credentialIDs"]


def test_what_does_not_stand_yet_makes_no_certificate(alice: Signer) -> None:
    answer = ask(alice, "short-lived")
    waiting = CertificateRequest.objects.get(credential_id=answer.json()["credentialID"])
    assert prepare(alice, waiting).status_code == 400
    requests.refuse_request(request=waiting, reason="Nobody came", operator=OPERATOR)
    assert prepare(alice, waiting).status_code == 400
    assert not OneTimeCredential.objects.exists()


@pytest.mark.parametrize("change", ["expire", "end"])
def test_what_stands_no_longer_makes_no_certificate(alice: Signer, standing: CertificateRequest, change: str) -> None:
    made = prepared(alice, standing)
    approval = alice.approve(LEASE)
    if change == "expire":
        CertificateRequest.objects.filter(pk=standing.pk).update(expires=timezone.now())
        assert prepare(alice, standing).status_code == 400
        tasks.sweep_requests()
    else:
        ending_standing.end_standing(request=standing, text="Left the company", operator=OPERATOR)
        made.refresh_from_db()
        assert (made.status, made.key.state) == ("ended", "destroyed")
        assert refusal(alice.sign(approval, LEASE))[0] == 400
    standing.refresh_from_db()
    assert standing.state == {"expire": "expired", "end": "ended"}[change]
    assert prepare(alice, standing).status_code == 400
    told = call("credentials/list", {"credentialInfo": True}, alice.log_in()).json()
    assert standing.credential_id not in told["credentialIDs"]
    assert standing.credential_id in [item["credentialID"] for item in told["certificateRequests"]]


def test_ending_what_stands_is_refused_without_a_reason_to_its_owner_and_twice(
    alice: Signer, standing: CertificateRequest
) -> None:
    with pytest.raises(EvidenceMissingError):
        ending_standing.end_standing(request=standing, text=" x ", operator=OPERATOR)
    owner = type(OPERATOR)(name="alice", request_id="r", address="", subject=alice.subject)
    with pytest.raises(OwnRequestError):
        ending_standing.end_standing(request=standing, text="Enough", operator=owner)
    ending_standing.end_standing(request=standing, text="Enough", operator=OPERATOR)
    with pytest.raises(RequestClosedError):
        ending_standing.end_standing(request=standing, text="Enough", operator=SECOND)


def test_with_four_eyes_the_second_operator_ends_what_the_first_one_proposed(
    alice: Signer, standing: CertificateRequest, settings: Any
) -> None:
    settings.FOUR_EYES = ["lifecycle"]
    made = prepared(alice, standing)

    def end(operator: Operator, text: str = "Left the company") -> bool:
        return ending_standing.end_standing(request=standing, text=text, operator=operator).confirmed is not None

    def withdraw(operator: Operator, text: str = "A mistake") -> bool:
        return ending_standing.withdraw_standing_end(request=standing, text=text, operator=operator)

    def stands() -> bool:
        standing.refresh_from_db()
        made.refresh_from_db()
        return (standing.state, made.status, made.key.state) == ("standing", "enabled", "assigned")

    assert not withdraw(OPERATOR)
    assert not end(OPERATOR)
    with pytest.raises(SecondOperatorError):
        end(OPERATOR)
    with pytest.raises(EvidenceMissingError):
        withdraw(SECOND, " ")
    assert stands()
    assert withdraw(SECOND)
    assert not end(SECOND)  # the first proposal is gone: this one is the first again
    assert stands()
    assert end(OPERATOR, "Confirmed by the office")
    assert not stands()
    assert (standing.state, standing.reason, made.key.state) == ("ended", "Left the company", "destroyed")
    assert not withdraw(SECOND)
    with pytest.raises(RequestClosedError):
        end(SECOND)
    told = AuditEvent.objects.filter(credential_id=standing.credential_id, reason__contains="short-lived credential")
    words = [event.reason.split("credential ")[1].split(":")[0] for event in told.order_by("sequence")]
    assert words == ["end proposed", "proposed end withdrawn", "end proposed", "ended"]


# --- What is made -----------------------------------------------------------------------------------------------


def test_one_approval_one_key_one_certificate(
    alice: Signer, standing: CertificateRequest, asked: Asked, tmp_path: Path
) -> None:
    answer = prepare(alice, standing).json()
    made = Credential.objects.get(credential_id=answer["credentialID"])
    assert made.credential_id != standing.credential_id
    assert (answer["multisign"], answer["key"]["status"], answer["SCAL"]) == (1, "enabled", "2")
    certificate = x509.load_der_x509_certificate(base64.b64decode(answer["cert"]["certificates"][0]))
    name = f"2.5.4.5={alice.subject},CN=Alice Example,2.5.4.4=Example,2.5.4.42=Alice,C=FR"
    assert certificate.subject.rfc4514_string() == name
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(hours=1)
    found = {extension.oid for extension in certificate.extensions}
    assert (VALIDITY_ASSURED in found, NO_REV_AVAIL in found) == (True, False)
    paths = []
    for number, der in enumerate(read_chain(made.certificate)):
        paths.append(tmp_path / f"{number}.pem")
        paths[-1].write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
    verified = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-CAfile", paths[2], "-untrusted", paths[1], paths[0]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.stdout == f"{paths[0]}: OK\n", verified.stderr
    assert asked.count == 1  # the authority's own signature
    assert list(list_expiring(within=timedelta(days=30))) == []
    assert made.credential_id not in call("credentials/list", {}, alice.log_in()).json()["credentialIDs"]
    alice.credential = made
    assert alice.sign(alice.approve(LEASE), LEASE).status_code == 200
    assert asked.count == 2
    told = AuditEvent.objects.filter(credential_id=made.credential_id).order_by("sequence")
    assert [(event.action, event.result, event.reason) for event in told] == [
        ("create credential", "created", f"for one signature, of {standing.credential_id}"),
        ("sign", "signed", ""),
        ("end credential", "done", "used"),
    ]
    call_command("verify_audit")


@pytest.mark.parametrize("storage", ["resident", "wrapped"])
def test_used_once_it_is_closed_and_its_key_is_gone(
    alice: Signer, standing: CertificateRequest, asked: Asked, settings: Any, storage: str
) -> None:
    settings.KEY_STORAGE = storage
    made = prepared(alice, standing)
    approval, second = alice.approve(LEASE), alice.approve(OTHER)
    assert alice.sign(approval, LEASE).status_code == 200
    made.refresh_from_db()
    assert (made.status, made.key.state, made.one_time.end) == ("ended", "destroyed", "used")
    assert (bytes(made.key.key_id) in get_hsm().list_key_ids(), made.key.wrapped_key) == (False, None)
    before = asked.count
    disabled = (400, "The credential identified by credentialID is disabled")
    for bearer, what in ((approval, LEASE), (second, OTHER), (alice.approve(LEASE), LEASE)):
        assert refusal(alice.sign(bearer, what)) == disabled
    info = call("credentials/info", {"credentialID": made.credential_id}, alice.log_in()).json()
    assert info["key"]["status"] == "disabled"
    assert asked.count == before


def test_unapproved_it_signs_nothing(alice: Signer, bob: Signer, standing: CertificateRequest, asked: Asked) -> None:
    made = prepared(alice, standing)
    before = asked.count
    assert alice.sign(alice.log_in(), LEASE).status_code == 400
    assert alice.sign(alice.approve(OTHER), LEASE).status_code == 400  # another digest
    stranger = Authenticator(rp_id=alice.key.rp_id, origin=alice.key.origin)
    assert alice.sign(alice.approve(LEASE, key=stranger), LEASE).status_code == 400
    bob.credential = made
    assert refusal(bob.sign(bob.approve(LEASE), LEASE)) == (400, "Invalid parameter credentialID")
    assert refusal(bob.sign(bob.log_in(), LEASE, SAD=alice.approve(LEASE)))[0] == 400
    assert asked.count == before
    made.refresh_from_db()
    assert made.status == "enabled"


def test_the_approval_of_one_opens_no_other(alice: Signer, standing: CertificateRequest, asked: Asked) -> None:
    """Neither what it is made of, nor another one of the same, nor a credential of long standing."""
    long_lived = alice.credential
    first, second = prepared(alice, standing), prepared(alice, standing)
    before = asked.count
    ids = [standing.credential_id, long_lived.credential_id, first.credential_id, second.credential_id]
    for approved in ids:
        for used in ids:
            if approved != used:
                bearer = alice.approve(LEASE, credential_id=approved)
                assert alice.sign(bearer, LEASE, credentialID=used).status_code == 400
                answer = alice.sign(alice.log_in(), LEASE, credentialID=used, SAD=bearer)
                assert answer.status_code == 400
    own = alice.approve(LEASE, credential_id=standing.credential_id)
    unknown = (400, "Invalid parameter credentialID")
    assert refusal(alice.sign(own, LEASE, credentialID=standing.credential_id)) == unknown
    assert asked.count == before


def test_the_first_approval_takes_it(alice: Signer, standing: CertificateRequest, token: Token, asked: Asked) -> None:
    made = prepared(alice, standing)
    first, second = alice.approve(LEASE), alice.approve(OTHER)
    assert alice.sign(first, OTHER).status_code == 400  # not its digest: yet the credential is this approval's now
    before = asked.count
    assert refusal(alice.sign(second, OTHER)) == (400, "Invalid parameter SAD")
    assert not Activation.objects.exclude(pk=made.one_time.activation_id).filter(credential=made).exists()
    assert asked.count == before
    assert alice.sign(first, LEASE).status_code == 200


def test_an_approval_of_two_digests_is_refused(alice: Signer, standing: CertificateRequest) -> None:
    prepared(alice, standing)
    assert refusal(alice.sign(alice.approve(LEASE, OTHER), LEASE)) == (400, "Invalid parameter SAD")


def test_at_its_certificates_end_it_is_closed_and_the_key_goes(
    alice: Signer, standing: CertificateRequest, asked: Asked, settings: Any
) -> None:
    settings.KEY_STORAGE = "resident"
    made = prepared(alice, standing)
    approval = alice.approve(LEASE)
    expire(made)
    before = asked.count
    assert refusal(alice.sign(approval, LEASE)) == (400, "Signing certificate 'CN=Alice Example' is expired.")
    tasks.sweep_requests()  # a worker: it has no token
    made.refresh_from_db()
    assert (made.status, made.one_time.end, made.key.state) == ("ended", "expired", "assigned")
    assert asked.count == before
    assert tending.tend_keys()[1] == 1  # in a web process, at which beat rings
    made.key.refresh_from_db()
    assert made.key.state == "destroyed"
    assert bytes(made.key.key_id) not in get_hsm().list_key_ids()


@pytest.mark.parametrize("storage", ["resident", "wrapped"])
def test_as_many_objects_as_before(alice: Signer, standing: CertificateRequest, settings: Any, storage: str) -> None:
    """Used, left alone, or refused: the token holds what it held. ``ONE_TIME_ROUNDS`` makes it a soak."""
    settings.PREPARED_CREDENTIALS, settings.KEY_STORAGE = ROUNDS, storage
    expire(prepared(alice, standing))  # makes what wraps, if that is how
    tending.tend_keys()
    before = sorted(get_hsm().list_key_ids())
    for number in range(ROUNDS):
        made = prepared(alice, standing)
        if number % 4:
            what = digest(f"document {number}")
            assert alice.sign(alice.approve(what), what).status_code == 200
        else:
            expire(made)
    tending.tend_keys()
    assert sorted(get_hsm().list_key_ids()) == before
    assert not SigningKey.objects.filter(state="assigned", one_time=True).exists()
    assert set(OneTimeCredential.objects.values_list("end", flat=True)) == {"used", "expired"}


# --- Abuse and faults -------------------------------------------------------------------------------------------


def test_who_does_not_approve_gets_no_more(
    alice: Signer, bob: Signer, standing: CertificateRequest, settings: Any
) -> None:
    settings.PREPARED_CREDENTIALS = 3
    other = stand(alice)
    first = prepared(alice, standing)
    prepared(alice, other)
    last = prepared(alice, standing)
    taken = SigningKey.objects.count()
    answer = prepare(alice, other)
    assert (answer.status_code, answer.json()["error"]) == (429, "too_many_requests")
    assert int(answer["Retry-After"]) > 0
    assert SigningKey.objects.count() == taken
    refused = AuditEvent.objects.latest("sequence")
    assert (refused.result, refused.reason.split(":")[0]) == ("refused", "TooManyPreparedError")
    prepared(bob, stand(bob))
    assert alice.sign(alice.approve(LEASE, credential_id=last.credential_id), LEASE, credentialID=last.credential_id)
    alice.credential = last
    assert prepare(alice, standing).status_code == 201
    assert prepare(alice, standing).status_code == 429
    expire(first)
    assert prepare(alice, standing).status_code == 201


def test_a_stranger_takes_no_key(alice: Signer, bob: Signer, standing: CertificateRequest) -> None:
    taken = SigningKey.objects.count()
    body = {"credentialID": standing.credential_id}
    method = "credentials/prepareCertificate"
    assert call(method, body, bob.log_in()).status_code == 400
    assert call(method, body, "nobodys").status_code == 401
    assert call(method, body).status_code == 400
    assert call(method, body, alice.approve(LEASE)).status_code == 403
    assert call(method, {}, alice.log_in()).status_code == 400
    assert call(method, {"credentialID": alice.credential.credential_id}, alice.log_in()).status_code == 400
    client = alice.remote.grant("a-client", "service", gty="client_credentials", client_id="a-client")
    assert call(method, body, client).status_code == 400
    assert call(method, body, alice.log_in(), version=1).status_code == 404
    assert Client().get(f"/csc/v2/{method}").status_code == 405
    assert (SigningKey.objects.count(), OneTimeCredential.objects.count()) == (taken, 0)


def test_without_the_token_nothing_is_kept(
    alice: Signer, standing: CertificateRequest, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = (SigningKey.objects.count(), Certificate.objects.count(), Credential.objects.count())
    monkeypatch.setattr("rssp.hsm.sessions._RETRY_SECONDS", 0.0)
    token.move_away()
    try:
        answer = prepare(alice, standing)
        assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
        assert int(answer["Retry-After"]) > 0
    finally:
        token.bring_back()
    assert (SigningKey.objects.count(), Certificate.objects.count(), Credential.objects.count()) == counts
    assert not OneTimeCredential.objects.exists()
    assert AuditEvent.objects.latest("sequence").result == "unavailable"
    assert prepare(alice, standing).status_code == 201


@pytest.mark.parametrize("where", ["issue_certificate", "bind_passkey"])
def test_what_fails_on_the_way_leaves_no_key(
    alice: Signer, standing: CertificateRequest, monkeypatch: pytest.MonkeyPatch, where: str, settings: Any
) -> None:
    settings.KEY_STORAGE = "resident"
    before, credentials = sorted(get_hsm().list_key_ids()), Credential.objects.count()

    def fail(**_arguments: object) -> None:
        raise HsmUnavailableError("gone in between")

    with monkeypatch.context() as patch:
        patch.setattr(one_time, where, fail)
        assert prepare(alice, standing).status_code == 503
    assert sorted(get_hsm().list_key_ids()) == before
    assert (OneTimeCredential.objects.count(), Credential.objects.count()) == (0, credentials)
    assert prepare(alice, standing).status_code == 201


def test_what_a_dead_process_left_is_cleared(alice: Signer, standing: CertificateRequest) -> None:
    key = keys.take_key(key_algorithm="ec-p256", one_time=True)
    row = OneTimeCredential.objects.create(request=standing)
    one_time.destroy_finished()
    key.refresh_from_db()
    assert (key.state, OneTimeCredential.objects.count()) == ("assigned", 1)  # somebody may be at it
    long_ago = timezone.now() - one_time.MAKING_LIFETIME - timedelta(seconds=1)
    SigningKey.objects.filter(pk=key.pk).update(assigned=long_ago)
    OneTimeCredential.objects.filter(pk=row.pk).update(created=long_ago)
    one_time.destroy_finished()
    key.refresh_from_db()
    assert (key.state, OneTimeCredential.objects.count()) == ("destroyed", 0)


def test_what_was_used_and_not_closed_is_closed_later(
    alice: Signer, standing: CertificateRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = prepared(alice, standing)

    def fail(**_arguments: object) -> None:
        raise HsmUnavailableError("gone in between")

    with monkeypatch.context() as patch:
        patch.setattr(one_time, "destroy_key", fail)
        patch.setattr(one_time, "_close", lambda *_arguments: False)
        assert alice.sign(alice.approve(LEASE), LEASE).status_code == 200
    made.refresh_from_db()
    assert (made.status, made.key.state) == ("enabled", "assigned")
    assert alice.sign(alice.approve(OTHER), OTHER).status_code == 400
    one_time.destroy_finished()
    made.refresh_from_db()
    assert (made.status, made.key.state, made.one_time.end) == ("ended", "destroyed", "used")


@pytest.mark.parametrize("row", ["request", "binding"])
def test_whoever_writes_to_the_database_opens_none(
    alice: Signer, standing: CertificateRequest, asked: Asked, row: str
) -> None:
    mallory = Authenticator(rp_id=alice.key.rp_id, origin=alice.key.origin)
    if row == "request":
        CertificateRequest.objects.filter(pk=standing.pk).update(
            passkey_id=mallory.credential_id, passkey_public_key=mallory.public_key
        )
        assert prepare(alice, standing).status_code == 400
        assert AuditEvent.objects.latest("sequence").result == "tampered"
        return
    made = prepared(alice, standing)
    before = asked.count
    PasskeyBinding.objects.filter(credential=made).update(
        passkey_id=mallory.credential_id, public_key=mallory.public_key
    )
    assert alice.sign(alice.approve(LEASE, key=mallory), LEASE).status_code == 400
    assert asked.count == before


@pytest.mark.django_db(databases=[ALIAS, "default"], transaction=True)
def test_those_who_come_at_once_get_keys_of_their_own_and_no_more_than_may_wait(
    alice: Signer, standing: CertificateRequest, settings: Any
) -> None:
    settings.PREPARED_CREDENTIALS = 4
    pooled = [keys.take_key(key_algorithm="ec-p256") for _ in range(2)]
    SigningKey.objects.filter(pk__in=[key.pk for key in pooled]).update(state="pooled", assigned=None)
    bearer = alice.log_in()
    answers: list[int] = []
    together = threading.Barrier(6)

    def come() -> None:
        together.wait()
        body = {"credentialID": standing.credential_id}
        answers.append(call("credentials/prepareCertificate", body, bearer).status_code)
        connections.close_all()

    threads = [threading.Thread(target=come) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201] * 4 + [429] * 2
    made = OneTimeCredential.objects.values_list("credential__key", flat=True)
    assert len(set(made)) == 4
    assert {key.pk for key in pooled} < set(made)
    assert not SigningKey.objects.filter(state="pooled").exists()


@pytest.mark.parametrize(("issuer", "told"), [(None, []), ("built-in", []), ("cmp", ["rssp.E021"])])
def test_no_outside_authority_is_asked_while_the_signer_waits(
    settings: Any, issuer: str | None, told: list[str]
) -> None:
    settings.CERTIFICATE_ISSUERS = {} if issuer is None else {"short-lived": issuer}
    assert [message.id for message in check_one_time_issuers()] == told

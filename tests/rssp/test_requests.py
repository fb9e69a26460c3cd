"""Requests for certificates: a certificate carries what was verified and nothing else, and who verified it is kept."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from django.core.management import call_command
from django.utils import timezone

from rssp import tasks
from rssp.errors import (
    AttributeDiffersError,
    CertificateSubjectError,
    EvidenceMissingError,
    OwnRequestError,
    RequestClosedError,
    RsspError,
    SecondOperatorError,
)
from rssp.models import AuditEvent, CertificateRequest, Credential, RequestAttribute, SigningKey
from rssp.pki.profiles import DEMONSTRATION_EMAIL_POLICY, DEMONSTRATION_POLICY
from rssp.services import issuing, requests
from rssp.services.hsm import get_hsm
from rssp.services.operating import Operator
from tests.rssp.conftest import Asked, Signer, call, digest, is_key_there
from tests.rssp.remote import approve_creation
from tests.support.instance import Instance
from tests.support.softhsm import Token

LEASE = digest("Lease")
OPERATOR = Operator(name="bob@example.org", request_id="r", address="192.0.2.1", subject="bob")
SECOND = Operator(name="carol@example.org", request_id="r", address="192.0.2.1", subject="carol")
VERIFIED = {"given_name": "Alice", "surname": "Example", "country": "FR"}
EVIDENCE = "Passport, seen on 24 November"


@pytest.fixture(autouse=True)
def _policies(settings: Any) -> None:
    settings.RSSP_CERTIFICATE_POLICIES = ["demonstration", "signer", "seal"]
    settings.REGISTRATION = {"demonstration": "automatic"}


def ask(signer: Signer, policy: str = "signer", *, email_verified: object = None, **changes: str) -> Any:
    approval = approve_creation(
        signer.remote, signer.key, signer.subject, "ec-p256", certificate_policy=policy, **changes
    )
    if email_verified is not None:
        signer.remote.tokens[approval]["authorization_details"][0]["subject"]["emailVerified"] = email_verified
    wanted = {"credentialCreationRequest": {"certificatePolicy": policy, "keyAlgorithm": "ec-p256"}}
    answer = call("credentials/create", wanted | {"certificates": "chain", "certInfo": True}, approval)
    signer.remote.tokens["last"] = signer.remote.tokens[approval]
    return answer


@pytest.fixture
def waiting(alice: Signer) -> CertificateRequest:
    answer = ask(alice)
    assert answer.status_code == 202, answer.content
    return CertificateRequest.objects.get(credential_id=answer.json()["credentialID"])


def approve(request: CertificateRequest, operator: Operator = OPERATOR, **changes: Any) -> CertificateRequest:
    given: dict[str, Any] = {"stated": VERIFIED, "evidence": EVIDENCE, **changes}
    return requests.approve_request(request=request, operator=operator, **given)


def subject_of(credential_id: str) -> x509.Certificate:
    credential = Credential.objects.get(credential_id=credential_id)
    return x509.load_der_x509_certificate(bytes(credential.certificate.der))


def test_a_request_waits_and_is_shown_where_it_stands(alice: Signer, bob: Signer, asked: Asked) -> None:
    made = ask(alice)
    assert made.status_code == 202
    body = made.json()
    assert body["certificateRequest"]["state"] == "waiting"
    assert body["key"]["status"] == "disabled"
    assert body["cert"] == {"certificates": []}
    assert asked.count == 0
    credential_id = body["credentialID"]
    service = alice.log_in()
    listed = call("credentials/list", {"credentialInfo": True}, service).json()
    assert credential_id not in listed["credentialIDs"]
    assert [item["credentialID"] for item in listed["certificateRequests"]] == [credential_id]
    assert "certificateRequests" not in call("credentials/list", {"onlyValid": True}, service).json()
    assert "certificateRequests" not in call("credentials/list", {}, service, version=1).json()
    assert call("credentials/info", {"credentialID": credential_id}, service).json() == {
        name: value for name, value in body.items() if name != "credentialID"
    }
    nobody = bob.log_in()
    assert call("credentials/info", {"credentialID": credential_id}, nobody).status_code == 400
    assert "certificateRequests" not in call("credentials/list", {}, nobody).json()
    alice.credential.credential_id = credential_id
    refused = alice.sign(alice.approve(LEASE), LEASE)
    assert refused.json()["error_description"] == "Invalid parameter credentialID"
    assert asked.count == 0
    event = AuditEvent.objects.filter(action="create credential").latest("sequence")
    assert (event.result, event.credential_id, event.subject) == ("requested", credential_id, alice.subject)


def test_an_approved_request_becomes_a_credential_of_what_was_verified(
    alice: Signer, waiting: CertificateRequest, asked: Asked
) -> None:
    before = asked.count
    assert approve(waiting).state == "approved"
    done = issuing.issue_request(request=waiting)
    assert (done.state, asked.count - before) == ("issued", 1)
    name = subject_of(waiting.credential_id).subject.rfc4514_string()
    assert name == f"2.5.4.5={alice.subject},CN=Alice Example,2.5.4.4=Example,2.5.4.42=Alice,C=FR"
    rows = {row.name: row for row in RequestAttribute.objects.filter(request=waiting)}
    assert {key: row.source for key, row in rows.items()} == {
        "common_name": "operator",
        "email": "",
        **dict.fromkeys(("given_name", "surname", "country", "identifier"), "operator"),
    }
    assert {row.verifier for row in rows.values()} == {OPERATOR.name, ""}
    assert {row.evidence for row in rows.values()} == {EVIDENCE, ""}
    alice.credential = Credential.objects.get(credential_id=waiting.credential_id)
    assert alice.sign(alice.approve(LEASE), LEASE).status_code == 200
    info = call("credentials/info", {"credentialID": waiting.credential_id}, alice.log_in()).json()
    assert info["key"]["status"] == "enabled"
    assert "certificateRequest" not in info
    told = AuditEvent.objects.filter(credential_id=waiting.credential_id).order_by("sequence")
    assert [(event.action, event.result) for event in told][:3] == [
        ("create credential", "requested"),
        ("administer", "done"),
        ("create credential", "created"),
    ]


@pytest.mark.parametrize("email_verified", [True, False, None])
def test_an_address_that_nobody_verified_is_left_out(alice: Signer, email_verified: bool | None) -> None:
    made = ask(alice, "demonstration", email_verified=email_verified)
    assert made.status_code == 201, made.content
    certificate = subject_of(made.json()["credentialID"])
    names = [item for item in certificate.extensions if isinstance(item.value, x509.SubjectAlternativeName)]
    assert [item.value.get_values_for_type(x509.RFC822Name) for item in names] == (
        [["alice@example.org"]] if email_verified else []
    )
    [policy] = certificate.extensions.get_extension_for_class(x509.CertificatePolicies).value
    assert policy.policy_identifier.dotted_string == (
        DEMONSTRATION_EMAIL_POLICY if email_verified else DEMONSTRATION_POLICY
    )
    [notice] = policy.policy_qualifiers or []
    assert isinstance(notice, x509.UserNotice)
    assert ("address was verified" in str(notice.explicit_text)) is bool(email_verified)
    attribute = RequestAttribute.objects.get(name="email")
    assert attribute.source == ("e-mail link" if email_verified else "")
    assert bool(attribute.verified and attribute.verifier) is bool(email_verified)


@pytest.mark.parametrize("email_verified", [False, None])
def test_a_policy_that_wants_a_verified_address_refuses_another_and_spends_nothing(
    alice: Signer, asked: Asked, settings: Any, email_verified: bool | None
) -> None:
    settings.REGISTRATION = {"demonstration": "verified-email"}
    keys = set(get_hsm().list_key_ids())
    refused = ask(alice, "demonstration", email_verified=email_verified)
    assert (refused.status_code, refused.json()["error_description"]) == (
        400,
        "The certificate cannot be made: the e-mail address is not verified.",
    )
    assert set(get_hsm().list_key_ids()) == keys
    alice.remote.tokens["last"]["authorization_details"][0]["subject"]["emailVerified"] = True
    wanted = {"credentialCreationRequest": {"certificatePolicy": "demonstration", "keyAlgorithm": "ec-p256"}}
    assert call("credentials/create", wanted, "last").status_code == 201


@pytest.mark.parametrize("odd", ["true", 1, [], {}])
def test_a_verification_of_another_shape_is_no_approval(alice: Signer, asked: Asked, odd: object) -> None:
    assert ask(alice, "demonstration", email_verified=odd).json()["error_description"] == "Invalid parameter SAD"
    assert asked.count == 0


@pytest.mark.parametrize("chosen", ["automatic", "verified-email", "none", ""])
def test_no_setting_gives_verified_names_without_an_operator(alice: Signer, settings: Any, chosen: str) -> None:
    settings.REGISTRATION = {"signer": chosen, "demonstration": "nonsense"}
    assert ask(alice, "signer", email_verified=True).status_code == 202
    assert ask(alice, "demonstration", email_verified=True).status_code == 202


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"evidence": ""}, EvidenceMissingError),
        ({"evidence": "  \n "}, EvidenceMissingError),
        ({"evidence": "x" * 2001}, EvidenceMissingError),
        ({"stated": {}}, EvidenceMissingError),
        ({"stated": VERIFIED | {"surname": "  "}}, EvidenceMissingError),
        ({"stated": VERIFIED | {"country": ""}}, EvidenceMissingError),
        ({"stated": VERIFIED | {"given_name": "Mallory"}}, AttributeDiffersError),
        ({"stated": VERIFIED | {"surname": "example"}}, AttributeDiffersError),
        ({"stated": VERIFIED | {"surname": "Ехample"}}, AttributeDiffersError),  # Cyrillic letters
        ({"stated": VERIFIED | {"country": "France"}}, CertificateSubjectError),
        ({"stated": VERIFIED | {"identifier": "PNO-nonsense\u202e"}}, CertificateSubjectError),
        ({"operator": Operator("alice@example.org", "", "", "itself")}, OwnRequestError),
    ],
)
def test_an_approval_without_what_it_needs_changes_nothing(
    alice: Signer, waiting: CertificateRequest, changes: dict[str, Any], error: type[RsspError]
) -> None:
    operator = changes.pop("operator", OPERATOR)
    if operator.subject == "itself":
        operator = Operator(operator.name, "", "", alice.subject)
    events = AuditEvent.objects.count()
    with pytest.raises(error):
        approve(waiting, operator, **changes)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.decisions.count(), waiting.attributes.count()) == ("waiting", 0, 2)
    assert AuditEvent.objects.count() == events
    with pytest.raises(RequestClosedError):
        issuing.issue_request(request=waiting)


def test_two_operators_are_two_people(alice: Signer, waiting: CertificateRequest, settings: Any) -> None:
    settings.FOUR_EYES = ["requests"]
    assert approve(waiting).state == "waiting"
    with pytest.raises(RequestClosedError):
        issuing.issue_request(request=waiting)
    with pytest.raises(SecondOperatorError):
        approve(waiting)
    with pytest.raises(SecondOperatorError):
        requests.refuse_request(request=waiting, reason="on second thought", operator=OPERATOR)
    with pytest.raises(OwnRequestError):
        approve(waiting, Operator("alice@example.org", "", "", alice.subject))
    # The second one confirms what the first one verified; other words of theirs change nothing.
    done = approve(waiting, SECOND, stated={"surname": "Mallory"}, evidence="The same passport")
    assert done.state == "approved"
    assert waiting.attributes.get(name="surname").value == "Example"
    assert list(waiting.decisions.order_by("pk").values_list("operator", "verdict")) == [
        (OPERATOR.name, "approved"),
        (SECOND.name, "approved"),
    ]
    with pytest.raises(RequestClosedError):
        approve(waiting, Operator("dora@example.org", "", "", "dora"))


def test_a_second_operator_may_refuse_what_the_first_approved(waiting: CertificateRequest, settings: Any) -> None:
    settings.FOUR_EYES = ["requests"]
    approve(waiting)
    assert requests.refuse_request(request=waiting, reason="The passport is false", operator=SECOND).state == "refused"
    with pytest.raises(RequestClosedError):
        issuing.issue_request(request=waiting)


def test_a_refusal_destroys_the_key_and_tells_why(alice: Signer, waiting: CertificateRequest, asked: Asked) -> None:
    assert is_key_there(waiting.key)
    for reason in ("", " ", "no"):
        with pytest.raises(EvidenceMissingError):
            requests.refuse_request(request=waiting, reason=reason, operator=OPERATOR)
    requests.refuse_request(request=waiting, reason="The passport has expired", operator=OPERATOR)
    assert not is_key_there(waiting.key)
    told = call("credentials/info", {"credentialID": waiting.credential_id}, alice.log_in()).json()
    assert told["certificateRequest"]["state"] == "refused"
    assert told["certificateRequest"]["reason"] == "The passport has expired"
    for late in (approve, lambda row: requests.refuse_request(request=row, reason="again", operator=SECOND)):
        with pytest.raises(RequestClosedError):
            late(waiting)
    assert AuditEvent.objects.latest("sequence").reason == "certificate request refused: The passport has expired"
    CertificateRequest.objects.update(closed=timezone.now() - timedelta(days=31))
    assert "certificateRequests" not in call("credentials/list", {}, alice.log_in()).json()


def test_a_refusal_without_the_token_holds_and_the_key_goes_later(
    alice: Signer, waiting: CertificateRequest, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rssp.hsm.sessions._RETRY_SECONDS", 0.0)
    token.move_away()
    try:
        assert requests.refuse_request(request=waiting, reason="Nobody knows her", operator=OPERATOR).state == "refused"
        assert requests.destroy_ended_keys() == 0
    finally:
        token.bring_back()
    assert ask(alice).status_code == 202  # whoever has the token next cleans up
    assert SigningKey.objects.get(pk=waiting.key_id).state == "destroyed"


def test_an_expired_request_is_nobody_s_to_decide(alice: Signer, waiting: CertificateRequest, capsys: Any) -> None:
    CertificateRequest.objects.update(expires=timezone.now())
    told = call("credentials/info", {"credentialID": waiting.credential_id}, alice.log_in()).json()
    assert told["certificateRequest"]["state"] == "expired"
    with pytest.raises(RequestClosedError, match="expired"):
        approve(waiting)
    tasks.sweep_requests()
    tasks.sweep_requests()
    waiting.refresh_from_db()
    assert waiting.state == "expired"
    assert AuditEvent.objects.filter(reason="the certificate request expired").count() == 1
    capsys.readouterr()
    call_command("list_orphan_keys", "--destroy")
    assert bytes(waiting.key.key_id).hex() in capsys.readouterr().out


def test_the_key_of_a_waiting_request_is_no_orphan(waiting: CertificateRequest, capsys: Any) -> None:
    call_command("list_orphan_keys")
    assert bytes(waiting.key.key_id).hex() not in capsys.readouterr().out


def test_one_approval_asks_once(alice: Signer, waiting: CertificateRequest) -> None:
    wanted = {"credentialCreationRequest": {"certificatePolicy": "signer", "keyAlgorithm": "ec-p256"}}
    assert call("credentials/create", wanted, "last").json()["error_description"] == "Invalid parameter SAD"
    assert CertificateRequest.objects.count() == 1


def test_a_request_is_issued_once_and_only_as_approved(waiting: CertificateRequest, asked: Asked) -> None:
    approve(waiting)
    CertificateRequest.objects.update(claimed=timezone.now())
    with pytest.raises(RequestClosedError):
        issuing.issue_request(request=waiting)
    CertificateRequest.objects.update(claimed=timezone.now() - timedelta(minutes=11))
    assert issuing.issue_request(request=waiting).state == "issued"
    with pytest.raises(RequestClosedError):
        issuing.issue_request(request=waiting)


def test_an_issuer_that_cannot_be_had_leaves_the_request_approved(
    waiting: CertificateRequest, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rssp.hsm.sessions._RETRY_SECONDS", 0.0)
    approve(waiting)
    token.move_away()
    try:
        with pytest.raises(RsspError):
            issuing.issue_request(request=waiting)
    finally:
        token.bring_back()
    waiting.refresh_from_db()
    assert (waiting.state, waiting.claimed) == ("approved", None)
    assert waiting.reason
    assert issuing.issue_request(request=waiting).state == "issued"


def test_a_seal_is_an_organisation_s(alice: Signer) -> None:
    made = ask(alice, "seal", common_name="Example SARL")
    request = CertificateRequest.objects.get(credential_id=made.json()["credentialID"])
    stated = {"organisation": "Example SARL", "identifier": "VATFR-12345678901", "country": "FR"}
    for wrong in ({"organisation": "Example SA"}, {"identifier": ""}, {"identifier": "12345"}):
        with pytest.raises((RsspError, CertificateSubjectError)):
            approve(request, stated=stated | wrong)
    approve(request, stated=stated)
    issuing.issue_request(request=request)
    name = subject_of(request.credential_id).subject.rfc4514_string()
    assert name == "CN=Example SARL,2.5.4.97=VATFR-12345678901,O=Example SARL,C=FR"


RACE = """
import json, threading, uuid
from django.db import connection, connections
from django.utils import timezone
from rssp.errors import RsspError
from rssp.models import *
from rssp.services import requests
from rssp.services.operating import Operator

def make(n):
    key = SigningKey.objects.create(
        key_id=uuid.uuid4().bytes, key_algorithm="ec-p256", public_key=b"k", storage="resident", state="assigned")
    activation = Activation.objects.create(
        nonce=uuid.uuid4().hex, sad_checksum=uuid.uuid4().hex, kind="credential-creation", issuer="i", client_id="c",
        subject="s", expires=timezone.now())
    row = CertificateRequest.objects.create(
        credential_id=str(uuid.uuid4()), issuer="i", subject="s", client_id="c", certificate_policy="signer", key=key,
        passkey_id=b"p", passkey_public_key=b"p", activation=activation, state="waiting",
        expires=timezone.now() + timezone.timedelta(days=1))
    RequestAttribute.objects.create(request=row, name="common_name", value="Alice Example")
    return row

def round(names):
    row, barrier, told = make(0), threading.Barrier(len(names)), []
    def act(name):
        operator = Operator(name, "", "", name)
        barrier.wait()
        try:
            requests.approve_request(
                request=row, stated={"given_name": "Alice", "surname": "Example", "country": "FR"},
                evidence="seen by " + name, operator=operator)
            told.append("approved")
        except RsspError as error:
            told.append(type(error).__name__)
        except Exception as error:
            told.append(repr(error))
        finally:
            connections.close_all()
    threads = [threading.Thread(target=act, args=(name,)) for name in names]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    row.refresh_from_db()
    return [row.state, row.decisions.count(), row.attributes.count(), sorted(told)]

print(json.dumps([connections["default" if "rssp" not in connections else "rssp"].vendor]
    + [round(NAMES) for _ in range(10)]))
"""


@pytest.mark.instance
@pytest.mark.postgresql
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
@pytest.mark.parametrize(
    ("four_eyes", "names", "state", "decisions", "told"),
    [
        ("", ["bob", "carol"], "approved", 1, ["RequestClosedError", "approved"]),
        ("requests", ["bob", "carol"], "approved", 2, ["approved", "approved"]),
        ("requests", ["bob", "bob"], "waiting", 1, ["SecondOperatorError", "approved"]),
        ("requests", ["bob", "carol", "dora"], "approved", 2, ["RequestClosedError", "approved", "approved"]),
    ],
)
def test_operators_who_decide_at_once(
    tmp_path: Path,
    request: pytest.FixtureRequest,
    engine: str,
    four_eyes: str,
    names: list[str],
    state: str,
    decisions: int,
    told: list[str],
) -> None:
    more = {"FOUR_EYES": four_eyes}
    if engine == "postgresql":
        more["DATABASE_URL_RSSP"] = request.getfixturevalue("postgresql_url")
    instance = Instance(tmp_path, 1, "rssp", more)
    instance.manage("migrate")
    script = RACE.replace("NAMES", repr(names))
    vendor, *rounds = json.loads(instance.manage("shell", "--no-imports", "-c", script, capture=True))
    assert vendor == engine
    assert rounds == [[state, decisions, 5, told]] * 10

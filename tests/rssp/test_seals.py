"""Seals: what a client's own token opens, and how much of it, with no person behind it."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from rssp.clients import introspection
from rssp.errors import TamperingError, TooManyHashesError, UnknownCredentialError
from rssp.models import AuditEvent, Credential, SealGrant
from rssp.services import granting, operating
from rssp.services.auditing import SYSTEM
from rssp.services.authorising import authorise
from rssp.services.operating import Operator
from tests.authz.conftest import Person
from tests.rssp.conftest import Asked, Signer, call, digest
from tests.rssp.test_admin import act, operator, page_of

__all__ = ["operator"]

CLIENT = "invoices"
OPERATOR = Operator(name="operator@example.org", request_id="r", address="127.0.0.1")
INVOICES = [digest(f"Invoice {number}") for number in range(3)]
both_versions = pytest.mark.parametrize("version", [1, 2])


def client_token(signer: Signer, client_id: str = CLIENT, **members: Any) -> str:
    told = {"client_id": client_id, "gty": "client_credentials"} | members
    return signer.remote.grant(client_id, "service", **told)


@pytest.fixture
def seal(alice: Signer) -> Signer:
    """Alice's seal, opened without a factor, which an operator granted to a client."""
    alice.change(auth_mode="explicit", scal="1", multisign=50)
    granting.set_seal(credential=alice.credential, is_seal=True, reason="invoices", operator=OPERATOR)
    granting.grant_seals(client_id=CLIENT, subject=alice.subject, max_signatures=3, operator=OPERATOR)
    alice.credential.refresh_from_db()
    return alice


def allow(signer: Signer, bearer: str, count: int) -> str:
    token = introspection.verify_token(bearer)
    return authorise(
        credential=signer.credential,
        token=token,
        factors="",
        hash_algorithm_oid=None,
        digests=None,
        num_signatures=count,
        lifetime=timedelta(minutes=5),
        origin=SYSTEM,
    )[1]


def refused(answer: Any, sentence: str) -> None:
    assert (answer.status_code, answer.json()["error_description"]) == (400, sentence)


@both_versions
def test_a_granted_client_lists_describes_and_seals_up_to_the_authorised_number(
    seal: Signer, asked: Asked, version: int
) -> None:
    bearer, own = client_token(seal), seal.credential.credential_id
    assert call("credentials/list", {"userID": seal.subject}, bearer, version=version).json()["credentialIDs"] == [own]
    assert call("credentials/info", {"credentialID": own}, bearer, version=version).status_code == 200
    sad = allow(seal, bearer, 3)
    assert seal.sign(bearer, *INVOICES[:2], SAD=sad, version=version).status_code == 200
    assert seal.sign(bearer, INVOICES[2], SAD=sad, version=version).status_code == 200
    refused(seal.sign(bearer, digest("Another"), SAD=sad, version=version), "Hash is not authorized by the SAD.")
    assert asked.count == 3
    event = AuditEvent.objects.filter(result="signed").latest("sequence")
    assert (event.subject, event.client_id, event.credential_id) == (CLIENT, CLIENT, own)


def test_more_than_the_grant_allows_is_not_authorised(seal: Signer) -> None:
    with pytest.raises(TooManyHashesError):
        allow(seal, client_token(seal), 4)


@both_versions
def test_a_client_must_name_an_owner_that_was_granted_to_it(seal: Signer, bob: Signer, version: int) -> None:
    bearer = client_token(seal)
    missing = "Missing (or invalid type) string parameter userID"
    refused(call("credentials/list", {}, bearer, version=version), missing)
    refused(call("credentials/list", {"userID": None}, bearer, version=version), missing)
    for user_id in (7, True, [], "", "x" * 256, "nobody", bob.subject, CLIENT):
        refused(call("credentials/list", {"userID": user_id}, bearer, version=version), "Invalid parameter userID")
    other = client_token(seal, "another")
    refused(call("credentials/list", {"userID": seal.subject}, other, version=version), "Invalid parameter userID")
    person = seal.log_in()
    for user_id in (seal.subject, "", 7):
        answer = call("credentials/list", {"userID": user_id}, person, version=version)
        refused(answer, "userID parameter MUST be null")


def test_what_is_no_seal_is_not_there_for_a_client(seal: Signer, asked: Asked) -> None:
    first = seal.credential.credential_id
    private = seal.own_credential()
    bearer = client_token(seal)
    assert call("credentials/list", {"userID": seal.subject}, bearer).json()["credentialIDs"] == [first]
    for answer in (
        call("credentials/info", {"credentialID": private.credential_id}, bearer),
        seal.sign(bearer, INVOICES[0], SAD="x"),
    ):
        refused(answer, "Invalid parameter credentialID")
    seal.change(auth_mode="explicit", scal="1")
    with pytest.raises(UnknownCredentialError):
        allow(seal, bearer, 1)


def test_neither_another_client_nor_a_stranger_opens_a_seal(seal: Signer, bob: Signer, asked: Asked) -> None:
    mine = {"credentialID": seal.credential.credential_id}
    for bearer in (client_token(seal, "another"), bob.log_in(), bob.log_in(client_id=CLIENT)):
        refused(call("credentials/info", mine, bearer), "Invalid parameter credentialID")
    sad = allow(seal, client_token(seal), 1)
    granting.grant_seals(client_id="another", subject=seal.subject, max_signatures=3, operator=OPERATOR)
    for bearer in (client_token(seal, "another"), seal.log_in(), seal.log_in(client_id=CLIENT)):
        refused(seal.sign(bearer, INVOICES[0], SAD=sad), "Invalid parameter SAD")
    assert asked.count == 0


def test_the_owner_s_own_sad_is_not_the_client_s(seal: Signer, asked: Asked) -> None:
    sad = allow(seal, seal.log_in(client_id=CLIENT), 1)
    refused(seal.sign(client_token(seal), INVOICES[0], SAD=sad), "Invalid parameter SAD")
    assert asked.count == 0


@pytest.mark.parametrize("taken", ["grant", "mark", "credential"])
def test_what_an_operator_takes_away_ends_an_authorisation_at_once(seal: Signer, asked: Asked, taken: str) -> None:
    bearer = client_token(seal)
    sad = allow(seal, bearer, 3)
    why: dict[str, Any] = {"reason": "over", "operator": OPERATOR}
    sentence = "Invalid parameter credentialID"
    if taken == "grant":
        granting.set_grant_active(grant=SealGrant.objects.get(), active=False, **why)
        refused(call("credentials/list", {"userID": seal.subject}, bearer), "Invalid parameter userID")
    elif taken == "mark":
        granting.set_seal(credential=seal.credential, is_seal=False, **why)
    else:
        operating.set_status(credential=seal.credential, status="disabled", **why)
        sentence = "The credential identified by credentialID is disabled"
    refused(seal.sign(bearer, INVOICES[0], SAD=sad), sentence)
    assert asked.count == 0
    assert AuditEvent.objects.latest("sequence").result == "refused"


def test_a_client_is_never_taken_for_a_person_of_the_same_name(seal: Signer, asked: Asked) -> None:
    seal.change(subject=CLIENT, is_seal=False)
    for members in ({}, {"gty": None}):
        bearer = client_token(seal, **members)
        refused(call("credentials/list", {"userID": CLIENT}, bearer), "Invalid parameter userID")
        refused(call("credentials/info", {"credentialID": seal.credential.credential_id}, bearer), SENTENCE)
    assert asked.count == 0


SENTENCE = "Invalid parameter credentialID"


@pytest.mark.parametrize(
    "change",
    [{"issuer": "https://elsewhere.example"}, {"max_signatures": 1000}, {"subject": "another"}, {"client_id": "x"}],
)
def test_a_grant_that_no_operator_made_opens_nothing(seal: Signer, asked: Asked, change: dict[str, Any]) -> None:
    bearer = client_token(seal, change.get("client_id", CLIENT))
    SealGrant.objects.update(**change)
    mine = {"credentialID": seal.credential.credential_id}
    assert call("credentials/list", {"userID": seal.subject}, bearer).status_code >= 400
    assert call("credentials/info", mine, bearer).status_code >= 400
    assert asked.count == 0


def test_a_grant_that_was_taken_back_is_not_revived_by_the_database(seal: Signer) -> None:
    grant = SealGrant.objects.get()
    granting.set_grant_active(grant=grant, active=False, reason="over", operator=OPERATOR)
    SealGrant.objects.update(active=True)
    with pytest.raises(TamperingError):
        granting.set_grant_active(grant=grant, active=False, reason="over", operator=OPERATOR)
    assert call("credentials/list", {"userID": seal.subject}, client_token(seal)).status_code >= 400


def test_a_mark_that_no_operator_made_authorises_nothing(seal: Signer) -> None:
    private = seal.own_credential()
    seal.change(auth_mode="explicit", scal="1")
    Credential.objects.filter(pk=private.pk).update(is_seal=True)
    private.refresh_from_db()
    with pytest.raises(TamperingError):
        allow(seal, client_token(seal), 1)


def test_a_client_s_token_creates_no_credential_and_info_offers_it(seal: Signer) -> None:
    assert call("credentials/create", {}, client_token(seal)).status_code == 403
    for version in (1, 2):
        assert "oauth2client" in call("info", {}, version=version).json()["authType"]


def test_an_operator_marks_grants_and_takes_back_each_with_a_reason(alice: Signer, operator: Person) -> None:
    credential = alice.credential
    assert "without a person" in page_of(act(operator, "mark_as_seal", credential))
    credential.refresh_from_db()
    assert not credential.is_seal
    act(operator, "mark_as_seal", credential, confirmed="1", reason="invoices")
    form = {"client_id": CLIENT, "subject": alice.subject, "max_signatures": "7"}
    refused_form = operator.browser.post("/admin/rssp/sealgrant/add/", form | {"max_signatures": "0"})
    assert refused_form.status_code == 200
    assert not SealGrant.objects.exists()
    assert operator.browser.post("/admin/rssp/sealgrant/add/", form).status_code == 302
    grant = SealGrant.objects.get()
    assert (grant.issuer, grant.max_signatures, grant.active) == (settings.ISSUER, 7, True)
    assert operator.browser.get(f"/admin/rssp/sealgrant/{grant.pk}/change/").status_code == 200
    for address in ("change", "delete"):
        assert operator.browser.post(f"/admin/rssp/sealgrant/{grant.pk}/{address}/", form).status_code == 403
    act(operator, "take_back", grant, confirmed="1", reason="contract ended")
    grant.refresh_from_db()
    assert not grant.active
    act(operator, "give_again", grant, confirmed="1", reason="contract renewed")
    act(operator, "unmark_as_seal", credential, confirmed="1", reason="over")
    done = list(AuditEvent.objects.filter(action="administer").order_by("sequence").values_list("reason", flat=True))
    assert [reason.split(":")[0] for reason in done] == [
        "marked as a seal",
        f"{CLIENT} may seal for {alice.subject}, 7 signatures at once",
        f"{CLIENT} may no longer seal for {alice.subject}",
        f"{CLIENT} may again seal for {alice.subject}",
        "no longer a seal",
    ]
    stranger = Person("Mallory").exist()
    stranger.log_in()
    assert stranger.browser.post("/admin/rssp/sealgrant/add/", form).status_code == 302
    assert SealGrant.objects.count() == 1

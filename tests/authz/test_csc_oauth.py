"""The OAuth endpoints of the CSC API, both versions: its words, its habits, and codes that stay at their face."""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from joserfc import jws
from joserfc.jwk import OctKey

from authz.models import AccessToken, Application, Consent, Grant, RefreshToken
from authz.services import oauth_clients
from tests.authz.conftest import SHA256_OID, Person, Pkce, basic, digest, query, signing_details
from tests.support.authenticator import b64

CALLBACK = "https://elsewhere.example/callback"
FACES = {"oauth": "/authz/oauth2", "v1": "/csc/v1/oauth2", "v2": "/csc/v2/oauth2"}
CSC = ["v1", "v2"]
both_versions = pytest.mark.parametrize("face", CSC)


@dataclass(frozen=True)
class Elsewhere:
    """A foreign client at one face."""

    face: str
    credentials: tuple[str, str]
    http: Client = field(default_factory=lambda: Client(enforce_csrf_checks=True))

    def at(self, face: str) -> "Elsewhere":
        return replace(self, face=face)

    @property
    def application(self) -> Application:
        found: Application = Application.objects.get(client_id=self.credentials[0])
        return found

    def request(self, pkce: Pkce | None, **changes: Any) -> dict[str, Any]:
        asked = {
            "response_type": "code",
            "client_id": self.credentials[0],
            "redirect_uri": CALLBACK,
            "state": "s",
            "scope": "service",
        }
        if pkce is not None:
            asked |= {"code_challenge": pkce.challenge, "code_challenge_method": "S256"}
        return {name: value for name, value in (asked | changes).items() if value is not None}

    def arrive(self, person: Person, pkce: Pkce | None, **changes: Any) -> Any:
        return self.bring(person.browser, self.request(pkce, **changes))

    def bring(self, browser: Client, parameters: dict[str, Any]) -> Any:
        """A browser at the authorization endpoint: the CSC API's send it on to the server that knows its sessions."""
        arrived = browser.get(f"{FACES[self.face]}/authorize", parameters)
        if self.face == "oauth":
            return arrived
        assert arrived.status_code == 302
        assert not arrived.cookies
        own = f"{settings.ISSUER}/csc/{self.face}/authorize?"
        assert arrived["Location"].startswith(own)
        return browser.get(arrived["Location"])

    def code(self, person: Person, pkce: Pkce | None, **changes: Any) -> str:
        """By the pages, up to the code."""
        arrived = self.arrive(person, pkce, **changes)
        return self.answer(person, arrived)

    def answer(self, person: Person, arrived: Any) -> str:
        assert arrived["Location"].startswith("/authz/consents/"), arrived["Location"]
        location = arrived["Location"]
        if person.browser.get(location).status_code == 302:
            person.log_in(location)
        if "passkey-options" in person.browser.get(location).content.decode():
            answered = person.approve(location)
        else:
            answered = person.browser.post(location, {"answer": "allow"})
        told = query(answered["Location"])
        assert (told["state"], told["iss"]) == ("s", settings.ISSUER)
        return told["code"]

    def post(self, endpoint: str, form: dict[str, Any], *, with_header: bool = True) -> Any:
        headers = basic(self.credentials) if with_header else {}
        return self.http.post(f"{FACES[self.face]}/{endpoint}", form, headers=headers)

    def redeem(self, code: str, pkce: Pkce | None, **changes: Any) -> Any:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        if pkce is not None:
            form["code_verifier"] = pkce.verifier
        return self.post("token", {name: value for name, value in (form | changes).items() if value is not None})

    def tokens(self, person: Person, **changes: Any) -> dict[str, Any]:
        pkce = Pkce()
        answer = self.redeem(self.code(person, pkce, **changes), pkce)
        assert answer.status_code == 200, answer.content
        told: dict[str, Any] = answer.json()
        return told


@pytest.fixture
def elsewhere(foreign: tuple[str, str]) -> Elsewhere:
    return Elsewhere("v2", foreign)


def refused(answer: Any) -> tuple[int, str, str]:
    assert answer["Content-Type"] == "application/json", answer.content
    assert answer["Cache-Control"] == "no-store"
    body = answer.json()
    return answer.status_code, body["error"], body.get("error_description")


def encode(value: bytes) -> str:
    return base64.b64encode(value).decode()


# --- The flows ----------------------------------------------------------------------------------------------


@both_versions
def test_a_service_token_is_had_refreshed_and_revoked_with_its_family(
    elsewhere: Elsewhere, alice: Person, face: str
) -> None:
    client = elsewhere.at(face)
    first = client.tokens(alice, scope=None, lang="fr", clientData="invoice 7")
    assert (first["token_type"], first["scope"], first["expires_in"]) == ("Bearer", "service", 900)
    assert Consent.objects.get().request["client_data"] == "invoice 7"
    second = client.post("token", {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}).json()
    assert second["refresh_token"] != first["refresh_token"]
    revoked = client.post("revoke", {"token": second["refresh_token"], "token_type_hint": "refresh_token"})
    assert (revoked.status_code, revoked.content) == (204, b"")
    assert not AccessToken.objects.exists()
    again = client.post("token", {"grant_type": "refresh_token", "refresh_token": second["refresh_token"]})
    assert refused(again) == (400, "invalid_grant", "Invalid parameter refresh_token")


@both_versions
def test_an_access_tokens_end_leaves_its_refresh_token(elsewhere: Elsewhere, alice: Person, face: str) -> None:
    client = elsewhere.at(face)
    told = client.tokens(alice)
    # Whatever the hint says.
    hinted = {"token": told["access_token"], "token_type_hint": "refresh_token", "clientData": "x"}
    assert client.post("revoke", hinted).status_code == 204
    assert refused(client.post("revoke", hinted)) == (400, "invalid_request", "Invalid string parameter token")
    form = {"grant_type": "refresh_token", "refresh_token": told["refresh_token"]}
    assert client.post("token", form).status_code == 200


@pytest.mark.parametrize("spell", [b64, encode, lambda value: encode(value).rstrip("=")], ids=["url", "std", "bare"])
def test_version_1_asks_by_hash_and_gets_a_sad(elsewhere: Elsewhere, alice: Person, spell: Any) -> None:
    wanted = {
        "scope": "credential",
        "credentialID": "credential-1",
        "numSignatures": "2",
        "hash": f"{spell(digest('A'))},{spell(digest('B'))}",
        "description": "Two leases",
    }
    told = elsewhere.at("v1").tokens(alice, **wanted)
    assert (told["token_type"], told["scope"]) == ("SAD", "credential")
    assert told["expires_in"] <= 300
    assert "refresh_token" not in told
    [entry] = Consent.objects.get().details or []
    assert entry["hashAlgorithmOID"] == SHA256_OID
    assert [item["hash"] for item in entry["documentDigests"]] == [encode(digest("A")), encode(digest("B"))]
    assert {item["label"] for item in entry["documentDigests"]} == {"Two leases"}


def test_version_2_asks_by_hashes_and_gets_a_bearer_token(elsewhere: Elsewhere, alice: Person) -> None:
    wanted = {"scope": "credential", "credentialID": "credential-1", "numSignatures": "1", "hashes": b64(digest("A"))}
    told = elsewhere.tokens(alice, **wanted, hashAlgorithmOID=SHA256_OID)
    assert (told["token_type"], told["authorization_details"][0]["credentialID"]) == ("Bearer", "credential-1")
    assert "refresh_token" not in told


def test_version_2_takes_pushed_authorization_details_with_the_habits_of_the_field(
    elsewhere: Elsewhere, alice: Person
) -> None:
    """A hash type in capitals, ``state`` beside ``request_uri``, ``prompt=login``, the details again with the code."""
    details = signing_details("A", "B", numSignatures=2)
    for item in details[0]["documentDigests"]:
        item["hashType"] = "DTBSR"
    pkce = Pkce()
    told = json.dumps(details)
    asked = elsewhere.request(pkce, scope=None, authorization_details=told, prompt="login")
    del asked["client_id"]
    pushed = elsewhere.post("pushed_authorize", asked)
    assert (pushed.status_code, pushed.json()["expires_in"]) == (201, 90)
    beside = {"client_id": elsewhere.credentials[0], "request_uri": pushed.json()["request_uri"], "state": "other"}
    arrived = elsewhere.bring(alice.browser, beside)
    answer = elsewhere.redeem(elsewhere.answer(alice, arrived), pkce, authorization_details=told)
    assert answer.json()["authorization_details"] == details
    assert answer.json()["token_type"] == "Bearer"


def test_the_details_that_come_with_the_code_are_those_that_were_granted(elsewhere: Elsewhere, alice: Person) -> None:
    pkce = Pkce()
    code = elsewhere.code(alice, pkce, scope=None, authorization_details=json.dumps(signing_details("A")))
    wider = elsewhere.redeem(code, pkce, authorization_details=json.dumps(signing_details("A", "B")))
    assert refused(wider) == (400, "invalid_grant", "Authorization code is invalid or expired")


@both_versions
def test_a_client_that_may_act_alone_gets_a_token_without_a_person(face: str) -> None:
    application, secret = oauth_clients.create_client(
        name="Seals", redirect_uris=[], is_public=False, may_act_alone=True
    )
    client = Elsewhere(face, (application.client_id, secret))
    told = client.post("token", {"grant_type": "client_credentials", "scope": "service"}).json()
    assert (told["token_type"], told["scope"], "refresh_token" in told) == ("Bearer", "service", False)


@both_versions
def test_a_person_is_needed_for_whoever_may_not_act_alone(elsewhere: Elsewhere, face: str) -> None:
    answer = elsewhere.at(face).post("token", {"grant_type": "client_credentials"})
    assert refused(answer)[:2] == (400, "unauthorized_client")


# --- A code stays at its face -------------------------------------------------------------------------------

PAIRS = [(began, asked) for began in FACES for asked in FACES if began != asked]


@pytest.mark.parametrize(("began", "asked"), PAIRS)
def test_a_code_is_worth_nothing_at_another_face(elsewhere: Elsewhere, alice: Person, began: str, asked: str) -> None:
    pkce = Pkce()
    code = elsewhere.at(began).code(alice, pkce)
    assert refused(elsewhere.at(asked).redeem(code, pkce))[:2] == (400, "invalid_grant")
    # It was not used up, and nothing was revoked.
    assert elsewhere.at(began).redeem(code, pkce).status_code == 200


@pytest.mark.parametrize(("began", "asked"), PAIRS)
def test_a_refresh_token_is_worth_nothing_at_another_face(
    elsewhere: Elsewhere, alice: Person, began: str, asked: str
) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": elsewhere.at(began).tokens(alice)["refresh_token"]}
    assert refused(elsewhere.at(asked).post("token", form))[:2] == (400, "invalid_grant")
    assert elsewhere.at(began).post("token", form).status_code == 200


@pytest.mark.parametrize(("began", "asked"), [("oauth", "v2"), ("v2", "oauth"), ("oauth", "v1"), ("v2", "v1")])
def test_a_pushed_request_is_worth_nothing_at_another_face(elsewhere: Elsewhere, began: str, asked: str) -> None:
    pushed = elsewhere.at(began).post("pushed_authorize", elsewhere.request(Pkce())).json()
    reference = {"client_id": elsewhere.credentials[0], "request_uri": pushed["request_uri"]}
    answer = elsewhere.at(asked).bring(Client(), reference)
    assert answer.status_code == 400 or query(answer["Location"])["error"] == "invalid_request"
    assert not Consent.objects.exists()
    assert elsewhere.at(began).bring(Client(), reference).status_code == 302
    assert Consent.objects.count() == 1


def test_no_header_of_a_client_chooses_the_face(elsewhere: Elsewhere, alice: Person) -> None:
    pkce = Pkce()
    form = {
        "grant_type": "authorization_code",
        "code": elsewhere.at("v1").code(alice, pkce),
        "redirect_uri": CALLBACK,
        "code_verifier": pkce.verifier,
    }
    headers = basic(elsewhere.credentials) | {"paraph.face": "csc-v1", "Paraph-Face": "csc-v1", "face": "csc-v1"}
    assert Client().post("/authz/oauth2/token", form, headers=headers).status_code == 400


# --- PKCE ---------------------------------------------------------------------------------------------------


@pytest.fixture
def excused(elsewhere: Elsewhere) -> Elsewhere:
    """An operator said that this client need not know PKCE."""
    Application.objects.filter(client_id=elsewhere.credentials[0]).update(require_pkce=False)
    return elsewhere


def test_an_excused_client_of_version_1_needs_no_challenge(excused: Elsewhere, alice: Person) -> None:
    client = excused.at("v1")
    assert client.redeem(client.code(alice, None), None).status_code == 200
    # It may use PKCE all the same, and then must.
    pkce = Pkce()
    code = client.code(alice, pkce)
    assert refused(client.redeem(code, None))[1] in {"invalid_grant", "invalid_request"}
    assert refused(client.redeem(code, Pkce()))[1] == "invalid_grant"
    assert client.redeem(code, pkce).status_code == 200


def test_a_challenge_that_somebody_took_out_is_missed(excused: Elsewhere, alice: Person) -> None:
    client = excused.at("v1")
    answer = client.redeem(client.code(alice, None), Pkce())
    assert refused(answer) == (400, "invalid_grant", "Authorization code is invalid or expired")


@pytest.mark.parametrize("face", ["oauth", "v2"])
def test_it_needs_one_everywhere_else(excused: Elsewhere, alice: Person, face: str) -> None:
    arrived = excused.at(face).arrive(alice, None)
    assert query(arrived["Location"])["error"] == "invalid_request"


def test_nobody_else_is_excused(elsewhere: Elsewhere, alice: Person) -> None:
    assert query(elsewhere.at("v1").arrive(alice, None)["Location"])["error"] == "invalid_request"


def test_a_public_client_cannot_be_excused(alice: Person) -> None:
    application, _ = oauth_clients.create_client(name="Phone", redirect_uris=[CALLBACK], is_public=True)
    Application.objects.update(require_pkce=False)
    arrived = Elsewhere("v1", (application.client_id, "")).arrive(alice, None)
    assert query(arrived["Location"])["error"] == "invalid_request"


def test_an_excuse_that_was_taken_back_ends_the_codes_that_it_gave(excused: Elsewhere, alice: Person) -> None:
    client = excused.at("v1")
    code = client.code(alice, None)
    Application.objects.update(require_pkce=True)
    assert client.redeem(code, None).status_code == 400


# --- oauth2/authorize ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("face", "changes", "error"),
    [
        ("v1", {"response_type": "token"}, "unsupported_response_type"),
        ("v2", {"response_type": None}, "invalid_request"),
        ("v1", {"scope": "openid"}, "invalid_scope"),
        ("v2", {"scope": "openid service"}, "invalid_scope"),
        ("v2", {"scope": "service credential"}, "invalid_scope"),
        ("v1", {"scope": "credential"}, "invalid_authorization_details"),
        ("v1", {"scope": "credential", "credentialID": "x", "hashes": "A" * 43}, "invalid_request"),
        ("v2", {"scope": "credential", "credentialID": "x", "hash": "A" * 43}, "invalid_request"),
        ("v1", {"scope": None, "authorization_details": json.dumps(signing_details())}, "invalid_request"),
        ("v1", {"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
        ("v2", {"code_challenge_method": None}, "invalid_request"),
        ("v2", {"code_challenge_method": "plain"}, "invalid_request"),
        ("v1", {"account_token": "x"}, "invalid_request"),
        ("v2", {"account_token": ""}, "invalid_request"),
    ],
)
def test_a_mistake_goes_back_to_the_client(
    elsewhere: Elsewhere, alice: Person, face: str, changes: dict[str, Any], error: str
) -> None:
    told = query(elsewhere.at(face).arrive(alice, Pkce(), **changes)["Location"])
    assert (told["error"], told["state"]) == (error, "s")
    assert not Consent.objects.exists()


@both_versions
def test_nobody_is_sent_to_an_address_that_is_not_the_clients(elsewhere: Elsewhere, alice: Person, face: str) -> None:
    for changes in ({"redirect_uri": CALLBACK + "/"}, {"client_id": "nobody"}):
        answer = elsewhere.at(face).arrive(alice, Pkce(), **changes)
        assert (answer.status_code, "Location" in answer) == (400, False)


def test_version_1_knows_no_pushed_requests(elsewhere: Elsewhere) -> None:
    assert elsewhere.at("v1").post("pushed_authorize", {}).status_code == 404


# --- account_token ------------------------------------------------------------------------------------------


def account_token(
    client: Elsewhere, account: str, *, key: bytes | None = None, alg: str = "HS256", **claims: Any
) -> str:
    made = {"sub": account, "iat": int(time.time()), "jti": "1", "iss": "Elsewhere", "azp": client.credentials[0]}
    made = {name: value for name, value in (made | claims).items() if value is not None}
    secret = OctKey.import_key(key or sha256(client.credentials[1].encode()).digest())
    return jws.serialize_compact({"typ": "JWT", "alg": alg}, json.dumps(made).encode(), secret, algorithms=[alg])


@pytest.mark.parametrize("face", CSC)
@pytest.mark.parametrize("by", ["sub", "email"])
def test_the_account_that_a_client_names_answers_and_nobody_else_does(
    elsewhere: Elsewhere, alice: Person, mallory: Person, face: str, by: str
) -> None:
    client = elsewhere.at(face)
    name = str(getattr(alice.user, by))
    client.tokens(alice, account_token=account_token(client, name))
    arrived = client.arrive(mallory, Pkce(), account_token=account_token(client, name, jti="2"))
    mallory.log_in(arrived["Location"])
    answer = mallory.browser.post(arrived["Location"], {"answer": "allow"})
    assert answer.status_code == 400
    assert "This request is over" in answer.content.decode()
    assert Grant.objects.count() == 1


def mistakes(client: Elsewhere) -> Iterator[str]:
    yield account_token(client, "alice@example.org", key=bytes(32))
    yield account_token(client, "alice@example.org", key=client.credentials[1].encode())
    yield account_token(client, "alice@example.org", alg="HS512")
    yield account_token(client, "alice@example.org", azp="paraph-gateway")
    yield account_token(client, "alice@example.org", azp=None)
    yield account_token(client, "alice@example.org", iat=int(time.time()) - 301)
    yield account_token(client, "alice@example.org", iat=int(time.time()) + 60)
    yield account_token(client, "alice@example.org", iat=None)
    yield account_token(client, "alice@example.org", iat="now")
    yield account_token(client, "alice@example.org", iat=True)
    yield account_token(client, "alice@example.org", jti=None)
    yield account_token(client, "alice@example.org", jti=7)
    yield account_token(client, "alice@example.org", jti="x" * 256)
    yield account_token(client, "", sub=None)
    yield account_token(client, "")
    header, payload, _ = account_token(client, "alice@example.org").split(".")
    yield f"{header}.{payload}."
    unsigned = b64(b'{"alg":"none"}')
    yield f"{unsigned}.{payload}."
    yield f"{header}.{payload}"
    yield "x" * 5000
    yield "é.é.é"


@both_versions
def test_a_token_that_is_not_the_clients_own_names_nobody(elsewhere: Elsewhere, alice: Person, face: str) -> None:
    client = elsewhere.at(face)
    for number, made in enumerate(mistakes(client)):
        told = query(client.arrive(alice, Pkce(), account_token=made)["Location"])
        sentence = (told.get("error"), told.get("error_description"))
        assert sentence == ("invalid_request", "Invalid parameter account_token"), number
    assert not Consent.objects.exists()


def test_an_account_token_is_used_once(elsewhere: Elsewhere, alice: Person) -> None:
    made = account_token(elsewhere, alice.email)
    assert elsewhere.arrive(alice, Pkce(), account_token=made)["Location"].startswith("/authz/consents/")
    assert query(elsewhere.arrive(alice, Pkce(), account_token=made)["Location"])["error"] == "invalid_request"
    assert Consent.objects.count() == 1


# --- oauth2/token and oauth2/revoke: the tables -------------------------------------------------------------

CODE = {"grant_type": "authorization_code", "code": "x"}
REFRESH = {"grant_type": "refresh_token", "refresh_token": "x"}
NAMELESS = (400, "invalid_request", "Missing parameter client_id")
NOBODY = {"client_id": "nobody", "client_secret": "x"}
TOKEN_MISTAKES: list[tuple[dict[str, str], bool, tuple[int, str, str]]] = [
    (CODE, False, NAMELESS),
    ({}, False, NAMELESS),
    ({}, True, (400, "invalid_request", "Missing parameter grant_type")),
    ({"grant_type": ""}, True, (400, "invalid_request", "Missing parameter grant_type")),
    ({"grant_type": "password"}, True, (400, "invalid_request", "Invalid parameter grant_type")),
    ({"grant_type": "implicit"}, True, (400, "invalid_request", "Invalid parameter grant_type")),
    (
        {"grant_type": "urn:openid:params:grant-type:ciba", "auth_req_id": "x"},
        True,
        (400, "invalid_request", "Invalid parameter grant_type"),
    ),
    ({"grant_type": "authorization_code"}, True, (400, "invalid_request", "Missing parameter code")),
    ({"grant_type": "refresh_token"}, True, (400, "invalid_request", "Missing parameter refresh_token")),
    (REFRESH | {"refresh_token": ""}, True, (400, "invalid_request", "Missing parameter refresh_token")),
    (CODE | NOBODY, False, (400, "invalid_request", "Invalid parameter client_id")),
    (CODE, True, (400, "invalid_grant", "Invalid parameter code")),
    (REFRESH, True, (400, "invalid_grant", "Invalid parameter refresh_token")),
]


@both_versions
@pytest.mark.parametrize(("form", "with_header", "expected"), TOKEN_MISTAKES)
def test_a_mistake_at_the_token_endpoint_has_the_tables_sentence(
    elsewhere: Elsewhere, face: str, form: dict[str, str], with_header: bool, expected: tuple[int, str, str]
) -> None:
    assert refused(elsewhere.at(face).post("token", form, with_header=with_header)) == expected


REVOKE_MISTAKES: list[tuple[dict[str, str], bool, tuple[int, str, str]]] = [
    ({}, True, (400, "invalid_request", "Missing parameter token")),
    ({"token": ""}, True, (400, "invalid_request", "Missing parameter token")),
    ({"token": "x", "token_type_hint": "id"}, True, (400, "invalid_request", "Invalid parameter token_type_hint")),
    ({"token": "x"}, False, NAMELESS),
    ({"token": "x"} | NOBODY, False, (400, "invalid_request", "Invalid parameter client_id")),
    ({"token": "x"}, True, (400, "invalid_request", "Invalid string parameter token")),
]


@both_versions
@pytest.mark.parametrize(("form", "with_header", "expected"), REVOKE_MISTAKES)
def test_a_mistake_at_the_revocation_endpoint_has_the_tables_sentence(
    elsewhere: Elsewhere, face: str, form: dict[str, str], with_header: bool, expected: tuple[int, str, str]
) -> None:
    assert refused(elsewhere.at(face).post("revoke", form, with_header=with_header)) == expected


@both_versions
@pytest.mark.parametrize("endpoint", ["token", "revoke"])
def test_a_client_that_does_not_prove_itself_hears_what_is_wrong(
    elsewhere: Elsewhere, face: str, endpoint: str
) -> None:
    client = elsewhere.at(face)
    form = CODE | {"token": "x"}
    name = {"client_id": client.credentials[0]}
    wrong = (400, "invalid_request", "Invalid parameter client_secret")
    told = refused(client.post(endpoint, form | name, with_header=False))
    assert told == (400, "invalid_request", "Client authorization required")
    assert refused(client.post(endpoint, form | name | {"client_secret": "x"}, with_header=False)) == wrong
    address = f"{FACES[face]}/{endpoint}"
    for headers, expected in (
        (basic((client.credentials[0], "x")), wrong),
        (basic(("nobody", "x")), (400, "invalid_request", "Invalid parameter client_id")),
        ({"Authorization": "Basic @@@"}, (401, "invalid_client", "Invalid authorization header")),
        ({"Authorization": "Basic"}, (401, "invalid_client", "Invalid authorization header")),
        ({"Authorization": "Bearer x"}, (401, "invalid_client", "Invalid authorization header")),
    ):
        assert refused(client.http.post(address, form, headers=headers)) == expected


@both_versions
def test_a_code_for_another_address_is_refused_and_not_used_up(elsewhere: Elsewhere, alice: Person, face: str) -> None:
    client, pkce = elsewhere.at(face), Pkce()
    code = client.code(alice, pkce)
    sentence = "redirect_uri parameter does not match redirect_uri parameter of authorization request"
    wrong = client.redeem(code, pkce, redirect_uri=CALLBACK + "/")
    assert refused(wrong) == (400, "invalid_grant", sentence)
    assert client.redeem(code, pkce).status_code == 200


@both_versions
def test_a_code_that_is_used_late_or_another_clients_is_refused(elsewhere: Elsewhere, alice: Person, face: str) -> None:
    client, pkce = elsewhere.at(face), Pkce()
    code = client.code(alice, pkce)
    stranger = oauth_clients.create_client(name="Stranger", redirect_uris=[CALLBACK], is_public=False)
    theirs = Elsewhere(face, (stranger[0].client_id, stranger[1])).redeem(code, pkce)
    assert refused(theirs) == (400, "invalid_grant", "Invalid parameter code")
    over = (400, "invalid_grant", "Authorization code is invalid or expired")
    assert refused(client.redeem(code, Pkce())) == over
    Grant.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert refused(client.redeem(code, pkce)) == over


@both_versions
def test_a_code_that_is_used_twice_ends_what_it_gave(elsewhere: Elsewhere, alice: Person, face: str) -> None:
    client, pkce = elsewhere.at(face), Pkce()
    code = client.code(alice, pkce)
    assert client.redeem(code, pkce).status_code == 200
    assert refused(client.redeem(code, pkce)) == (400, "invalid_grant", "Authorization code is invalid or expired")
    assert not AccessToken.objects.exists()


@both_versions
def test_a_refresh_token_that_is_over_says_so(elsewhere: Elsewhere, alice: Person, face: str) -> None:
    client = elsewhere.at(face)
    form = {"grant_type": "refresh_token", "refresh_token": client.tokens(alice)["refresh_token"]}
    RefreshToken.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert refused(client.post("token", form)) == (400, "invalid_grant", "Refresh token expired")


@both_versions
def test_a_token_of_another_client_is_unknown(elsewhere: Elsewhere, alice: Person, face: str) -> None:
    token = elsewhere.at(face).tokens(alice)["access_token"]
    stranger = oauth_clients.create_client(name="Stranger", redirect_uris=[CALLBACK], is_public=False)
    theirs = Elsewhere(face, (stranger[0].client_id, stranger[1])).post("revoke", {"token": token})
    assert refused(theirs) == (400, "invalid_request", "Invalid string parameter token")
    assert AccessToken.objects.count() == 1


@pytest.mark.parametrize("endpoint", ["v1/oauth2/token", "v2/oauth2/revoke", "v2/oauth2/pushed_authorize"])
def test_whatever_is_sent_the_answer_is_json(elsewhere: Elsewhere, endpoint: str) -> None:
    http, address, form = elsewhere.http, f"/csc/{endpoint}", "application/x-www-form-urlencoded"
    for status, answer in (
        ({405}, http.get(address)),
        ({400}, http.post(address, "a=%00", form)),
        ({400}, http.post(address, "token=a&token=b&code=a&code=b", form)),
        ({400, 401}, http.post(address, b"\xff" * 40, form)),
        ({400, 401}, http.post(address, "{}", "application/json")),
        ({400, 401}, http.post(address, b"--x", "multipart/form-data")),
        ({413}, http.post(address, f"token={'a' * 1_100_000}", form)),
        ({400}, http.post(address, "&".join(f"a{number}=1" for number in range(1100)), form)),
    ):
        assert answer.status_code in status, answer.content
        assert set(answer.json()) <= {"error", "error_description", "request_id"}

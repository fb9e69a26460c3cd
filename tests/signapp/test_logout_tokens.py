"""Logins that the authorization server ends by a logout token (OpenID Connect Back-Channel Logout 1.0, 2.4 to 2.8)."""

import hmac
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from joserfc import jwt

from signapp.models import Login, UsedLogoutToken
from signapp.services import clearing, logins
from tests.signapp.conftest import Person
from tests.signapp.remote import KEY, OTHER_KEY, Remote

EVENT = "http://schemas.openid.net/event/backchannel-logout"
HEADER = {"typ": "logout+jwt", "alg": "RS256", "kid": "one"}
Claims = dict[str, Any]


def claims(**changes: Any) -> Claims:
    now = int(time.time())
    right = {
        "iss": settings.ISSUER,
        "aud": settings.SIGNAPP_CLIENT_ID,
        "iat": now,
        "exp": now + 120,
        "jti": str(uuid.uuid4()),
        "events": {EVENT: {}},
        "sub": "alice",
        "sid": "session-1",
    }
    return {name: value for name, value in (right | changes).items() if value is not None}


def write(right: Claims, **header: Any) -> str:
    return jwt.encode(HEADER | header, right, KEY)


def tell(token: str) -> Any:
    """The server's call: no cookie, no CSRF token."""
    return Client(enforce_csrf_checks=True).post("/login/backchannel-logout", {"logout_token": token})


def is_logged_in(person: Person) -> bool:
    return logins.read_account(session=person.session) is not None


@pytest.fixture
def alice(visitor: Callable[[], Person], remote: Remote) -> Person:
    remote.claim_changes = {"sid": "session-1"}
    return visitor().log_in("alice")


@pytest.mark.parametrize("named", [{}, {"sub": None}, {"sid": None}, {"aud": [settings.SIGNAPP_CLIENT_ID]}])
def test_the_login_that_is_named_ends_at_once(alice: Person, named: Claims) -> None:
    answer = tell(write(claims(**named)))
    assert (answer.status_code, answer.content, answer["Cache-Control"]) == (200, b"", "no-store")
    assert not answer.cookies
    assert not Login.objects.exists()
    assert not is_logged_in(alice)


def test_every_login_of_a_person_ends_where_none_is_named(
    alice: Person, visitor: Callable[[], Person], remote: Remote
) -> None:
    remote.claim_changes = {"sid": "session-2"}
    at_home, bob = visitor().log_in("alice"), visitor().log_in("bob")
    assert tell(write(claims(sid=None))).status_code == 200
    assert [is_logged_in(person) for person in (alice, at_home, bob)] == [False, False, True]


def test_nobody_else_s_login_ends(alice: Person, visitor: Callable[[], Person], remote: Remote) -> None:
    remote.claim_changes = {"sid": "session-2"}
    at_home, bob = visitor().log_in("alice"), visitor().log_in("bob")
    # Another login of hers; her login by another's name; a login that there never was.
    for named in ({"sid": "session-3"}, {"sub": "bob"}, {"sub": "mallory", "sid": None}, {"sub": None, "sid": "alice"}):
        assert tell(write(claims(**named))).status_code == 200
    assert all(map(is_logged_in, (alice, at_home, bob)))
    Login.objects.filter(subject="alice").update(issuer="https://elsewhere.example")
    assert tell(write(claims(sid=None))).status_code == 200
    assert Login.objects.count() == 3


def test_a_token_that_came_before_ends_nothing(alice: Person, visitor: Callable[[], Person]) -> None:
    token = write(claims(sub="alice", sid=None))
    assert tell(token).status_code == 200
    again = visitor().log_in("alice")
    answer = tell(token)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert is_logged_in(again)
    # Remembered as long as it could be taken, and no longer.
    clearing.clear_expired()
    assert UsedLogoutToken.objects.count() == 1
    UsedLogoutToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    clearing.clear_expired()
    assert not UsedLogoutToken.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": None},
        {"iss": "https://mallory.example/authz"},
        {"aud": None},
        {"aud": "paraph-gateway"},
        {"aud": ["paraph-gateway"]},
        {"iat": None},
        {"iat": 2**40},
        {"iat": "now"},
        {"exp": None},
        {"exp": 1000},
        {"exp": 2**40},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "x" * 256},
        {"events": None},
        {"events": {}},
        {"events": EVENT},
        {"events": [EVENT]},
        {"events": {EVENT: "yes"}},
        {"events": {"http://schemas.openid.net/event/other": {}}},
        {"sub": None, "sid": None},
        {"sub": ""},
        {"sub": 7},
        {"sid": ""},
        {"sid": ["session-1"]},
        {"nonce": "login-nonce"},
        {"nonce": ""},
    ],
    ids="-".join,
)
def test_a_claim_that_is_not_right_ends_nothing(alice: Person, changes: Claims) -> None:
    answer = tell(write(claims(**changes)))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert answer["Cache-Control"] == "no-store"
    assert is_logged_in(alice)
    assert not UsedLogoutToken.objects.exists()


def _altered(right: Claims) -> str:
    head, body, signature = write(right).split(".")
    return f"{head}.{body[:-4]}AAAA.{signature}"


def _unsigned(right: Claims) -> str:
    head = urlsafe_b64encode(b'{"typ":"logout+jwt","alg":"none"}').decode().rstrip("=")
    return f"{head}.{write(right).split('.')[1]}."


def _keyed_with_the_public_key(right: Claims) -> str:
    head = urlsafe_b64encode(b'{"typ":"logout+jwt","alg":"HS256"}').decode().rstrip("=")
    signed = f"{head}.{write(right).split('.')[1]}"
    mac = hmac.digest(KEY.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{urlsafe_b64encode(mac).decode().rstrip('=')}"


@pytest.mark.parametrize(
    "make",
    [
        _altered,
        _unsigned,
        _keyed_with_the_public_key,
        lambda right: jwt.encode(HEADER, right, OTHER_KEY),
        lambda right: write(right, typ="JWT"),
        lambda right: write(right, typ="at+jwt"),
        lambda right: jwt.encode({"alg": "RS256", "kid": "one"}, right, KEY),
        lambda right: write(right | {"padding": "x" * 9000}),
        lambda _right: "",
        lambda _right: "no.token.here",
    ],
)
def test_what_the_issuer_did_not_sign_as_a_logout_token_ends_nothing(
    alice: Person, make: Callable[[Claims], str]
) -> None:
    assert tell(make(claims())).status_code == 400
    assert is_logged_in(alice)


def test_an_id_token_is_no_logout_token(alice: Person, remote: Remote, visitor: Callable[[], Person]) -> None:
    kept: list[str] = []

    def make(right: Claims) -> str:
        kept.append(jwt.encode({"alg": "RS256", "kid": "one"}, right, KEY))
        return kept[0]

    remote.make_id_token = make
    visitor().log_in("alice")
    assert tell(kept[0]).status_code == 400
    assert is_logged_in(alice)


def test_nobody_makes_us_ask_for_keys(alice: Person, remote: Remote) -> None:
    asked = remote.calls["jwks"]
    for token in ("", "x", write(claims(), typ="JWT"), "a.b.c", "x" * 10_000):
        assert tell(token).status_code == 400
    assert Client().get("/login/backchannel-logout").status_code == 405
    assert Client().post(f"/login/backchannel-logout?logout_token={write(claims())}").status_code == 400
    assert remote.calls["jwks"] == asked
    assert is_logged_in(alice)


def test_while_the_keys_are_away_the_server_is_to_tell_again(alice: Person, remote: Remote) -> None:
    token = write(claims())
    remote.answers["jwks"] = httpx.ConnectError("away")
    assert tell(token).status_code == 503
    assert is_logged_in(alice)
    remote.answers["jwks"] = httpx.Response(200, json={"keys": "none"})
    assert tell(token).status_code == 400
    assert tell(token).status_code == 200
    assert not is_logged_in(alice)

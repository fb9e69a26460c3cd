"""What makes a login and, more often, what does not."""

import hmac
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.db import connections
from django.utils import timezone
from joserfc import jwt
from joserfc.util import urlsafe_b64encode

from signapp import errors
from signapp.models import Login, Session
from signapp.services import logins
from signapp.sessions import checksum
from tests.signapp.conftest import ALIAS, Person
from tests.signapp.remote import KEY, OTHER_KEY, Remote

Visitor = Callable[[], Person]


def answer(person: Person, **changes: Any) -> dict[str, Any]:
    url = logins.begin_login(session=person.session, next_path="/documents")
    return person.remote.log_in(url) | changes


def test_a_login_gives_a_new_session_key_and_hides_its_tokens(visitor: Visitor) -> None:
    person = visitor()
    before = person.session.session_key
    assert logins.complete_login(session=person.session, **answer(person)) == "/documents"
    assert person.session.session_key != before
    assert person.account.email == "alice@example.org"
    assert not person.account.is_operator
    login = Login.objects.get()
    token = logins.service_token(session=person.session)
    assert token in person.remote.tokens
    person.session.save()
    row = Session.objects.get(session_key=checksum(person.session.session_key or ""))
    for kept in (row.session_data, str(person.session.items()), login.access_token, login.refresh_token):
        assert token not in kept
    assert not Session.objects.filter(session_key=person.session.session_key).exists()


@pytest.mark.parametrize("state", ["", "another", None])
def test_another_browsers_state_logs_nobody_in(visitor: Visitor, state: str | None) -> None:
    person, mallory = visitor(), visitor()
    answer(person)
    foreign = answer(mallory)["state"] if state is None else state
    with pytest.raises(errors.LoginStaleError):
        logins.complete_login(session=person.session, state=foreign, code="c", iss=settings.ISSUER, error="")
    assert logins.read_account(session=person.session) is None


def test_an_answer_counts_once_and_not_after_ten_minutes(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    person = visitor()
    came = answer(person)
    logins.complete_login(session=person.session, **came)
    with pytest.raises(errors.LoginStaleError):
        logins.complete_login(session=person.session, **came)
    late = answer(person)
    now = time.time()
    monkeypatch.setattr("signapp.services.pending.time.time", lambda: now + 601)
    with pytest.raises(errors.LoginStaleError):
        logins.complete_login(session=person.session, **late)


@pytest.mark.parametrize("iss", ["", "https://mallory.example/authz", settings.ISSUER + "/"])
def test_another_issuers_answer_is_refused_before_its_code_is_sent(visitor: Visitor, iss: str) -> None:
    person = visitor()
    with pytest.raises(errors.LoginNotVerifiedError):
        logins.complete_login(session=person.session, **answer(person, iss=iss))
    assert person.remote.calls["token"] == 0


def test_a_declined_login_says_so(visitor: Visitor) -> None:
    person = visitor()
    with pytest.raises(errors.LoginDeclinedError):
        logins.complete_login(session=person.session, **answer(person, error="access_denied", code=""))
    with pytest.raises(errors.LoginError):
        logins.complete_login(session=person.session, **answer(person, error="server_error", code=""))
    with pytest.raises(errors.LoginNotVerifiedError):
        logins.complete_login(session=person.session, **answer(person, code=""))


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "paraph-gateway"},
        {"aud": None},
        {"azp": "paraph-gateway"},
        {"iss": "https://mallory.example/authz"},
        {"iss": None},
        {"exp": 1000},
        {"exp": None},
        {"sub": ""},
        {"sub": None},
        {"sub": 7},
    ],
)
def test_a_claim_that_is_not_right_logs_nobody_in(visitor: Visitor, remote: Remote, changes: dict[str, Any]) -> None:
    remote.claim_changes = changes
    person = visitor()
    with pytest.raises(errors.LoginNotVerifiedError):
        logins.complete_login(session=person.session, **answer(person))
    assert not Login.objects.exists()


def _altered(claims: dict[str, Any]) -> str:
    head, body, signature = jwt.encode({"alg": "RS256", "kid": "one"}, claims, KEY).split(".")
    return f"{head}.{body[:-4]}AAAA.{signature}"


def _unsigned(claims: dict[str, Any]) -> str:
    _, body, _ = jwt.encode({"alg": "RS256", "kid": "one"}, claims, KEY).split(".")
    return f"eyJhbGciOiJub25lIn0.{body}."


def _keyed_with_the_public_key(claims: dict[str, Any]) -> str:
    """By hand: the library refuses to make it."""
    body = jwt.encode({"alg": "RS256", "kid": "one"}, claims, KEY).split(".")[1]
    signed = ".".join((urlsafe_b64encode(b'{"alg":"HS256"}').decode(), body))
    mac = hmac.digest(KEY.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{urlsafe_b64encode(mac).decode()}"


@pytest.mark.parametrize(
    "make",
    [
        _altered,
        _unsigned,
        lambda claims: jwt.encode({"alg": "RS256", "kid": "one"}, claims, OTHER_KEY),
        _keyed_with_the_public_key,
        lambda _claims: "",
        lambda _claims: "no.token",
    ],
)
def test_an_id_token_that_the_issuer_did_not_sign_logs_nobody_in(visitor: Visitor, remote: Remote, make: Any) -> None:
    remote.make_id_token = make
    person = visitor()
    with pytest.raises(errors.LoginNotVerifiedError):
        logins.complete_login(session=person.session, **answer(person))
    assert not Login.objects.exists()


@pytest.mark.parametrize("call", ["pushed_authorize", "token", "jwks"])
def test_a_server_that_is_away_is_told_apart(visitor: Visitor, remote: Remote, call: str) -> None:
    person = visitor()
    remote.answers[call] = httpx.ConnectError("away")
    with pytest.raises(errors.LoginServerAwayError):
        logins.complete_login(session=person.session, **answer(person))


@pytest.mark.parametrize("path", ["//mallory.example", "https://mallory.example", "/\\mallory.example", "x", "/a\nb"])
def test_a_login_leads_back_to_our_own_pages_alone(visitor: Visitor, path: str) -> None:
    person = visitor()
    url = logins.begin_login(session=person.session, next_path=path)
    assert logins.complete_login(session=person.session, **person.remote.log_in(url)) == "/"


def _due(**changes: Any) -> None:
    Login.objects.update(checked_at=timezone.now() - timedelta(minutes=1), **changes)


def test_a_login_ended_at_the_server_ends_here(alice: Person, remote: Remote) -> None:
    remote.tokens.clear()
    assert logins.read_account(session=alice.session) is not None, "asked at most every 30 seconds"
    _due()
    assert logins.read_account(session=alice.session) is None
    assert not Login.objects.exists()
    with pytest.raises(errors.LoginRequiredError):
        logins.service_token(session=alice.session)


@pytest.mark.parametrize("bent", [httpx.ConnectError("away"), httpx.Response(503)])
def test_a_server_that_is_away_logs_nobody_out(alice: Person, remote: Remote, bent: Any) -> None:
    _due()
    remote.answers["userinfo"] = bent
    assert logins.read_account(session=alice.session) is not None


def test_an_old_token_is_swapped_and_a_spent_one_ends_the_login(alice: Person, remote: Remote) -> None:
    before = logins.service_token(session=alice.session)
    Login.objects.update(access_expires_at=timezone.now() + timedelta(seconds=59))
    assert logins.service_token(session=alice.session) != before
    assert remote.calls["token"] == 2
    remote.refreshable.clear()
    Login.objects.update(access_expires_at=timezone.now())
    assert logins.read_account(session=alice.session) is None


def test_a_lost_answer_gives_the_lease_back(alice: Person, remote: Remote) -> None:
    Login.objects.update(access_expires_at=timezone.now())
    remote.answers["token"] = httpx.ConnectError("away")
    with pytest.raises(errors.AuthorizationServerUnavailableError):
        logins.service_token(session=alice.session)
    assert Login.objects.get().lease_until is None
    assert logins.service_token(session=alice.session) in remote.tokens


@pytest.mark.django_db(databases=[ALIAS, "default"], transaction=True)
def test_of_many_tabs_that_find_the_token_old_one_swaps_it(alice: Person, remote: Remote) -> None:
    Login.objects.update(access_expires_at=timezone.now())
    alice.session.save()
    real = remote._token
    remote.answers["token"] = lambda request: (time.sleep(0.3), real(request))[1]
    found: list[str] = []

    def ask() -> None:
        try:
            found.append(logins.service_token(session=type(alice.session)(alice.session.session_key)))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1
    assert set(found) <= set(remote.tokens)
    assert remote.calls["token"] == 2


def test_logging_out_ends_the_session_and_the_tokens(alice: Person, remote: Remote) -> None:
    key = alice.session.session_key
    logins.end_login(session=alice.session)
    assert not remote.tokens
    assert not Login.objects.exists()
    assert not Session.objects.filter(session_key=checksum(key or "")).exists()
    logins.end_login(session=alice.session)


def test_logging_out_works_while_the_server_is_away(alice: Person, remote: Remote) -> None:
    remote.answers["revoke"] = httpx.ConnectError("away")
    logins.end_login(session=alice.session)
    assert logins.read_account(session=alice.session) is None


def test_another_login_in_the_same_browser_leaves_nothing_of_the_first(alice: Person) -> None:
    document = alice.upload()
    alice.prepare(document)
    alice.begin(document)
    alice.log_in("bob")
    assert alice.account.subject == "bob"
    assert Login.objects.count() == 1
    assert "pending_approvals" not in alice.session

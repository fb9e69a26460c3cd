"""Logging in at another OpenID provider: what makes a login and, more often, what does not. How answers are signed is
verified by the same words as in `tests.gateway.test_external_provider`."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from django.conf import settings as django_settings
from django.contrib.sessions.backends.base import SessionBase
from django.test import Client
from django.utils import timezone

from signapp import errors
from signapp.clients import external
from signapp.error_responses import explain
from signapp.models import Login
from signapp.services import logins
from signapp.services.envelopes import invitations
from signapp.services.logins import Account
from signapp.sessions import SessionStore
from signapp.wire import AnswerError, parse_approval
from tests.signapp.conftest import Person
from tests.signapp.remote import Remote
from tests.signapp.test_envelopes import link_to, send
from tests.support.provider import bent
from tests.support.provider.bent import ISSUER, OTHER_KEY, Bent, sign


@pytest.fixture
def provider(remote: Remote, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bent]:
    settings.EXTERNAL_ISSUER = settings.ISSUER = ISSUER
    settings.CLIENT_TRANSPORT = "tests.support.provider.bent.transport_for"
    monkeypatch.setattr(bent, "current", fresh := Bent(elsewhere=remote.handle))
    external.forget()
    yield fresh
    external.forget()


def new_session() -> SessionStore:
    store = SessionStore()
    store.create()
    return store


@pytest.fixture
def session() -> SessionStore:
    return new_session()


def begin(session: SessionBase) -> str:
    return logins.begin_login(session=session, next_path="/documents")


def finish(session: SessionBase, provider: Bent, url: str, subject: str = "alice", **changes: str) -> Account:
    query = {name: values[0] for name, values in parse_qs(httpx.URL(url).query.decode()).items()}
    asked = provider.pushed.get(query.get("request_uri", ""), query)
    answer = {"state": asked["state"], "code": provider.authorize(url, subject), "iss": "", "error": ""} | changes
    logins.complete_login(session=session, **answer)
    account = logins.read_account(session=session)
    assert account is not None
    return account


@pytest.mark.parametrize("pushes", [False, True])
def test_a_person_is_who_the_provider_says(session: SessionStore, provider: Bent, pushes: bool) -> None:
    if pushes:
        provider.metadata["pushed_authorization_request_endpoint"] = f"{ISSUER}/par"
    url = begin(session)
    assert url.startswith(f"{ISSUER}/auth?")
    assert ("code_challenge" in url) != pushes
    account = finish(session, provider, url)
    assert (account.issuer, account.subject, account.email) == (ISSUER, "alice", "alice@example.org")
    assert (account.name, account.is_operator) == ("Alice Example", False)
    assert provider.calls["userinfo"] == 0


def test_both_services_are_named_as_the_provider_wants_it(session: SessionStore, provider: Bent, settings: Any) -> None:
    both = [django_settings.GATEWAY_RESOURCE, django_settings.RSSP_RESOURCE]
    assert parse_qs(httpx.URL(begin(session)).query.decode())["resource"] == both
    settings.EXTERNAL_AUDIENCE_PARAMETER = "audience"
    assert parse_qs(httpx.URL(begin(session)).query.decode())["audience"] == [" ".join(both)]


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "paraph-gateway"},
        {"aud": ["paraph-signapp", "other"]},
        {"azp": "other"},
        {"iss": "https://evil.example"},
        {"nonce": "n" * 43},
        {"exp": int(time.time()) - 1},
        {"sub": ""},
        {"sub": "x" * 256},
    ],
)
def test_an_id_token_for_something_else_logs_nobody_in(
    session: SessionStore, provider: Bent, claims: dict[str, Any]
) -> None:
    provider.claims = claims
    with pytest.raises(errors.LoginNotVerifiedError):
        finish(session, provider, begin(session))
    assert not Login.objects.exists()


def test_nor_does_one_that_the_provider_did_not_sign(session: SessionStore, provider: Bent) -> None:
    for make in (lambda claims: sign(claims, key=OTHER_KEY), lambda claims: sign(claims).rsplit(".", 1)[0] + "."):
        provider.make_id_token = make
        with pytest.raises(errors.LoginNotVerifiedError):
            finish(session, provider, begin(session))
    provider.token_answer = {"id_token": None}
    with pytest.raises(errors.LoginNotVerifiedError):
        finish(session, provider, begin(session))
    assert not Login.objects.exists()


@pytest.mark.parametrize(
    "answer", [{"scope": "openid email"}, {"token_type": "DPoP"}, {"expires_in": 0}, {"access_token": None}]
)
def test_a_token_that_opens_nothing_here_is_no_login(
    session: SessionStore, provider: Bent, answer: dict[str, Any]
) -> None:
    provider.token_answer = answer
    with pytest.raises(errors.LoginNotVerifiedError):
        finish(session, provider, begin(session))


def test_iss_is_right_where_it_is_given_and_given_where_it_is_promised(session: SessionStore, provider: Bent) -> None:
    for promised, wrong in ((False, "https://evil.example"), (False, f"{ISSUER}/"), (True, "")):
        provider.metadata["authorization_response_iss_parameter_supported"] = promised
        external.forget()
        with pytest.raises(errors.LoginNotVerifiedError):
            finish(session, provider, begin(session), iss=wrong)
    assert finish(session, provider, begin(session), iss=ISSUER).subject == "alice"


@pytest.mark.parametrize("claims", [{"email_verified": False}, {"email_verified": "true"}, {"email_verified": None}])
def test_an_address_that_was_not_verified_is_not_known_and_opens_no_invitation(
    session: SessionStore, provider: Bent, claims: dict[str, Any], remote: Remote
) -> None:
    provider.claims = claims
    account = finish(session, provider, begin(session))
    assert account.email == ""
    address = logins.read_address(account=account, token="token")
    assert (address.email, address.is_verified) == ("", False)
    provider.claims = {}
    carol = Person(new_session(), remote)
    finish(carol.session, provider, begin(carol.session), "carol")
    send(carol, [("alice", "signer", 1)])
    with pytest.raises(errors.InvitationAddresslessError):
        invitations.claim(account=account, token="token", secret=link_to("alice"))
    assert explain(errors.InvitationAddresslessError()).status == 403
    assert "passkey" not in explain(errors.ApprovalRefusedError()).sentence
    verified = finish(session, provider, begin(session))
    assert invitations.claim(account=verified, token="token", secret=link_to("alice")).state == "sent"


def test_without_a_refresh_token_the_login_is_as_long_as_its_token(session: SessionStore, provider: Bent) -> None:
    finish(session, provider, begin(session))
    login = Login.objects.get()
    assert login.refresh_token == ""
    Login.objects.update(access_expires_at=timezone.now() + timedelta(seconds=5))
    assert logins.read_account(session=session) is not None
    Login.objects.update(access_expires_at=timezone.now())
    assert logins.read_account(session=session) is None
    assert not Login.objects.exists()


def test_a_refresh_token_that_is_not_rotated_stays_and_one_that_is_refused_ends_the_login(
    session: SessionStore, provider: Bent
) -> None:
    provider.token_answer = {"refresh_token": "refresh-1", "expires_in": 10 * 86400}
    finish(session, provider, begin(session))
    assert Login.objects.get().access_expires_at < timezone.now() + timedelta(days=1, seconds=1)
    provider.token_answer = {"scope": None}
    for _ in range(2):
        before = logins.service_token(session=session)
        Login.objects.update(access_expires_at=timezone.now())
        assert logins.service_token(session=session) != before
        assert provider.forms[-1] == {"grant_type": "refresh_token", "refresh_token": "refresh-1"}
    provider.answers["token"] = httpx.Response(500)
    Login.objects.update(access_expires_at=timezone.now())
    assert logins.read_account(session=session) is not None  # away, which logs nobody out
    provider.answers["token"] = httpx.Response(400, json={"error": "invalid_grant"})
    assert logins.read_account(session=session) is None


def test_logging_out_ends_the_providers_session_where_it_offers_that(session: SessionStore, provider: Bent) -> None:
    provider.token_answer = {"refresh_token": "refresh-1"}
    finish(session, provider, begin(session))
    assert logins.end_login(session=session) == ""
    provider.metadata |= {"end_session_endpoint": f"{ISSUER}/logout", "revocation_endpoint": f"{ISSUER}/revoke"}
    external.forget()
    session.create()
    finish(session, provider, begin(session))
    url = httpx.URL(logins.end_login(session=session))
    assert provider.forms[-1]["token"] == "refresh-1"
    assert str(url).startswith(f"{ISSUER}/logout?")
    assert url.params["post_logout_redirect_uri"] == f"{django_settings.SIGNAPP_URL}/logged-out"
    assert url.params["id_token_hint"].count(".") == 2
    assert logins.end_login(session=session) == ""


def test_a_provider_that_is_away_is_said_on_a_page(provider: Bent) -> None:
    provider.is_away = True
    answer = Client().get("/login")
    assert answer.status_code == 503
    assert b"login_server_away" in answer.content
    provider.is_away = False
    external.forget()
    assert Client().get("/login").status_code == 302


def test_browsers_are_sent_to_the_provider_alone_for_an_approval(provider: Bent) -> None:
    endpoint = f"{ISSUER}/auth"
    assert parse_approval({"authorization_url": f"{endpoint}?x=1"}, endpoint=endpoint).request_id is None
    for url in (f"{endpoint}.evil.example?x=1", "https://evil.example/auth?x", f"{endpoint}/../x", endpoint):
        with pytest.raises(AnswerError):
            parse_approval({"authorization_url": url}, endpoint=endpoint)
    assert parse_approval({"authorization_url": f"{endpoint}?t=a&x=1"}, endpoint=f"{endpoint}?t=a").request_id is None

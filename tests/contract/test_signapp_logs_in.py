"""The signature application's own login against the authorization server itself, through its pages."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone, translation

from signapp import errors
from signapp.clients import gateway
from signapp.models import Login
from signapp.services import logins
from signapp.sessions import SessionStore
from tests.authz.conftest import Person, alice, bob, clients, query

__all__ = ["alice", "bob", "clients"]

pytestmark = pytest.mark.django_db(
    databases=["default", *{"gateway", "signapp"} & set(settings.DATABASES)], transaction=True
)


@pytest.fixture
def session() -> SessionStore:
    store = SessionStore()
    store.create()
    return store


def come_back(person: Person, url: str) -> dict[str, str]:
    """The browser follows the address, logs in where it is asked to, and comes back with this query."""
    arrived = person.browser.get(url.removeprefix(settings.AUTHZ_URL))
    answer = person.browser.get(arrived["Location"])
    if answer["Location"].startswith("/authz/login"):
        answer = person.log_in(query(answer["Location"])["next"])
        answer = person.browser.get(answer["Location"])
    assert answer["Location"].startswith(settings.LOGIN_REDIRECT_URI)
    found = query(answer["Location"])
    return {name: found.get(name, "") for name in ("state", "code", "iss", "error")}


def log_in(person: Person, session: SessionStore) -> None:
    url = logins.begin_login(session=session, next_path="/documents")
    assert logins.complete_login(session=session, **come_back(person, url)) == "/documents"


def test_alice_logs_in_and_the_gateway_knows_her_token(alice: Person, session: SessionStore) -> None:
    log_in(alice, session)
    account = logins.read_account(session=session)
    assert account == logins.Account(settings.ISSUER, str(alice.user.sub), alice.email, alice.name, is_operator=False)
    token = logins.service_token(session=session)
    with pytest.raises(errors.JobLostError):
        gateway.read_job(token=token, job_id=alice.user.sub)
    with pytest.raises(errors.LoginRequiredError):
        gateway.read_job(token=token + "x", job_id=alice.user.sub)


def test_alice_is_asked_in_the_language_that_she_came_in(alice: Person, session: SessionStore) -> None:
    with translation.override("fr"):
        url = logins.begin_login(session=session, next_path="/documents")
    logins.complete_login(session=session, **come_back(alice, url))
    assert alice.user.language == "fr"


def test_tokens_are_swapped_and_stay_alive(alice: Person, session: SessionStore) -> None:
    log_in(alice, session)
    seen = {logins.service_token(session=session)}
    for _ in range(3):
        Login.objects.update(access_expires_at=timezone.now(), checked_at=timezone.now() - timedelta(hours=1))
        seen.add(logins.service_token(session=session))
        assert logins.read_account(session=session) is not None
    assert len(seen) == 4


def test_logging_out_everywhere_ends_this_login_too(alice: Person, session: SessionStore) -> None:
    log_in(alice, session)
    alice.browser.post("/authz/sessions/end-all")
    Login.objects.update(checked_at=timezone.now() - timedelta(minutes=1))
    assert logins.read_account(session=session) is None


def test_logging_out_here_ends_the_tokens_there(alice: Person, session: SessionStore) -> None:
    log_in(alice, session)
    token = logins.service_token(session=session)
    logins.end_login(session=session)
    with pytest.raises(errors.LoginRequiredError):
        gateway.read_job(token=token, job_id=alice.user.sub)


def test_a_code_counts_once_and_only_where_it_was_asked_for(alice: Person, bob: Person, session: SessionStore) -> None:
    other = SessionStore()
    other.create()
    url = logins.begin_login(session=session, next_path="/")
    mine = come_back(alice, url)
    theirs = come_back(bob, logins.begin_login(session=other, next_path="/"))
    with pytest.raises(errors.LoginStaleError):
        logins.complete_login(session=other, **mine)
    with pytest.raises(errors.LoginNotVerifiedError):
        logins.complete_login(session=other, **(mine | {"state": theirs["state"]}))


def test_signing_up_opens_the_sign_up_page(alice: Person, session: SessionStore) -> None:
    url = logins.begin_login(session=session, next_path="/", sign_up=True)
    arrived = alice.browser.get(url.removeprefix(settings.AUTHZ_URL))
    assert "/authz/signup" in alice.browser.get(arrived["Location"])["Location"]

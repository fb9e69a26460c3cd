"""Explicit mode in the admin, over HTTP with a real login: opted in for one user, marked, audited, unlocked."""

from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from authz.models import User
from rssp.models import AuditEvent, AuthenticationObject, Credential
from tests.authz.conftest import Person
from tests.rssp.conftest import Signer, digest
from tests.rssp.explicit import PIN, WRONG_PIN, data
from tests.rssp.test_admin import act, page_of
from tests.rssp.test_explicit import authorize, opened

LEASE = digest("Lease")
WANTED = {
    "common_name": "Alice Example",
    "email": "alice@example.org",
    "key_algorithm": "ec-p256",
    "scal": "2",
    "multisign": "3",
    "reason": "asked for by letter",
    "confirmed": "yes",
}


@pytest.fixture
def operator() -> Person:
    person = Person("Bob").exist()
    User.objects.filter(email=person.email).update(is_staff=True, is_superuser=True)
    person.log_in("/admin/")
    return person


def test_an_operator_makes_one_for_a_user_and_no_page_shows_a_secret(alice: Signer, operator: Person) -> None:
    page = page_of(act(operator, "make_explicit", alice.credential))
    assert "whoever learns them signs" in page
    assert 'value="Alice Example"' in page
    wrong = page_of(act(operator, "make_explicit", alice.credential, **WANTED, pin="123456"))
    assert "That PIN is guessed at once." in wrong
    assert "123456" not in wrong
    assert Credential.objects.count() == 1
    assert act(operator, "make_explicit", alice.credential, **WANTED, pin=PIN, passkey="on").status_code == 302
    made = Credential.objects.get(auth_mode="explicit")
    assert (made.subject, made.auth_expression, made.multisign) == (alice.subject, "PIN AND Passkey", 3)
    event = AuditEvent.objects.get(action="create credential")
    assert f"by {operator.email}: asked for by letter" in event.reason
    shown = page_of(operator.browser.get(f"/admin/rssp/credential/{made.pk}/change/"))
    assert "weaker" in shown
    for row in AuthenticationObject.objects.exclude(secret=""):
        assert row.secret not in shown
    listed = page_of(operator.browser.get("/admin/rssp/credential/"))
    assert "explicit: PIN, one-time password (weaker)" in listed


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "1 to 8 authentication objects"),
        ({"pin": PIN, "reason": ""}, "This field is required"),
        ({"pin": PIN, "email": "alice"}, "valid email address"),
        ({"pin": PIN, "expression": "PIN OR"}, "ends too early"),
        ({"totp": "AAAA"}, "at least 16 bytes"),
        ({"pin": PIN, "is_implicit": "on"}, "An implicit credential has a passkey alone."),
        ({"pin": PIN, "multisign": "1000"}, "less than or equal to 100"),
        ({"pin": PIN, "key_algorithm": "rsa-1024"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_is_said_on_the_page(
    alice: Signer, operator: Person, changes: dict[str, str], words: str
) -> None:
    assert words in page_of(act(operator, "make_explicit", alice.credential, **{**WANTED, **changes}))
    assert Credential.objects.count() == 1


def test_one_user_at_a_time(alice: Signer, bob: Signer, operator: Person) -> None:
    assert act(operator, "make_explicit", alice.credential, bob.credential, **WANTED, pin=PIN).status_code == 302
    assert Credential.objects.count() == 2


def test_an_operator_unlocks_and_sets_a_pin(alice: Signer, operator: Person) -> None:
    act(operator, "make_explicit", alice.credential, **WANTED, pin=PIN)
    alice.credential = Credential.objects.get(auth_mode="explicit")
    bearer = alice.log_in()
    for _ in range(django_settings.RSSP_FACTOR_TRIES):
        authorize(alice, bearer, LEASE, authData=data(PIN=WRONG_PIN))
    assert "may try again" in page_of(act(operator, "unlock", alice.credential))
    assert authorize(alice, bearer, LEASE, authData=data(PIN=PIN)).status_code == 400
    act(operator, "unlock", alice.credential, reason="called", confirmed="yes")
    opened(authorize(alice, bearer, LEASE, authData=data(PIN=PIN)))
    assert "guessed at once" in page_of(
        act(operator, "set_pin", alice.credential, pin="111111", reason="forgotten", confirmed="yes")
    )
    act(operator, "set_pin", alice.credential, pin="Xk4-trau", reason="forgotten", confirmed="yes")
    opened(authorize(alice, bearer, LEASE, authData=data(PIN="Xk4-trau")))
    told = AuditEvent.objects.filter(action="administer").values_list("subject", "reason")
    assert list(told) == [(operator.email, "unlocked: called"), (operator.email, "PIN set: forgotten")]


@pytest.mark.parametrize("action", ["make_explicit", "set_pin", "unlock"])
def test_nobody_else_does(alice: Signer, action: str) -> None:
    stranger: Any = Person("Mallory").exist()
    stranger.log_in()
    for browser in (stranger.browser, Client()):
        body = {"action": action, "_selected_action": [str(alice.credential.pk)], **WANTED, "pin": PIN}
        assert browser.post("/admin/rssp/credential/", body).status_code == 302
    assert Credential.objects.count() == 1
    assert not AuditEvent.objects.exists()

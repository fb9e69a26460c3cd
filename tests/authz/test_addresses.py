"""Verified addresses: a mailed link, opened once, by the account that it is for."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.test import Client
from django.utils import timezone
from joserfc import jwt
from joserfc.jwk import KeySet

from authz.errors import RequestGoneError
from authz.models import AddressLink, Throttle, User
from authz.services import addresses, throttling
from authz.services.tokens import clear_expired
from tests.authz.conftest import CREATION, PASSWORD, SIGNAPP, Flow, Person, Pkce, Server, block, query
from tests.authz.test_out_of_band import race


def sign_up(person: Person) -> None:
    form = {"name": person.name, "email": person.email, "password": PASSWORD}
    page = person.browser.get(person.browser.post("/authz/signup", form)["Location"])
    made = person.key.create(block(page)[0]["options"])
    assert person.browser.post("/authz/signup/passkey", {"response": json.dumps(made)}).status_code == 302


def link_in(message: Any) -> str:
    found = re.search(rf"{re.escape(django_settings.ISSUER)}(/address/[A-Za-z0-9_-]{{43}})\s", message.body)
    assert found, message.body
    return f"/authz{found[1]}"


def send(person: Person) -> str:
    addresses.send_link(user=person.user)
    return link_in(mail.outbox[-1])


def test_a_sign_up_mails_a_link_and_the_page_says_that_the_address_is_not_confirmed() -> None:
    alice = Person("Alice")
    sign_up(alice)
    (message,) = mail.outbox
    assert message.to == ["alice@example.org"]
    link = link_in(message)
    page = alice.browser.get("/authz/passkeys").content.decode()
    assert "Not confirmed" in page
    assert "Send the link again" in page
    assert link.rsplit("/", 1)[1] not in str(AddressLink.objects.values())
    assert not alice.user.is_email_verified
    assert alice.browser.get(link).status_code == 200
    assert not alice.user.is_email_verified
    assert alice.browser.post(link)["Location"] == "/authz/passkeys"
    assert alice.user.is_email_verified
    page = alice.browser.get("/authz/passkeys").content.decode()
    assert "Not confirmed" not in page
    assert "Your address is confirmed." in page


def test_a_link_works_once_and_ends_the_others(alice: Person) -> None:
    first, second = send(alice), send(alice)
    alice.log_in()
    assert alice.browser.post(second).status_code == 302
    for link in (first, second):
        for answer in (alice.browser.get(link), alice.browser.post(link)):
            assert answer.status_code == 400
            assert "This link is over" in answer.content.decode()


def test_who_is_not_logged_in_is_asked_to_and_comes_back(alice: Person) -> None:
    link = send(alice)
    for answer in (Client().get(link), alice.browser.get(link)):
        assert answer["Location"].startswith("/authz/login?")
    assert Client().post(link).status_code == 302
    assert not alice.user.is_email_verified
    assert alice.log_in(query(alice.browser.get(link)["Location"])["next"])["Location"] == link


def test_another_account_confirms_nothing_with_it(alice: Person, mallory: Person) -> None:
    link = send(alice)
    mallory.log_in()
    for answer in (mallory.browser.get(link), mallory.browser.post(link)):
        assert answer.status_code == 400
    assert not User.objects.exclude(verified_email="").exists()


def test_an_address_that_changed_is_not_the_one_that_was_confirmed(alice: Person) -> None:
    link = send(alice)
    alice.log_in()
    User.objects.filter(email=alice.email).update(email="other@example.org")
    assert alice.browser.post(link).status_code == 400
    User.objects.update(email=alice.email)
    assert alice.browser.post(link).status_code == 302
    assert alice.user.is_email_verified
    User.objects.update(email="other@example.org")
    assert not User.objects.get().is_email_verified


def test_a_link_ends_after_a_day(alice: Person) -> None:
    link = send(alice)
    alice.log_in()
    AddressLink.objects.update(expires=timezone.now())
    assert alice.browser.post(link).status_code == 400
    AddressLink.objects.update(expires=timezone.now() - timedelta(days=2))
    clear_expired()
    assert not AddressLink.objects.exists()
    for secret in ("x", "%00", "x" * 500):
        assert alice.browser.get(f"/authz/address/{secret}").status_code == 400


def test_links_are_sent_again_a_few_times(alice: Person) -> None:
    alice.log_in()
    for _ in range(throttling.ADDRESS_LINKS.attempts):
        assert alice.browser.post("/authz/address")["Location"] == "/authz/passkeys"
    full = alice.browser.post("/authz/address")
    assert full.status_code == 429
    assert len(mail.outbox) == throttling.ADDRESS_LINKS.attempts
    Throttle.objects.all().delete()
    addresses.trust_address(user=alice.user)
    alice.browser.post("/authz/address")
    assert len(mail.outbox) == throttling.ADDRESS_LINKS.attempts
    assert Client().post("/authz/address")["Location"].startswith("/authz/login?")
    assert alice.browser.get("/authz/address").status_code == 405


def test_a_sign_up_succeeds_without_a_mail_server(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    alice = Person("Alice")
    sign_up(alice)
    assert alice.browser.get("/authz/passkeys").status_code == 200


@pytest.mark.parametrize("is_verified", [False, True])
def test_clients_and_rssp_are_told(
    alice: Person, server: Server, login_code: Any, flow: Flow, is_verified: bool
) -> None:
    if is_verified:
        addresses.trust_address(user=alice.user)
    code, pkce = login_code(alice)
    answer = server.redeem(code, pkce, SIGNAPP).json()
    keys = KeySet.import_key_set(server.http.get("/authz/oauth2/jwks").json())
    claims = jwt.decode(answer["id_token"], keys, algorithms=["RS256"]).claims
    assert claims["email_verified"] is is_verified
    bearer = {"Authorization": f"Bearer {answer['access_token']}"}
    assert server.http.get("/authz/oauth2/userinfo", headers=bearer).json()["email_verified"] is is_verified
    token = flow.token(alice, CREATION)
    subject = {"commonName": alice.name, "email": alice.email, "emailVerified": is_verified}
    assert token["authorization_details"][0]["subject"] == subject
    assert server.introspect(token["access_token"])["authorization_details"][0]["subject"] == subject
    page = alice.browser.get(flow.open(alice, pkce, CREATION)).content.decode()
    assert ("(confirmed)" if is_verified else "(not confirmed)") in page


def test_no_client_says_that_an_address_is_verified(server: Server, credential_request: Any) -> None:
    subject = {"commonName": "Alice", "email": "alice@example.org", "emailVerified": True}
    pushed = server.push(credential_request(Pkce(), [CREATION[0] | {"subject": subject}]))
    assert pushed.json()["error"] == "invalid_authorization_details"
    pushed = server.push(credential_request(Pkce(), [CREATION[0] | {"emailVerified": True}]))
    assert pushed.json()["error"] == "invalid_authorization_details"


@pytest.mark.django_db(databases=["default"], transaction=True)
def test_of_parallel_uses_of_a_link_one_counts(alice: Person) -> None:
    secret = send(alice).rsplit("/", 1)[1]
    user = alice.user

    def use() -> bool:
        try:
            addresses.verify_address(user=user, secret=secret)
        except RequestGoneError:
            return False
        return True

    assert sum(race(6, use)) == 1


# --- A certificate that is made of a verified address alone ----------------------------------------------------


@pytest.fixture
def of_addresses(settings: Any) -> None:
    settings.REGISTRATION = {"demonstration": "verified-email"}


@pytest.mark.usefixtures("of_addresses")
def test_who_has_not_confirmed_the_address_does_so_before_approving(alice: Person, flow: Flow) -> None:
    alice.log_in()
    location = flow.open(alice, Pkce(), CREATION)
    page = alice.browser.get(location)
    assert "Confirm your address first" in page.text
    assert "passkey-options" not in page.text
    assert "form-action" in page["Content-Security-Policy"]
    assert alice.browser.post(location, {"answer": "link"})["Location"] == location
    [message] = mail.outbox
    alice.browser.post(link_in(message))
    assert "You are about to create a signing certificate" in alice.browser.get(location).text


@pytest.mark.usefixtures("of_addresses")
def test_an_approval_without_a_confirmed_address_is_none(alice: Person, flow: Flow) -> None:
    alice.log_in()
    location = flow.open(alice, Pkce(), CREATION)
    sent = alice.browser.post(location, {"password": PASSWORD, "reference": "x", "response": "{}"})
    assert sent.status_code in {200, 422}
    assert "Confirm your address first" in sent.text
    assert "code=" not in sent.headers.get("Location", "")
    for _ in range(throttling.ADDRESS_LINKS.attempts):
        alice.browser.post(location, {"answer": "link"})
    assert alice.browser.post(location, {"answer": "link"}).status_code == 429
    assert query(alice.browser.post(location, {"answer": "decline"})["Location"])["error"] == "access_denied"

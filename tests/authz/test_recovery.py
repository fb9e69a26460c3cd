"""Getting back in, and changing how the account is entered: never with less than what it was protected by."""

import json
import re
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.test import Client

from authz.errors import WrongFactorError
from authz.models import AddressChange, Passkey, RecoveryCode, SecurityEvent, Session, User
from authz.services import addresses, events, passwords, recovery_codes, throttling
from authz.services.events import Kind, Visitor
from tests.authz.conftest import PASSWORD, SIGNAPP, Person, Server, block
from tests.support.authenticator import Authenticator

NEW = "seven herons over the canal"
HERE = Visitor("192.0.2.1")


def codes_of(person: Person) -> list[str]:
    """New ones, from the page that shows them."""
    page = person.browser.post("/authz/recovery-codes/new").content.decode()
    found = re.findall(r'<li class="mono">([A-Z2-7-]+)</li>', page)
    assert len(found) == recovery_codes.COUNT
    return found


def link_in_mail() -> str:
    match = re.search(r"http\S+", str(mail.outbox[-1].body))
    assert match
    return match[0].removeprefix(django_settings.AUTHZ_URL)


def kinds(user: User) -> list[str]:
    return list(SecurityEvent.objects.filter(user=user).values_list("kind", flat=True))


def after_password(person: Person) -> None:
    first = person.browser.post("/authz/login", {"email": person.email, "password": PASSWORD})
    assert first["Location"] == "/authz/login/passkey"


def mailed_of(person: Person) -> list[str]:
    """What the messages say has happened, once the owner's address is one that is written to."""
    addresses.trust_address(user=person.user)
    mail.outbox.clear()
    events.tell_of_events()
    assert all(message.to == [person.email] for message in mail.outbox)
    labels = [str(label) for label in Kind.labels]
    bodies = [str(message.body) for message in mail.outbox]
    return [max((label for label in labels if label in body), key=len) for body in bodies]


def other_key(person: Person) -> Authenticator:
    return Authenticator(rp_id=person.key.rp_id, origin=person.key.origin)


# --- recovery codes -----------------------------------------------------------------------------------------


def test_codes_are_shown_once_and_kept_as_checksums(alice: Person) -> None:
    alice.log_in()
    codes = codes_of(alice)
    kept = json.dumps(list(RecoveryCode.objects.values("checksum")))
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)
    page = alice.browser.get("/authz/passkeys").content.decode()
    assert "8 codes left" in page
    assert not any(code in page for code in codes)
    assert not set(codes) & set(codes_of(alice))
    with pytest.raises(WrongFactorError):
        recovery_codes.read_code(user=alice.user, code=codes[0])


def test_a_code_and_the_password_lead_to_a_new_passkey_and_end_everything_else(alice: Person) -> None:
    alice.log_in()
    codes = codes_of(alice)
    lost, person = alice.key, Person("Alice")
    after_password(person)
    typed = codes[0].lower().replace("-", " ")
    step = person.browser.post("/authz/login/recovery", {"code": typed})
    assert step["Location"] == "/authz/login/recovery/passkey"
    # The code alone is no login, and is not used up while there is no new passkey.
    assert person.browser.get("/authz/passkeys").status_code == 302
    assert recovery_codes.count_left(user=alice.user) == 8
    page = person.browser.get(step["Location"])
    person.key = other_key(alice)
    made = person.key.create(block(page)[0]["options"])
    done = person.browser.post(step["Location"], {"response": json.dumps(made), "name": "New phone"})
    assert done["Location"] == "/authz/passkeys"
    assert person.browser.get("/authz/passkeys").status_code == 200
    assert alice.browser.get("/authz/passkeys").status_code == 302
    assert recovery_codes.count_left(user=alice.user) == 7
    assert {"code-used", "passkey-added"} <= set(kinds(alice.user))
    assert {"Recovery code used", "Passkey added"} <= set(mailed_of(alice))
    # Used up: neither it nor the same page again.
    again = Person("Alice")
    after_password(again)
    assert again.browser.post("/authz/login/recovery", {"code": codes[0]}).status_code == 422
    assert Passkey.objects.filter(user=alice.user).count() == 2
    assert lost.credential_id in {bytes(item.credential_id) for item in Passkey.objects.all()}


@pytest.mark.parametrize("code", ["", "AAAA-AAAA-AAAA-AAAA-AAAA-AAAA", "x" * 65])
def test_a_code_that_is_none_opens_nothing(alice: Person, code: str) -> None:
    alice.log_in()
    codes_of(alice)
    person = Person("Alice")
    after_password(person)
    assert person.browser.post("/authz/login/recovery", {"code": code}).status_code == 422
    assert person.browser.get("/authz/login/recovery/passkey").status_code == 302


def test_a_code_without_the_password_or_of_somebody_else_opens_nothing(alice: Person, mallory: Person) -> None:
    alice.log_in()
    codes = codes_of(alice)
    stranger = Person("Alice")
    for path in ("/authz/login/recovery", "/authz/login/recovery/passkey"):
        assert "/authz/login?" in stranger.browser.post(path, {"code": codes[0]})["Location"]
    after_password(mallory)
    assert mallory.browser.post("/authz/login/recovery", {"code": codes[0]}).status_code == 422


def test_guessing_codes_is_throttled(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttling, "ACCOUNT_AT_ADDRESS", throttling.Limit("account-address", 3))
    after_password(alice)
    answers = [
        alice.browser.post("/authz/login/recovery", {"code": f"AAAA-{number}"}).status_code for number in range(4)
    ]
    assert answers == [422, 422, 422, 429]


def test_new_codes_need_both_factors_just_now(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    alice.log_in()
    monkeypatch.setattr("authz.views.browser.RECENT_SECONDS", 0)
    for answer in (alice.browser.post("/authz/recovery-codes/new"), alice.browser.get("/authz/recovery-codes")):
        assert "confirm=1" in answer["Location"]
    assert not RecoveryCode.objects.exists()


# --- a forgotten password -----------------------------------------------------------------------------------


def reset_link(person: Person) -> str:
    passwords.send_link(email=person.email)
    return link_in_mail()


def test_asking_for_a_link_answers_every_address_alike(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("authz.tasks.send_password_link.delay", asked.append)
    pages = []
    for email in (alice.email, "nobody@example.org"):
        answer = Client().post("/authz/forgotten", {"email": email})
        assert answer.status_code == 200
        pages.append(answer.content.decode().replace(email, ""))
    assert pages[0] == pages[1]
    # What differs happens elsewhere.
    assert asked == [alice.email, "nobody@example.org"]
    assert mail.outbox == []
    passwords.send_link(email="nobody@example.org")
    assert mail.outbox == []
    for _ in range(5):
        passwords.send_link(email=alice.email)
    assert len(mail.outbox) == throttling.PASSWORD_LINKS.attempts


def test_asking_is_throttled_by_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authz.tasks.send_password_link.delay", lambda _email: None)
    monkeypatch.setattr(throttling, "PASSWORD_LINKS_AT_ADDRESS", throttling.Limit("password-links-address", 2))
    answers = [Client().post("/authz/forgotten", {"email": f"a{n}@example.org"}).status_code for n in range(3)]
    assert answers == [200, 200, 429]


def test_the_link_sets_nothing_without_a_second_factor(alice: Person) -> None:
    before, link = alice.user.password, reset_link(alice)
    browser = Client()
    assert browser.get(link).status_code == 200
    for form in ({}, {"way": "code", "code": ""}, {"way": "code", "code": "AAAA"}, {"response": "{}"}):
        assert browser.post(link, {"password": NEW, **form}).status_code == 422
    stranger = other_key(alice)
    page = browser.get(link)
    answer = stranger.get(block(page)[0]["options"])
    assert browser.post(link, {"password": NEW, "response": json.dumps(answer)}).status_code == 422
    assert alice.user.password == before


def test_the_link_and_a_passkey_set_a_new_password_and_end_every_session(
    alice: Person, server: Server, login_code: Any
) -> None:
    code, pkce = login_code(alice)
    token = server.redeem(code, pkce, SIGNAPP).json()["access_token"]
    link, other = reset_link(alice), reset_link(alice)
    browser = Client()
    page = browser.get(link)
    answer = alice.key.get(block(page)[0]["options"])
    done = browser.post(link, {"password": NEW, "response": json.dumps(answer)})
    assert done["Location"] == "/authz/login"
    assert browser.get("/authz/passkeys").status_code == 302
    assert alice.browser.get("/authz/passkeys").status_code == 302
    assert server.introspect(token) == {"active": False}
    for used in (link, other):
        assert Client().get(used).status_code == 400
    assert alice.log_in(password=PASSWORD).status_code == 422
    assert alice.log_in(password=NEW).status_code == 302
    assert "password-reset" in kinds(alice.user)


def test_the_link_and_a_recovery_code_do_too_and_the_code_is_used_up(alice: Person, mallory: Person) -> None:
    mallory.log_in()
    (foreign, *_rest) = codes_of(mallory)
    codes = recovery_codes.create_codes(user=alice.user, visitor=HERE)
    link, browser = reset_link(alice), Client()
    browser.get(link)
    assert browser.post(link, {"password": NEW, "way": "code", "code": foreign}).status_code == 422
    assert browser.post(link, {"password": "short", "way": "code", "code": codes[0]}).status_code == 422
    assert recovery_codes.count_left(user=alice.user) == 8
    assert browser.post(link, {"password": NEW, "way": "code", "code": codes[0]})["Location"] == "/authz/login"
    assert recovery_codes.count_left(user=alice.user) == 7
    link = reset_link(alice)
    browser.get(link)
    assert browser.post(link, {"password": PASSWORD, "way": "code", "code": codes[0]}).status_code == 422


def test_a_link_expires_and_is_worth_nothing_after_the_address_changed(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = reset_link(alice)
    User.objects.filter(email=alice.email).update(email="moved@example.org")
    assert Client().get(link).status_code == 400
    User.objects.filter(email="moved@example.org").update(email=alice.email)
    assert Client().get(link).status_code == 200
    monkeypatch.setattr(passwords, "LINK_LIFETIME", passwords.LINK_LIFETIME * 0)
    assert Client().get(reset_link(alice)).status_code == 400


# --- a changed password -------------------------------------------------------------------------------------


def test_a_changed_password_ends_other_sessions_and_gives_this_one_a_new_id(
    alice: Person, server: Server, login_code: Any
) -> None:
    code, pkce = login_code(alice)
    token = server.redeem(code, pkce, SIGNAPP).json()["access_token"]
    phone = Person("Alice")
    phone.key = alice.key
    phone.log_in()
    before = alice.browser.cookies["paraph_authz"].value
    wrong = alice.browser.post("/authz/password", {"current": "not this", "password": NEW})
    assert wrong.status_code == 422
    done = alice.browser.post("/authz/password", {"current": PASSWORD, "password": NEW})
    assert done["Location"] == "/authz/passkeys"
    assert alice.browser.get("/authz/passkeys").status_code == 200
    assert alice.browser.cookies["paraph_authz"].value != before
    old = Client()
    old.cookies["paraph_authz"] = before
    for browser in (old, phone.browser):
        assert browser.get("/authz/passkeys").status_code == 302
    assert server.introspect(token) == {"active": False}
    assert Session.objects.filter(user=alice.user).count() == 1


def test_changing_the_password_needs_both_factors_just_now(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "/authz/login" in alice.browser.get("/authz/password")["Location"]
    alice.log_in()
    monkeypatch.setattr("authz.views.browser.RECENT_SECONDS", 0)
    before = alice.user.password
    answer = alice.browser.post("/authz/password", {"current": PASSWORD, "password": NEW})
    assert "confirm=1" in answer["Location"]
    assert alice.user.password == before


@pytest.mark.parametrize(
    ("password", "is_taken"),
    [
        ("short of 12", False),
        ("1q2w3e4r5t6y", False),
        ("123456789012345", False),
        ("alice@example.org", False),
        ("nul\0 in the middle", False),
        (" leading and trailing ", True),
        ("seven 🦢 over the canal", True),
        ("x" * 8 + "y" * 120, True),
        ("z" * 257, False),
    ],
)
def test_a_new_password_is_judged_and_kept_exactly_as_typed(alice: Person, password: str, is_taken: bool) -> None:
    alice.log_in()
    answer = alice.browser.post("/authz/password", {"current": PASSWORD, "password": password})
    assert (answer.status_code == 302) is is_taken
    user = alice.user
    assert user.check_password(password) is is_taken
    if is_taken:
        assert not user.check_password(password.strip() + "!")
        assert password == password.strip() or not user.check_password(password.strip())


# --- another address ----------------------------------------------------------------------------------------


def move(person: Person, email: str = "alice@elsewhere.example") -> tuple[str, str]:
    """The account's way to another address; the undo link and the new address."""
    addresses.trust_address(user=person.user)
    person.log_in()
    asked = person.browser.post("/authz/address/change", {"email": email, "password": PASSWORD})
    assert asked["Location"] == "/authz/passkeys"
    link = link_in_mail()
    assert mail.outbox[-1].to == [email]
    assert person.browser.get(link).status_code == 200
    assert person.user.email == person.email
    assert person.browser.post(link)["Location"] == "/authz/passkeys"
    assert mail.outbox[-1].to == [person.email]
    return link_in_mail(), email


def test_an_address_changes_by_a_link_to_the_new_one_and_is_undone_by_one_to_the_old(alice: Person) -> None:
    undo, email = move(alice)
    user = User.objects.get(email=email)
    assert user.is_email_verified
    # The old mailbox alone undoes nothing.
    stranger = Client()
    assert stranger.get(undo).status_code == 200
    assert stranger.post(undo, {"way": "code", "code": "AAAA"}).status_code == 422
    page = stranger.get(undo)
    answer = alice.key.get(block(page)[0]["options"])
    assert stranger.post(undo, {"response": json.dumps(answer)})["Location"] == "/authz/login"
    assert alice.user.is_email_verified
    assert alice.browser.get("/authz/passkeys").status_code == 302
    assert Client().get(undo).status_code == 400
    assert {"address-changed", "address-restored"} <= set(kinds(alice.user))


def test_an_undo_link_expires(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authz.services.address_changes.UNDO_LIFETIME", passwords.LINK_LIFETIME * 0)
    undo, _email = move(alice)
    assert Client().get(undo).status_code == 400


def test_a_taken_address_is_answered_alike_and_never_given(alice: Person, bob: Person) -> None:
    alice.log_in()
    form = {"email": bob.email, "password": PASSWORD}
    assert alice.browser.post("/authz/address/change", form)["Location"] == "/authz/passkeys"
    link = link_in_mail()
    assert alice.browser.post(link).status_code == 400
    assert alice.user.email == alice.email
    assert bob.user.email == bob.email


def test_a_link_to_a_new_address_is_its_own_accounts(alice: Person, mallory: Person) -> None:
    alice.log_in()
    alice.browser.post("/authz/address/change", {"email": "alice@elsewhere.example", "password": PASSWORD})
    link = link_in_mail()
    mallory.log_in()
    assert mallory.browser.get(link).status_code == 400
    assert mallory.browser.post(link).status_code == 400
    assert AddressChange.objects.get().confirmed is None
    wrong = alice.browser.post("/authz/address/change", {"email": "x@elsewhere.example", "password": "not this"})
    assert wrong.status_code == 422


# --- what the owner is told ---------------------------------------------------------------------------------


def test_the_owner_is_mailed_once_and_only_at_a_verified_address(alice: Person) -> None:
    events.record_event(user=alice.user, kind=Kind.PASSKEY_ADDED, visitor=HERE, detail="Blue key")
    assert events.tell_of_events() == 1
    assert mail.outbox == []
    addresses.trust_address(user=alice.user)
    events.record_event(user=alice.user, kind=Kind.NEW_DEVICE, visitor=HERE)
    events.record_event(user=alice.user, kind=Kind.LOGIN, visitor=HERE)
    assert events.tell_of_events() == 1
    assert events.tell_of_events() == 0
    assert len(mail.outbox) == 1
    assert mail.outbox[0].to == [alice.email]
    assert "Logged in on a new device" in str(mail.outbox[0].body)


@pytest.mark.parametrize("kind", events.MAILED)
def test_whatever_changes_who_gets_in_is_mailed(alice: Person, kind: Any) -> None:
    events.record_event(user=alice.user, kind=kind, visitor=HERE)
    assert mailed_of(alice) == [str(kind.label)]


def test_a_second_device_is_new_once_and_listed(alice: Person) -> None:
    alice.log_in()
    alice.browser.post("/authz/logout")
    alice.log_in()
    phone = Person("Alice")
    phone.key = alice.key
    phone.log_in()
    assert sorted(kinds(alice.user)) == ["login", "login", "new-device"]
    assert mailed_of(alice) == ["Logged in on a new device"]
    page = alice.browser.get("/authz/sessions").content.decode()
    assert "Logged in on a new device" in page
    assert "What happened to your account" in page

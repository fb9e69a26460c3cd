"""Yardstick E9 at the sign-up: it begins at a link in a mail, and who asks is told nothing of anybody's account."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.utils import timezone

from authz import tasks
from authz.models import SignUpLink, User
from authz.services import throttling
from tests.authz.conftest import PASSWORD, Person, block


@pytest.fixture(autouse=True)
def _by_link(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SIGN_UP_BY_LINK = True
    monkeypatch.setattr(tasks.send_sign_up_link, "delay", tasks.send_sign_up_link)


def ask(person: Person, next_path: str = "") -> Any:
    return person.browser.post(f"/authz/signup?next={next_path}", {"email": person.email})


def link_in_mail() -> str:
    match = re.search(r"http\S+", str(mail.outbox[-1].body))
    assert match
    return match[0].removeprefix(django_settings.AUTHZ_URL)


def open_link(person: Person, link: str) -> Any:
    return person.browser.post(link, {"name": person.name, "password": PASSWORD})


def enrol(person: Person) -> Any:
    page = person.browser.get("/authz/signup/passkey")
    made = person.key.create(block(page)[0]["options"])
    return person.browser.post("/authz/signup/passkey", {"response": json.dumps(made), "name": "Phone"})


def test_who_asks_learns_nothing_and_the_owner_is_told(alice: Person) -> None:
    pages = {}
    for person in (Person("Alice"), Person("Carol")):
        answer = ask(person)
        told = re.sub(r'value="[^"]*"', "", answer.content.decode().replace(person.email, "ADDRESS"))
        pages[person.name] = (answer.status_code, told, sorted(answer.headers), set(answer.cookies))
    assert pages["Alice Example"] == pages["Carol Example"]
    assert [message.to for message in mail.outbox] == [["alice@example.org"], ["carol@example.org"]]
    known, new = (str(message.body) for message in mail.outbox)
    assert "You have one already" in known
    assert f"{django_settings.ISSUER}/login" in known
    assert "signup" not in known
    assert "/authz/signup/" in new
    assert "Alice" not in new
    assert SignUpLink.objects.count() == 1
    assert User.objects.count() == 1


def test_a_link_leads_to_an_account_whose_address_is_verified() -> None:
    carol = Person("Carol")
    ask(carol, "/authz/sessions")
    link = link_in_mail()
    page = carol.browser.get(link)
    assert carol.email in page.content.decode()
    assert link.rpartition("/")[2] not in json.dumps(list(SignUpLink.objects.values("checksum")))
    assert open_link(carol, link)["Location"] == "/authz/signup/passkey"
    assert not User.objects.exists()
    assert enrol(carol)["Location"] == "/authz/sessions"
    assert carol.user.is_email_verified
    assert len(mail.outbox) == 1, "there is nothing left to confirm"
    # Once.
    for again in (carol, Person("Mallory")):
        assert again.browser.get(link).status_code == 400
        assert open_link(again, link).status_code == 400


def test_in_another_browser_it_leads_to_the_account_and_to_nobody_s_request() -> None:
    carol, elsewhere = Person("Carol"), Person("Carol")
    ask(carol, "/authz/sessions")
    open_link(elsewhere, link_in_mail())
    assert enrol(elsewhere)["Location"] == "/authz/passkeys"
    assert carol.browser.get("/authz/passkeys").status_code == 302


@pytest.mark.parametrize("spoil", ["expired", "used", "unknown"])
def test_a_link_that_is_none_makes_no_account(spoil: str) -> None:
    carol = Person("Carol")
    ask(carol)
    link = link_in_mail()
    if spoil == "unknown":
        link = link[:-1] + ("A" if link[-1] != "A" else "B")
    else:
        column = {"expired": "expires", "used": "used"}[spoil]
        SignUpLink.objects.update(**{column: timezone.now() - timedelta(seconds=1)})
    assert carol.browser.get(link).status_code == 400
    assert open_link(carol, link).status_code == 400
    assert carol.browser.get("/authz/signup/passkey").status_code == 302
    assert not User.objects.exists()


def test_a_link_that_ends_during_the_ceremony_makes_none_either() -> None:
    carol, twin = Person("Carol"), Person("Carol")
    ask(carol)
    for person in (carol, twin):
        open_link(person, link_in_mail())
    SignUpLink.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert enrol(carol).status_code == 400
    assert not User.objects.exists()
    SignUpLink.objects.update(expires=timezone.now() + timedelta(hours=1))
    third = Person("Carol")
    open_link(third, link_in_mail())
    assert enrol(twin).status_code == 302
    # Of two that came by one link the first has the account; the other reads that address's mail too.
    assert enrol(third).status_code == 400
    assert User.objects.count() == 1


def test_the_form_takes_no_other_address_than_the_link_s() -> None:
    carol = Person("Carol")
    ask(carol)
    form = {"name": "Carol Example", "password": PASSWORD, "email": "victim@example.org"}
    carol.browser.post(link_in_mail(), form)
    enrol(carol)
    assert [user.email for user in User.objects.all()] == [carol.email]


@pytest.mark.parametrize(
    "form", [{"password": "short"}, {"password": "carol@example.org"}, {"name": ""}, {"name": "a\nb"}]
)
def test_what_the_form_refuses_keeps_the_link(form: dict[str, str]) -> None:
    carol = Person("Carol")
    ask(carol)
    right = {"name": carol.name, "password": PASSWORD}
    assert carol.browser.post(link_in_mail(), right | form).status_code == 422
    assert open_link(carol, link_in_mail()).status_code == 302


def test_nobody_s_mailbox_is_flooded(alice: Person) -> None:
    for person in (alice, Person("Carol")):
        mail.outbox.clear()
        answers = {ask(person).status_code for _ in range(5)}
        assert (answers, len(mail.outbox)) == ({200}, 3)


def test_asking_is_throttled_by_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttling, "SIGN_UP_AT_ADDRESS", throttling.Limit("sign-up", 3))
    monkeypatch.setattr(tasks.send_sign_up_link, "delay", lambda *_: None)
    answers = [ask(Person(f"P{number}")).status_code for number in range(5)]
    assert answers == [200] * 3 + [429] * 2


@pytest.mark.parametrize("email", ["", "no-address", "a@b"])
def test_an_address_that_is_none_is_refused(email: str) -> None:
    carol = Person("Carol")
    carol.email = email
    assert ask(carol).status_code == 422
    assert not mail.outbox


def test_a_closed_account_is_told_nothing(alice: Person) -> None:
    User.objects.update(is_active=False)
    assert ask(Person("Alice")).status_code == 200
    assert not mail.outbox
    assert not SignUpLink.objects.exists()

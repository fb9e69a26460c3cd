"""Direct links: anybody may ask for an envelope of a template, and gets nothing but an invitation to their address."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from signapp.models import DirectLink, DirectLinkUse, Envelope, Recipient
from signapp.services.envelopes import direct_links, notices
from tests.signapp.test_pages import browser_of, envelope_of

pytestmark = pytest.mark.django_db(databases=["default", "signapp"])


@pytest.fixture
def template() -> Envelope:
    made = envelope_of("alice", state="template", sender_name="Alice", sender_email="alice@example.test")
    made.recipients.update(email="", name="Tenant", state="waiting")
    return made


def link_of(template: Envelope, **values: Any) -> DirectLink:
    response = browser_of("alice").post(f"/templates/{template.pk}/link", {"days": 30, "most_uses": 100})
    assert response.status_code == 302
    DirectLink.objects.filter(template=template).update(**(values or {"most_uses": 100}))
    return DirectLink.objects.get(template=template)


def ask(link: DirectLink, name: str = "Bob", email: str = "bob@example.test") -> Any:
    return Client().post(f"/start/{link.secret}", {"name": name, "email": email})


def made_of(link: DirectLink) -> list[Envelope]:
    return [use.envelope for use in link.uses.order_by("pk") if use.envelope]


def test_whoever_asks_is_mailed_an_invitation_to_an_envelope_of_their_own(template: Envelope) -> None:
    link = link_of(template)
    page = Client().get(f"/start/{link.secret}").content.decode()
    assert "Lease of the boathouse" in page
    assert "Alice asks whoever opens this link" in page
    assert "alice@example.test" not in page
    answered = ask(link)
    assert answered["Location"] == f"/start/{link.secret}/sent"
    assert "Look at your mail" in Client().get(answered["Location"]).content.decode()
    (envelope,) = made_of(link)
    assert (envelope.state, envelope.subject, envelope.title) == ("sent", "alice", "Lease of the boathouse")
    person = envelope.recipients.get()
    assert (person.name, person.email, person.state, person.subject) == ("Bob", "bob@example.test", "active", "")
    assert envelope.documents.get().original_id == template.documents.get().original_id
    notices.send_notices()
    assert [message.to for message in mail.outbox] == [["bob@example.test"]]
    assert "/invitations/" in str(mail.outbox[0].body)
    template.refresh_from_db()
    assert template.state == "template"
    assert template.recipients.get().email == ""


def test_who_asks_again_has_one_envelope_and_is_answered_alike(template: Envelope) -> None:
    link = link_of(template)
    first, second = ask(link), ask(link, name="Robert", email="BOB@example.test")
    assert (first.status_code, first["Location"]) == (second.status_code, second["Location"])
    assert len(made_of(link)) == 1
    (envelope,) = made_of(link)
    assert envelope.notices.count() == 1
    envelope.notices.update(created=timezone.now() - timedelta(minutes=11))
    ask(link)
    assert envelope.notices.count() == 2
    Recipient.objects.filter(envelope=envelope).update(subject="bob")
    envelope.notices.update(created=timezone.now() - timedelta(minutes=11))
    ask(link)
    assert envelope.notices.count() == 2
    Envelope.objects.filter(pk=envelope.pk).update(state="completed")
    ask(link)
    assert len(made_of(link)) == 2


def test_a_link_is_over_after_its_days_and_after_its_people(template: Envelope) -> None:
    link = link_of(template, most_uses=1)
    ask(link)
    for response in (ask(link, email="carol@example.test"), Client().get(f"/start/{link.secret}")):
        assert response.status_code == 410
        assert "direct_link_over" in response.content.decode()
    link = link_of(template, expires_at=timezone.now())
    assert ask(link).status_code == 410
    assert made_of(link) == []
    assert "This link is over" in browser_of("alice").get(f"/templates/{template.pk}/link").content.decode()


def test_a_link_that_was_switched_off_or_replaced_opens_nothing(template: Envelope) -> None:
    former = link_of(template)
    link = link_of(template)
    assert former.secret != link.secret
    assert Client().get(f"/start/{former.secret}").status_code == 404
    ask(link)
    (envelope,) = made_of(link)
    assert browser_of("alice").post(f"/templates/{template.pk}/link/delete").status_code == 302
    assert ask(link).status_code == 404
    envelope.refresh_from_db()
    assert envelope.state == "sent"
    link = link_of(template)
    browser_of("alice").post(f"/templates/{template.pk}/delete")
    assert ask(link).status_code == 404
    assert not DirectLinkUse.objects.exists()


def test_so_many_in_an_hour_and_no_more(template: Envelope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct_links, "MOST_AN_HOUR", 2)
    link = link_of(template)
    assert [ask(link, email=f"p{number}@example.test").status_code for number in range(3)] == [302, 302, 429]
    assert len(made_of(link)) == 2
    link.uses.update(created=timezone.now() - timedelta(minutes=61))
    assert ask(link, email="p2@example.test").status_code == 302


@pytest.mark.parametrize(
    "bent",
    [
        {"name": ""},
        {"name": "x" * 121},
        {"name": "Bob\u202e"},
        {"name": "Bob\nAlice"},
        {"email": ""},
        {"email": "bob"},
        {"email": "bob@example.test\nBcc: carol@example.test"},
        {"email": f"{'x' * 250}@example.test"},
    ],
)
def test_who_says_nobody_is_sent_nothing(template: Envelope, bent: dict[str, str]) -> None:
    link = link_of(template)
    response = ask(link, **bent)
    assert response.status_code == 422
    assert made_of(link) == []


@pytest.mark.parametrize("bent", [{"days": 0}, {"days": 366}, {"days": "x"}, {"most_uses": 0}, {"most_uses": 10_001}])
def test_a_link_without_bounds_is_not_made(template: Envelope, bent: dict[str, object]) -> None:
    asked = {"days": 30, "most_uses": 100} | bent
    assert browser_of("alice").post(f"/templates/{template.pk}/link", asked).status_code == 422
    assert not DirectLink.objects.exists()


@pytest.mark.parametrize("roles", [["signer", "signer"], ["approver"], ["copy", "signer"]])
def test_only_a_template_with_one_signer_has_a_link(template: Envelope, roles: list[str]) -> None:
    template.recipients.all().delete()
    for role in roles:
        Recipient.objects.create(envelope=template, name=role, role=role)
    response = browser_of("alice").post(f"/templates/{template.pk}/link", {"days": 30, "most_uses": 100})
    assert response.status_code == 409
    assert not DirectLink.objects.exists()
    assert f"/templates/{template.pk}/link" not in browser_of("alice").get("/templates").content.decode()


@pytest.mark.parametrize("path", ["link", "link/delete"])
def test_a_stranger_neither_makes_nor_ends_it(template: Envelope, path: str) -> None:
    link = link_of(template)
    asked = {"days": 1, "most_uses": 1}
    assert browser_of("bob").post(f"/templates/{template.pk}/{path}", asked).status_code == 404
    assert DirectLink.objects.get().secret == link.secret
    assert browser_of("bob").get(f"/templates/{template.pk}/link").status_code == 404


@pytest.mark.parametrize("secret", ["x", "x" * 43, "%00", "é", "x" * 3000])
def test_what_is_no_link_says_so(secret: str) -> None:
    for response in (Client().get(f"/start/{secret}"), Client().post(f"/start/{secret}", {"name": "B"})):
        assert response.status_code == 404


def test_who_is_logged_in_need_not_say_it_again(template: Envelope) -> None:
    link = link_of(template)
    assert 'value="bob@' in browser_of("bob").get(f"/start/{link.secret}").content.decode()


def test_a_forged_form_sends_nothing(template: Envelope) -> None:
    link = link_of(template)
    forged = Client(enforce_csrf_checks=True)
    assert forged.post(f"/start/{link.secret}", {"name": "Bob", "email": "bob@example.test"}).status_code == 403
    assert made_of(link) == []

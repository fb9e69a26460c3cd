"""Mails in their reader's language: what a worker writes, whatever the language of who caused it."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from django.utils import timezone, translation

from signapp.models import Envelope, Notice, Reader, Recipient
from signapp.services import readers
from signapp.tasks import build_exports, send_notices, tend_envelopes, tend_retention
from tests.signapp.test_pages import _this_role_alone, browser_of, envelope_of  # noqa: F401  (a fixture)
from tests.signapp.test_retention import Clock, _folder, clock  # noqa: F401  (fixtures)

pytestmark = [
    pytest.mark.django_db(databases=["default", "signapp"]),
    pytest.mark.usefixtures("compiled_messages"),
]


def reads(subject: str, language: str) -> Client:
    """Somebody's browser, which asks for this language, on a page of theirs."""
    browser = browser_of(subject, headers={"accept-language": language})
    assert browser.get("/documents").status_code == 200
    return browser


def sent(subject: str = "", *, sender: str = "alice") -> Envelope:
    """``sender`` asks Carol, whose account is ``subject`` if she has one."""
    values = {"sender_name": sender.title(), "sender_email": f"{sender}@example.test", "sent_at": timezone.now()}
    envelope = envelope_of(sender, state="sent", **values)
    known = {"issuer": envelope.issuer, "subject": subject} if subject else {}
    Recipient.objects.filter(envelope=envelope).update(asked_at=timezone.now(), **known)
    return envelope


def ask(envelope: Envelope, kind: Notice.Kind = Notice.Kind.INVITATION) -> EmailMultiAlternatives:
    Notice.objects.create(envelope=envelope, recipient=envelope.recipients.get(), kind=kind)
    return written()


def written() -> EmailMultiAlternatives:
    """The one mail that is sent now, by a worker, which knows no browser."""
    mail.outbox.clear()
    with translation.override("en"):
        send_notices()
        assert translation.get_language() == "en", "what the worker does next is in its own"
    [letter] = mail.outbox
    assert isinstance(letter, EmailMultiAlternatives)
    return letter


def html_of(letter: EmailMultiAlternatives) -> str:
    return str(letter.alternatives[0][0])


def test_subject_text_and_html_are_in_the_account_s_language() -> None:
    reads("alice", "en")
    reads("carol", "fr")
    letter = ask(sent("carol"))
    assert letter.subject == "Alice vous demande de signer «\xa0Lease of the boathouse\xa0»."
    assert str(letter.body).startswith("Bonjour Carol,\n")
    assert "Lire et signer\xa0:\n" in str(letter.body)
    assert '<html lang="fr">' in html_of(letter)
    assert "Si le bouton ne fait rien, ouvrez cette adresse\xa0:" in html_of(letter)
    assert "Hello" not in str(letter.body) + html_of(letter)


def test_who_has_no_account_is_written_to_in_the_sender_s_language() -> None:
    reads("alice", "fr")
    assert "vous demande de signer" in str(ask(sent()).subject)
    reads("bob", "en")
    assert "asks you to sign" in str(ask(sent(sender="bob")).subject)


def test_the_same_event_is_told_to_each_in_their_own() -> None:
    reads("alice", "fr")
    reads("carol", "en")
    envelope = sent("carol")
    for recipient in (None, envelope.recipients.get()):
        Notice.objects.create(envelope=envelope, recipient=recipient, kind=Notice.Kind.EXPIRED)
    send_notices()
    told = {letter.to[0]: str(letter.subject) for letter in mail.outbox}
    assert "a expiré" in told["alice@example.test"]
    assert "has expired" in told["carol@example.test"]


def test_a_reminder_that_the_clock_sends_is_in_it_too(settings: Any) -> None:
    settings.REMINDER_DAYS = 3
    reads("carol", "fr")
    envelope = sent("carol")
    long_ago = timezone.now() - timedelta(days=4)
    Recipient.objects.filter(envelope=envelope).update(asked_at=long_ago)
    Envelope.objects.filter(pk=envelope.pk).update(expires_at=timezone.now() + timedelta(days=4))
    with translation.override("en"):
        tend_envelopes()
    [letter] = mail.outbox
    assert str(letter.subject).startswith("Rappel")


def test_a_language_that_is_chosen_counts_from_the_next_page_on() -> None:
    browser = reads("carol", "en")
    browser.cookies[django_settings.LANGUAGE_COOKIE_NAME] = "fr"
    assert "asks you" in str(ask(sent("carol")).subject)
    browser.get("/documents")
    assert "vous demande" in str(ask(sent("carol")).subject)


def test_an_export_and_a_departure_are_told_in_it(clock: Clock) -> None:  # noqa: F811
    browser = reads("carol", "fr")
    browser.post("/account/export/make")
    build_exports()
    browser.post("/account/leave")
    tend_retention()
    clock(days=15)
    with translation.override("en"):
        tend_retention()
    assert [str(letter.subject)[:5] for letter in mail.outbox] == ["Votre"] * 3
    assert not Reader.objects.exists(), "an account that is gone has no language"


@pytest.mark.parametrize(
    ("kept", "spoken"),
    [("xx", "en"), ("de", "en"), ("", "en"), ("../fr", "en"), ("fr-ca", "fr"), ("x" * 16, "en")],
)
def test_a_language_that_is_none_of_ours_is_not_spoken(kept: str, spoken: str) -> None:
    """One that an installation has given up, or what got into the table by hand."""
    Reader.objects.create(issuer=django_settings.ISSUER, subject="carol", language=kept)
    assert f'<html lang="{spoken}">' in html_of(ask(sent("carol")))


def test_only_one_s_own_reading_says_in_which_language_one_is_written_to() -> None:
    """Neither somebody else's page nor one without a login, and the same again is not written again."""
    reads("carol", "fr")
    mallory = browser_of("mallory", headers={"accept-language": "en"})
    mallory.get(f"/envelopes/{sent('carol').pk}")
    Client(headers={"accept-language": "en"}).get("/invitations/" + "x" * 43)
    assert readers.find_language(issuer=django_settings.ISSUER, subject="carol") == "fr"
    assert readers.find_language(issuer="https://elsewhere.test", subject="carol") == "en"
    assert readers.find_language(issuer=django_settings.ISSUER, subject="") == "en"


def test_a_page_writes_it_down_once() -> None:
    browser = reads("carol", "fr")
    Reader.objects.all().delete()
    browser.get("/documents")
    assert not Reader.objects.exists()

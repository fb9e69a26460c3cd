"""Mails as a mail program gets them: two shapes with the same words, the operator's name and logo, and no answers by
machines."""

import email
import hashlib
import io
import re
from datetime import timedelta
from email import policy
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone
from PIL import Image

from authz.models import SecurityEvent, User
from authz.services import mails
from config.logo import draw_logo
from config.models import Appearance

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script> & Söhne"


def received() -> Any:
    """The last one, as its bytes are read by Python's own parser."""
    return email.message_from_bytes(mail.outbox[-1].message().as_bytes(), policy=policy.default)


def parts(message: Any) -> tuple[str, str]:
    return (message.get_body(("plain",)).get_content(), message.get_body(("html",)).get_content())


@pytest.fixture
def user() -> User:
    return User.objects.create_user("alice@example.org", None, name=HOSTILE, verified_email="alice@example.org")


def send_all(user: User) -> list[Any]:
    """One of each kind, but for the approval that waits, which needs a client."""
    soon = {"secret": "s" * 43, "expires": timezone.now() + timedelta(hours=1)}
    change: Any = type("Change", (), {"old_email": "old@example.org"})
    event = SecurityEvent.objects.create(
        user=user, kind=SecurityEvent.Kind.PASSKEY_ADDED, browser_name="Firefox, Linux"
    )
    sent = [
        lambda: mails.tell_of_link(user=user, **soon),
        lambda: mails.tell_of_password_link(user=user, **soon),
        lambda: mails.tell_of_sign_up_link(email="new@example.org", language="", **soon),
        lambda: mails.tell_of_sign_up(user=user),
        lambda: mails.tell_of_address_change(user=user, email="next@example.org", **soon),
        lambda: mails.tell_of_changed_address(user=user, change=change, **soon),
        lambda: mails.tell_of_event(event=event),
    ]
    letters = []
    for send in sent:
        assert send()
        letters.append(received())
    return letters


def test_each_has_text_and_html_with_the_same_link_and_no_script(user: User) -> None:
    letters = send_all(user)
    assert len({str(letter["Subject"]) for letter in letters}) == len(letters)
    for letter in letters:
        text, html = parts(letter)
        links = set(re.findall(r"http\S+/authz/\S+", text))
        assert links == set(re.findall(r'href="(http[^"]+)"', html))
        assert len(links) == 1
        assert "<script>" not in html
        assert "http" not in re.sub(r'(href="[^"]*"|>http[^<]*<)', "", html), "nothing is fetched when it is opened"
        assert (letter["Auto-Submitted"], letter["List-Unsubscribe"]) == ("auto-generated", None)
        assert letter["From"].addresses[0].display_name == "Paraph"
        if str(letter["To"]) != "new@example.org":
            assert HOSTILE in text
            assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; Söhne" in html


def test_the_operators_name_colour_and_logo_come_along(user: User) -> None:
    out = io.BytesIO()
    Image.new("RGB", (300, 90), "#0b6b4f").save(out, "PNG")
    logo, icon = draw_logo(out.getvalue())
    checksum = hashlib.sha256(logo).hexdigest()
    Appearance.objects.create(pk=1, name="Acme Sign", accent="#0b6b4f", logo=logo, icon=icon, checksum=checksum)
    mails.tell_of_sign_up(user=user)
    letter = received()
    text, html = parts(letter)
    assert letter["From"].addresses[0].display_name == "Acme Sign"
    assert "Paraph" not in text + html
    assert "background:#0b6b4f" in html
    assert 'src="cid:logo"' in html
    assert letter.get_content_type() == "multipart/related"
    [picture] = [part for part in letter.walk() if part.get_content_type() == "image/png"]
    assert (picture["Content-ID"], picture.get_content()) == ("<logo>", logo)

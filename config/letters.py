"""How every role writes to people: HTML and text with the same words, under the product's name.

A role asks for it by settings.LETTERS, because roles do not import the composition.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from email.mime.image import MIMEImage
from email.utils import formataddr, parseaddr
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.template.loader import render_to_string

from config.appearance import read_product

log = logging.getLogger(__name__)

_ACCENT = "#23408e"  # the stylesheet's own
# RFC 3834, section 5: whoever answers by a machine does not answer this. Nothing here goes to a list of people, so
# there is no List-Id and nothing to unsubscribe from.
_HEADERS = {"Auto-Submitted": "auto-generated"}


def send_letter(
    *,
    to: str,
    subject: str,
    name: str = "",
    before: Sequence[object] = (),
    quotes: Sequence[str] = (),
    ask: Sequence[object] = (),
    action: str = "",
    link: str = "",
    after: Sequence[object] = (),
    reply_to: str = "",
    connection: BaseEmailBackend | None = None,
) -> bool:
    """Whether it was taken, by ``connection`` if there is one that is kept open. What cannot be sent is logged, without
    whom it was for. The words stand in this order: ``before``, what somebody wrote (``quotes``), ``ask``, the link as
    ``action``, ``after``."""
    product = read_product()
    logo = product.logo
    words = {
        "subject": subject,
        "name": name,
        "before": before,
        "quotes": quotes,
        "ask": ask,
        "action": action,
        "link": link,
        "after": after,
        "product": product.name,
        "accent": product.accent or _ACCENT,
        "has_logo": bool(logo),
    }
    own_name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    message = EmailMultiAlternatives(
        subject,
        render_to_string("mail/message.txt", words),
        formataddr((own_name or product.name, address)),
        [to],
        reply_to=[reply_to] if reply_to else None,
        headers=_HEADERS,
        connection=connection,
    )
    message.attach_alternative(render_to_string("mail/message.html", words), "text/html")
    if logo:
        # With the message, so that opening it tells nobody anything.
        picture = MIMEImage(logo, "png")
        picture.add_header("Content-ID", "<logo>")
        picture.add_header("Content-Disposition", "inline", filename="logo.png")
        message.mixed_subtype = "related"  # type: ignore[attr-defined]  # Django has it, its stubs do not
        message.attach(picture)
    try:
        message.send()
    except (OSError, SMTPException) as error:
        if connection is not None:
            with suppress(OSError, SMTPException):
                connection.close()  # the next one opens another
        log.error("a message was not sent: %s", type(error).__name__)
        return False
    return True

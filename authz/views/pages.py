"""Rendering: what every page of this role has, and text that was written by others."""

import unicodedata
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from authz.models import User
from authz.services.languages import remember_language

_KEY_ALGORITHMS = {
    "rsa-2048": "RSA 2048",
    "rsa-3072": "RSA 3072",
    "rsa-4096": "RSA 4096",
    "ec-p256": "ECDSA P-256",
    "ec-p384": "ECDSA P-384",
}


_REVOCATION_REASONS = {
    "unspecified": gettext_lazy("no reason is told"),
    "keyCompromise": gettext_lazy("somebody else may have used it"),
    "affiliationChanged": gettext_lazy("name or affiliation changed"),
    "superseded": gettext_lazy("replaced by another one"),
    "cessationOfOperation": gettext_lazy("no longer needed"),
}


def render_page(
    request: HttpRequest, template: str, context: dict[str, Any] | None = None, status: HTTPStatus = HTTPStatus.OK
) -> HttpResponse:
    """The page, with where the wordmark leads and, on the account's pages, the navigation that signapp has too."""
    shared: dict[str, Any] = {"home_url": f"{settings.SIGNAPP_URL}/"}
    if section := (context or {}).get("section"):
        if isinstance(request.user, User):
            remember_language(user=request.user, language=get_language())
        shared["nav_items"] = [
            {
                "href": f"{settings.SIGNAPP_URL}/documents",
                "label": _("Documents"),
                "icon": "documents",
                "current": False,
            },
            {"href": f"{settings.SIGNAPP_URL}/account", "label": _("Account"), "icon": "person", "current": False},
            {
                "href": reverse("authz:approvals"),
                "label": _("Approvals"),
                "icon": "sign",
                "current": section == "approvals",
            },
            {
                "href": reverse("authz:passkeys"),
                "label": _("Passkeys"),
                "icon": "passkey",
                "current": section == "passkeys",
            },
            {
                "href": reverse("authz:sessions"),
                "label": _("Sessions"),
                "icon": "device",
                "current": section == "sessions",
            },
        ]
    return render(request, template, {**shared, **(context or {})}, status=status)


def visible_text(text: str) -> str:
    """Text from elsewhere, without characters that hide or turn round what stands beside them."""
    return "".join("\ufffd" if unicodedata.category(char) in {"Cc", "Cf"} else char for char in text)


def key_algorithm_name(algorithm: str) -> str:
    """How the kind of key is called on a page."""
    return _KEY_ALGORITHMS.get(algorithm, algorithm)


def revocation_reason_name(reason: str) -> str:
    """How a reason of the API is called on a page; nothing for none."""
    return str(_REVOCATION_REASONS.get(reason, reason))

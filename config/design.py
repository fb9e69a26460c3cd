"""The living page: every frame and component in every state, light and dark. Development only.

Its words are samples and stay untranslated.
"""

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

_FINGERPRINT = "9F2C 41D7 08B3 E65A 7710 C4FE 2B96 A8D1"
_SWATCHES = "paper raised sunk desk ink ink-soft edge line accent accent-fill accent-soft green amber red"
_ICONS = (
    "check success info warning danger neutral close plus minus fit arrow-left arrow-right chevron-up chevron-down "
    "chevron-right document documents sign upload download passkey key certificate fingerprint lock shield person "
    "people mail device clock refresh log-out settings home search copy trash eye eye-off external more"
)
_STEPS = [
    {"label": "Create your account", "state": "done"},
    {
        "label": "Add a passkey",
        "state": "current",
        "note": "Your device's own lock: a fingerprint, your face or its PIN.",
        "href": "#",
        "action": "Add a passkey",
        "icon": "passkey",
    },
    {"label": "Get your certificate", "state": "todo", "note": "It names you in every signature."},
    {"label": "Sign your first document", "state": "todo"},
]
_COLUMNS = ["Document", "State", "Signed", ""]
_ROWS = [
    [
        {"text": "Lease for the house by the canal.pdf", "href": "#", "note": "3 pages · 48 kB"},
        {"text": "Signed", "badge": True, "kind": "success", "column": "State"},
        {"text": "24 November 2026, 10:42 UTC", "column": "Signed"},
        {"text": "Download", "href": "#", "button": True, "end": True},
    ],
    [
        {"text": "Minutes.pdf", "href": "#", "note": "1 page · 12 kB"},
        {"text": "Being signed", "badge": True, "kind": "info", "icon": "clock", "column": "State"},
        {"text": "–", "column": "Signed"},
        {"text": "Follow", "href": "#", "button": True, "end": True},
    ],
    [
        {"text": "Offer 2026-118.pdf", "href": "#", "note": "14 pages · 1.2 MB"},
        {"text": "Not signed", "badge": True, "kind": "warning", "column": "State"},
        {"text": "–", "column": "Signed"},
        {"text": "Read and sign", "href": "#", "button": True, "end": True},
    ],
]


class SampleForm(forms.Form):
    """One field of each kind."""

    email = forms.EmailField(label="E-mail address", help_text="We write to it when something of yours is signed.")
    password = forms.CharField(label="Password", widget=forms.PasswordInput, min_length=12)
    company = forms.CharField(label="Company", required=False)
    key = forms.ChoiceField(label="Kind of key", choices=[("rsa", "RSA, 2048 bits"), ("ec", "Elliptic curve, P-256")])
    reason = forms.CharField(label="Reason", required=False, widget=forms.Textarea)
    copy = forms.ChoiceField(
        label="Who gets a copy", choices=[("me", "Only me"), ("all", "Everyone who signs")], widget=forms.RadioSelect
    )
    terms = forms.BooleanField(label="I have read the whole document")


class SampleFileForm(forms.Form):
    document = forms.FileField(label="Document", widget=forms.FileInput(attrs={"accept": "application/pdf,.pdf"}))


def _theme(name: str) -> dict[str, Any]:
    """What one half of the page shows; its ids begin with the theme's name."""
    ids = f"{name}-%s"
    wrong = SampleForm({"email": "alice@", "password": "short", "key": "rsa"}, auto_id=f"{name}-wrong-%s")
    wrong_file = SampleFileForm(auto_id=f"{name}-wrong-%s")
    wrong_file.errors["document"] = wrong_file.error_class(
        ["This is not a PDF. Save it as PDF first, then choose it again."], field_id=f"{name}-wrong-document"
    )
    return {
        "name": name,
        "form": SampleForm(auto_id=ids),
        "wrong": wrong,
        "file": SampleFileForm(auto_id=ids),
        "wrong_file": wrong_file,
    }


def components(request: HttpRequest) -> HttpResponse:
    """``/design/``: both themes, or one with ``?theme=light``."""
    wanted = [request.GET["theme"]] if request.GET.get("theme") in {"light", "dark"} else ["light", "dark"]
    context = {
        "themes": [_theme(name) for name in wanted],
        "swatches": _SWATCHES.split(),
        "icons": _ICONS.split(),
        "steps": _STEPS,
        "columns": _COLUMNS,
        "rows": _ROWS,
        "fingerprint": _FINGERPRINT,
    }
    return render(request, "design/components.html", context)


def frame(request: HttpRequest, name: str) -> HttpResponse:
    """``/design/card``, ``/design/workspace``, ``/design/reader``: a frame with sample content."""
    if name not in {"card", "workspace", "reader"}:
        raise Http404
    context = {
        "form": SampleForm(),
        "fingerprint": _FINGERPRINT,
        "columns": _COLUMNS,
        "rows": _ROWS,
        "nav_items": [
            {"href": "#", "label": "Documents", "icon": "documents", "current": True},
            {"href": "#", "label": "Upload", "icon": "upload"},
            {"href": "#", "label": "Account", "icon": "person"},
        ],
    }
    if name == "reader":
        del context["nav_items"]
    return render(request, f"design/{name}.html", context)


handler404 = "config.views.not_found"
urlpatterns = [path("design/", components), path("design/<slug:name>", frame)]

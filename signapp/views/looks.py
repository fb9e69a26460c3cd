"""What somebody's signature looks like: drawn, typed or uploaded, kept with the account."""

import json
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from signapp import errors
from signapp.error_responses import explain
from signapp.forms import LookForm
from signapp.models import Look
from signapp.services import looks
from signapp.views.pages import Signer, logged_in, render_page
from signapp.views.wording import visible_text
from signapp.wire import clean_path

# As the packages divide each hand (CSS Fonts 4, unicode-range).
_RANGES = {
    "latin": "U+0000-00FF,U+0131,U+0152-0153,U+02BB-02BC,U+02C6,U+02DA,U+02DC,U+0304,U+0308,U+0329,U+2000-206F,U+20AC,"
    "U+2122,U+2212",
    "latin-ext": "U+0100-02BA,U+1D00-1DBF,U+1E00-1E9F,U+1EF2-1EFF,U+20A0-20AB,U+20AD-20C0,U+2C60-2C7F,U+A720-A7FF",
    "cyrillic": "U+0301,U+0400-045F,U+0490-0491,U+04B0-04B1,U+2116",
    "cyrillic-ext": "U+0460-052F,U+1C80-1C8A,U+20B4,U+2DE0-2DFF,U+A640-A69F,U+FE2E-FE2F",
}
_HANDS = {"Caveat": "caveat", "Great Vibes": "great-vibes"}
_LOOK_KINDS = {kind.value for kind in Look.Kind}


def _hands() -> dict[str, list[dict[str, str]]]:
    return {
        name: [
            {"url": static(f"vendor/fonts/{file}-{subset}-400-normal.woff2"), "range": characters}
            for subset, characters in _RANGES.items()
        ]
        for name, file in _HANDS.items()
    }


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in
def signature(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    """Both looks; posted, one of them is kept."""
    onward = _onward(request)
    if request.method != "POST":
        return _page(request, signer, onward)
    form = LookForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, signer, onward, form=form)
    given = form.cleaned_data
    try:
        looks.keep_look(
            account=signer.account,
            kind=Look.Kind(given["kind"]),
            style=Look.Style(given["style"]),
            upload=given["picture"],
        )
    except (errors.PictureError, errors.StorageFullError) as error:
        form.add_error("picture", explain(error).sentence)
        return _page(request, signer, onward, form=form)
    return HttpResponseRedirect(onward or f"{reverse('signapp:signature')}#{given['kind']}")


def _onward(request: HttpRequest) -> str:
    """The path that somebody came from to this page, or nothing."""
    wanted = clean_path(request.POST.get("next") or request.GET.get("next") or "/")
    return wanted if wanted != "/" else ""


def _page(request: HttpRequest, signer: Signer, onward: str, *, form: LookForm | None = None) -> HttpResponse:
    kept = looks.list_looks(account=signer.account)
    shown = [_describe(signer, kind, kept.get(kind), onward) for kind in Look.Kind]
    for look in shown:
        if form is not None and form.data.get("kind") == look["kind"]:
            look |= {"error": str(next(iter(form.errors.values()))[0]), "style": form.data.get("style")}
    icons = {"drawn": "sign", "typed": "text", "uploaded": "upload"}
    labels = {"drawn": _("Draw"), "typed": _("Type"), "uploaded": _("Picture")}
    context = {
        "section": "account",
        "account": signer.account,
        "looks": shown,
        "styles": [{"value": style, "label": labels[style], "icon": icons[style]} for style in Look.Style.values],
        "hands": json.dumps(_hands()),
        "hand_names": list(_HANDS),
        "next": onward,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form is not None else HTTPStatus.OK
    return render_page(request, "signapp/signature.html", context, status=status)


def _describe(signer: Signer, kind: Look.Kind, kept: Look | None, onward: str) -> dict[str, Any]:
    is_signature = kind == Look.Kind.SIGNATURE
    name = visible_text(signer.account.name)
    picture = f"{reverse('signapp:look_picture', args=[kind])}?{kept.updated.timestamp():.0f}" if kept else ""
    return {
        "kind": kind.value,
        "title": _("Signature") if is_signature else _("Initials"),
        "picture": picture,
        "alt": _("Your signature") if is_signature else _("Your initials"),
        "letters": name if is_signature else looks.initials_of(name),
        "delete_url": reverse("signapp:delete_look", args=[kind], query={"next": onward} if onward else None),
        "delete_label": _("Delete the signature") if is_signature else _("Delete the initials"),
        "delete_title": _("Delete your signature?") if is_signature else _("Delete your initials?"),
        "delete_text": _(
            "Its picture is deleted at once. Fields that you fill in from now on show plain letters; documents that it"
            " is in already keep it. That cannot be undone."
        )
        if is_signature
        else _(
            "Their picture is deleted at once. Fields that you fill in from now on show plain letters; documents that"
            " they are in already keep them. That cannot be undone."
        ),
        "keep_it_label": _("Keep it") if is_signature else _("Keep them"),
        "dialog": f"delete-{kind}",
        "typed_label": _("Your name") if is_signature else _("Your initials"),
        "canvas_label": _("Draw your signature here") if is_signature else _("Draw your initials here"),
        "keep_label": _("Keep this signature") if is_signature else _("Keep these initials"),
        "style": Look.Style.DRAWN.value,
    }


@require_safe
@logged_in
def picture(request: HttpRequest, signer: Signer, kind: str) -> HttpResponseBase:
    """The PNG that was drawn anew when it was kept."""
    data = looks.read_picture(account=signer.account, kind=_kind(kind))
    if not data:
        raise errors.LookNotFoundError
    return HttpResponse(data, content_type="image/png", headers={"Cross-Origin-Resource-Policy": "same-origin"})


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in
def delete(request: HttpRequest, signer: Signer, kind: str) -> HttpResponseBase:
    """Asks first; the page of both looks asks in a dialog instead."""
    onward, chosen = _onward(request), _kind(kind)
    back = reverse("signapp:signature", query={"next": onward} if onward else None)
    kept = looks.find_look(account=signer.account, kind=chosen)
    if request.method != "POST":
        look = _describe(signer, chosen, kept, onward)
        return render_page(request, "signapp/delete_look.html", {"look": look, "back_url": back})
    looks.delete_look(account=signer.account, kind=chosen)
    is_signature = chosen == Look.Kind.SIGNATURE
    messages.success(request, _("Your signature is deleted.") if is_signature else _("Your initials are deleted."))
    return HttpResponseRedirect(back)


def _kind(kind: str) -> Look.Kind:
    if kind not in _LOOK_KINDS:
        raise errors.LookNotFoundError
    return Look.Kind(kind)

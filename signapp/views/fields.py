"""Placing fields in a draft's document."""

import json
from typing import Any
from uuid import UUID

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from signapp import errors
from signapp.error_responses import explain
from signapp.forms import PlacedFieldForm
from signapp.models import Envelope, EnvelopeDocument, Field, Recipient
from signapp.services.envelopes import access, fields
from signapp.services.envelopes.fields import PlacedField
from signapp.views.pages import Signer, logged_in, render_page
from signapp.views.wording import visible_text

COLORS = 6
_LONGEST_BODY = 256 * 1024
_ICONS = {
    "signature": "sign",
    "initials": "initials",
    "name": "person",
    "date": "calendar",
    "text": "text",
    "checkbox": "checkbox",
}


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in
def place(request: HttpRequest, signer: Signer, envelope_id: UUID, part_id: UUID) -> HttpResponseBase:
    """The editor; posted, JSON with all fields of the document, it keeps them."""
    if request.method == "POST":
        return _keep(request, signer, envelope_id, part_id)
    draft = access.find_draft(account=signer.account, envelope_id=envelope_id)
    part = access.find_part(account=signer.account, envelope_id=envelope_id, part_id=part_id)
    signers = [
        {"id": str(each.pk), "name": visible_text(each.name), "color": index % COLORS + 1}
        for index, each in enumerate(draft.recipients.filter(role=Recipient.Role.SIGNER))
    ]
    context = {
        "part": {"name": visible_text(part.name)},
        "src": reverse("signapp:part", args=[draft.pk, part.pk]),
        "url": reverse("signapp:place_fields", args=[draft.pk, part.pk]),
        "done_url": reverse("signapp:edit_envelope", args=[draft.pk]),
        "signers": signers,
        "is_signed": part.signatures > 0,
        "kinds": [{"value": kind.value, "label": str(kind.label), "icon": _ICONS[kind.value]} for kind in Field.Kind],
        "fields": json.dumps([_to_json(field) for field in part.fields.all()]),
        "page_sizes": json.dumps(part.page_sizes),
        "others": [_other(draft, each) for each in draft.documents.exclude(pk=part.pk)],
    }
    return render_page(request, "signapp/place.html", context)


def _to_json(field: Field) -> dict[str, Any]:
    return {
        "recipient": str(field.recipient_id),
        "kind": field.kind,
        "label": field.label,
        "page": field.page,
        "box": list(field.box),
        "required": field.is_required,
    }


def _other(draft: Envelope, part: EnvelopeDocument) -> dict[str, str]:
    href = reverse("signapp:place_fields", args=[draft.pk, part.pk])
    return {"href": href, "name": visible_text(part.name), "count": count_fields(part)}


def count_fields(part: EnvelopeDocument) -> str:
    count = part.fields.count()
    return ngettext("%(count)d field", "%(count)d fields", count) % {"count": count} if count else _("no fields")


def _keep(request: HttpRequest, signer: Signer, envelope_id: UUID, part_id: UUID) -> JsonResponse:
    access.find_part(account=signer.account, envelope_id=envelope_id, part_id=part_id)
    try:
        placed = _read(request)
        fields.place_fields(account=signer.account, envelope_id=envelope_id, part_id=part_id, fields=placed)
    except (errors.FieldError, errors.EnvelopeSentError) as error:
        explanation = explain(error)
        body = {"error": explanation.code, "error_description": explanation.sentence}
        return JsonResponse({**body, "field": getattr(error, "index", None)}, status=explanation.status)
    return JsonResponse({"fields": len(placed)})


def _read(request: HttpRequest) -> list[PlacedField]:
    """Raises `FieldError`."""
    if len(request.body) > _LONGEST_BODY:
        raise errors.TooManyFieldsError
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        raise errors.FieldError from None
    items = body.get("fields") if isinstance(body, dict) else None
    if not isinstance(items, list):
        raise errors.FieldError
    return [_read_one(index, item) for index, item in enumerate(items)]


def _read_one(index: int, item: Any) -> PlacedField:
    box = item.get("box") if isinstance(item, dict) else None
    if not isinstance(box, list) or len(box) != 4:
        raise errors.FieldError(index)
    form = PlacedFieldForm({**item, **dict(zip(("left", "bottom", "right", "top"), box, strict=True))})
    if not form.is_valid():
        raise errors.FieldError(index)
    given = form.cleaned_data
    return PlacedField(
        recipient_id=given["recipient"],
        kind=given["kind"],
        page=given["page"],
        box=(given["left"], given["bottom"], given["right"], given["top"]),
        label=given["label"],
        is_required=given["required"],
    )

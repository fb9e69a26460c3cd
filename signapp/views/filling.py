"""What an envelope's document asks of its signer, as its page shows it."""

import json
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from signapp.forms import SignatureForm
from signapp.models import Document, Field, Look
from signapp.services import looks
from signapp.services.envelopes import filling
from signapp.services.envelopes.fields import size_of_page
from signapp.services.logins import Account
from signapp.views.wording import visible_text

_PICTURES = {"signature": Look.Kind.SIGNATURE, "initials": Look.Kind.INITIALS}


def signature_form(
    account: Account, document: Document, choices: list[tuple[str, str]], data: Any = None
) -> SignatureForm:
    """The certificate, the reason, and what is to be filled in."""
    placed = filling.fields_to_fill(document)
    for field in placed:
        field.label = visible_text(field.label)  # for the page alone: these are not saved
    proposed = {field.pk: filling.propose_value(field, account) for field in placed}
    return SignatureForm(data, choices=choices, fields=placed, proposed=proposed)


def describe_filling(account: Account, document: Document, form: SignatureForm | None) -> list[dict[str, Any]]:
    """Each field with its control; without a form, what was filled in."""
    placed = filling.fields_to_fill(document)
    known = looks.list_looks(account=account) if any(field.kind in _PICTURES for field in placed) else {}
    return [_describe(account, field, form, known) for field in placed]


def _show(field: Field) -> str:
    if field.kind == Field.Kind.CHECKBOX:
        return _("ticked")
    return _("put") if field.kind in _PICTURES else visible_text(field.value)


def _describe(account: Account, field: Field, form: SignatureForm | None, known: dict[str, Look]) -> dict[str, Any]:
    width, height = size_of_page(field.part, field.page)
    picture = _PICTURES.get(field.kind)
    name = visible_text(account.name)
    return {
        "control": form[f"field-{field.pk}"] if form else None,
        "kind": field.kind,
        "name": visible_text(field.label) or str(field.get_kind_display()),
        "page": field.page,
        "box": json.dumps(field.box),
        "size": json.dumps({"width": width, "height": height}),
        "is_required": field.is_required,
        "value": field.value,
        "shown": _show(field),
        "has_look": picture is not None,
        "picture": reverse("signapp:look_picture", args=[picture]) if picture and picture in known else "",
        "letters": looks.initials_of(name) if field.kind == "initials" else name,
        "put_label": {
            "signature": _("Put my signature here"),
            "initials": _("Put my initials here"),
        }.get(field.kind, ""),
    }

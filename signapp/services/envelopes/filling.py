"""What a signer fills in, and how the gateway is told of it (docs/signatures.md).

Every field of every signer is made in the revision of the first signature, which certifies the document for filling in
and signing alone (DocMDP 2); each signer's values go into the revision of that signer's own signature, whose lock then
holds them.
"""

import base64
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import timezone

from signapp.errors import FieldNotFoundError, ValueMissingError
from signapp.models import Document, Field, Look, Recipient
from signapp.services import looks
from signapp.services.documents import find_document
from signapp.services.logins import Account

CERTIFY_FILLING = 2
PUT = "yes"
_PICTURES = {Field.Kind.SIGNATURE: Look.Kind.SIGNATURE, Field.Kind.INITIALS: Look.Kind.INITIALS}
_FILLED = {Field.Kind.CHECKBOX: "checkbox"}


def fields_to_fill(document: Document) -> list[Field]:
    """Of this turn, as one reads; none of a document of one's own."""
    if document.part_id is None:
        return []
    return list(Field.objects.filter(part=document.part_id, recipient=document.recipient_id))


def propose_value(field: Field, account: Account) -> str:
    """What is known before anything is filled in: the name, and today."""
    if field.value:
        return field.value
    known = {Field.Kind.NAME: account.name, Field.Kind.DATE: timezone.now().date().isoformat()}
    return known.get(Field.Kind(field.kind), "")


def keep_values(*, account: Account, document_id: uuid.UUID, values: Mapping[uuid.UUID, str]) -> None:
    """Raises `FieldNotFoundError` for a field that is none of this turn's; then nothing is kept."""
    document = find_document(account=account, document_id=document_id)
    own = {field.pk: field for field in fields_to_fill(document)}
    if not set(values) <= set(own):
        raise FieldNotFoundError
    for pk, value in values.items():
        own[pk].value = value
    Field.objects.bulk_update(own.values(), ["value"])


def is_complete(document: Document) -> bool:
    """Whether everything that has to be filled in is."""
    return all(field.value or not field.is_required for field in fields_to_fill(document))


def refuse_incomplete(document: Document) -> None:
    """Raises `ValueMissingError`."""
    if not is_complete(document):
        raise ValueMissingError


def write_options(*, account: Account, document: Document) -> dict[str, Any]:
    """Members of the gateway's ``prepare``. A document that was signed before it came here gets a signature and nothing
    else. Raises `StorageError`."""
    part = document.part
    if part is None or part.signatures:
        return {}
    own = fields_to_fill(document)
    recipient = Recipient.objects.get(turns=document)
    signature = _signature_of(recipient, own)
    pictures = _Pictures(account)
    options: dict[str, Any] = {
        "field": signature,
        "values": [_value(field, pictures) for field in own if _name_of(field) != signature],
    }
    if any(_name_of(field) == signature for field in own):
        options["appearance"] = pictures.signature()
    if not part.turns.filter(state=Document.State.SIGNED).exists():
        options |= {"certify": CERTIFY_FILLING, "new_fields": _new_fields(document)}
    return options


def _name_of(field: Field) -> str:
    return f"{field.kind.title()}-{field.pk.hex[:12]}"


def _signature_of(recipient: Recipient, own: Sequence[Field]) -> str:
    """The signature itself stands in the first place for one; further places show the same picture."""
    places = [_name_of(field) for field in own if field.kind == Field.Kind.SIGNATURE]
    return places[0] if places else f"Signature-{recipient.pk.hex[:12]}"


def _new_fields(document: Document) -> list[dict[str, Any]]:
    assert document.part is not None  # noqa: S101  (the caller's branch; tells mypy)
    made = []
    for recipient in document.part.envelope.recipients.filter(role=Recipient.Role.SIGNER):
        own = list(Field.objects.filter(part=document.part, recipient=recipient))
        signature = _signature_of(recipient, own)
        others = [field for field in own if _name_of(field) != signature]
        lock = {"lock": [_name_of(field) for field in others]} if others else {}
        place = next((_place(field) for field in own if _name_of(field) == signature), {})
        made.append({"name": signature, **place, **lock})
        made += [
            {
                "name": _name_of(field),
                "kind": _FILLED.get(Field.Kind(field.kind), "text"),
                "label": field.label or str(Field.Kind(field.kind).label),
                **_place(field),
            }
            for field in others
        ]
    return made


def _place(field: Field) -> dict[str, Any]:
    return {"page": field.page, "box": list(field.box)}


def _value(field: Field, pictures: "_Pictures") -> dict[str, Any]:
    name = {"field": _name_of(field)}
    if field.kind == Field.Kind.CHECKBOX:
        return {**name, "checked": field.value == PUT}
    if field.kind in _PICTURES and field.value:
        return {**name, **pictures.put(_PICTURES[Field.Kind(field.kind)])}
    return {**name, "text": field.value}


class _Pictures:
    """Somebody's looks, each read once; where there is none, the name in letters."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._read: dict[Look.Kind, str] = {}

    def _image(self, kind: Look.Kind) -> dict[str, str]:
        if kind not in self._read:
            picture = looks.read_picture(account=self._account, kind=kind)
            self._read[kind] = base64.b64encode(picture).decode() if picture else ""
        return {"image": self._read[kind]} if self._read[kind] else {}

    def put(self, kind: Look.Kind) -> dict[str, str]:
        name = self._account.name
        return {"text": looks.initials_of(name) if kind == Look.Kind.INITIALS else name, **self._image(kind)}

    def signature(self) -> dict[str, str]:
        day = timezone.now().date().isoformat()
        return {"text": f"{self._account.name}\n{day}", **self._image(Look.Kind.SIGNATURE)}

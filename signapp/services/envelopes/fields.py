"""Fields of a draft: placed by the sender, all before anybody signs, and of one document all at once."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from signapp.errors import (
    DocumentSignedBeforeError,
    EnvelopeNotFoundError,
    EnvelopeSentError,
    FieldOffPageError,
    FieldOfNobodyError,
    TooManyFieldsError,
)
from signapp.models import Envelope, EnvelopeDocument, Field, Recipient
from signapp.services.envelopes.access import find_draft, find_part, locked
from signapp.services.logins import Account

MOST_FIELDS = 200
SMALLEST_SIDE = 6.0


@dataclass(frozen=True)
class PlacedField:
    """As `signapp.models.Field`; ``box`` is left, bottom, right, top."""

    recipient_id: uuid.UUID
    kind: str
    page: int
    box: tuple[float, float, float, float]
    label: str = ""
    is_required: bool = True


def size_of_page(part: EnvelopeDocument, page: int) -> tuple[float, float]:
    """Width and height as shown, in 1/72 inch; none of a page that there is not."""
    for width, height, count in part.page_sizes:
        if 1 <= page <= count:
            return (width, height)
        page -= count
    return (0.0, 0.0)


def place_fields(
    *, account: Account, envelope_id: uuid.UUID, part_id: uuid.UUID, fields: Sequence[PlacedField]
) -> list[Field]:
    """The document's fields from now on, whatever it had before.

    Raises `EnvelopeSentError`, `DocumentSignedBeforeError`, and children of `FieldError` with the field's index; then
    nothing is changed.
    """
    find_draft(account=account, envelope_id=envelope_id)
    part = find_part(account=account, envelope_id=envelope_id, part_id=part_id)
    if part.signatures and fields:
        raise DocumentSignedBeforeError
    if len(fields) > MOST_FIELDS:
        raise TooManyFieldsError
    with locked(envelope_id) as held:
        if held.state != Envelope.State.DRAFT:
            raise EnvelopeSentError
        if not held.documents.filter(pk=part.pk).exists():
            raise EnvelopeNotFoundError
        signers = set(held.recipients.filter(role=Recipient.Role.SIGNER).values_list("pk", flat=True))
        made = [_make(part, signers, index, each) for index, each in enumerate(fields)]
        part.fields.all().delete()
        return Field.objects.bulk_create(made)


def _make(part: EnvelopeDocument, signers: set[uuid.UUID], index: int, placed: PlacedField) -> Field:
    if placed.recipient_id not in signers:
        raise FieldOfNobodyError(index)
    left, bottom, right, top = placed.box
    width, height = size_of_page(part, placed.page)
    inside = left >= 0 and bottom >= 0 and right <= width and top <= height
    if not inside or right - left < SMALLEST_SIDE or top - bottom < SMALLEST_SIDE:
        raise FieldOffPageError(index)
    return Field(
        part=part,
        recipient_id=placed.recipient_id,
        kind=placed.kind,
        label=placed.label,
        page=placed.page,
        left=left,
        bottom=bottom,
        right=right,
        top=top,
        # A signature that may be left out would not say who signs.
        is_required=placed.is_required or placed.kind == Field.Kind.SIGNATURE,
    )

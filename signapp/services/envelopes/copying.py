"""Another envelope with the same documents, people, fields and words. Files are shared, not copied: an original never
changes, and the last envelope that holds one takes it along (`release_file`)."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Q

from signapp import documents
from signapp.models import Envelope, EnvelopeDocument, Field, Recipient, StoredFile

_FACTS = ("position", "name", "size", "pages", "sha256", "signatures", "encryption", "repairs", "page_sizes")
_PLACED = ("kind", "label", "page", "left", "bottom", "right", "top", "is_required")


@dataclass(frozen=True)
class Named:
    """Who a recipient of the copy is."""

    name: str
    email: str = ""


def copy_draft(
    source: Envelope, people: Mapping[uuid.UUID, Named] | None = None, **values: object
) -> tuple[Envelope, dict[object, Recipient]]:
    """The copy, with ``values`` in place of what the source has, and its recipients by the source's identifiers, under
    the names that ``people`` has for them. Fields are copied without what was filled in.

    The caller holds the source, in its transaction.
    """
    kept = ("issuer", "subject", "sender_name", "sender_email", "title", "message", "due_on", "may_delegate")
    copied = Envelope.objects.create(**{**{name: getattr(source, name) for name in kept}, **values})
    copies = {}
    for person in source.recipients.all():
        named = (people or {}).get(person.pk) or Named(person.name, person.email)
        copies[person.pk] = Recipient.objects.create(
            envelope=copied, role=person.role, order=person.order, name=named.name, email=named.email
        )
    for part in source.documents.all():
        facts = {name: getattr(part, name) for name in _FACTS}
        copy = EnvelopeDocument.objects.create(
            envelope=copied, original_id=part.original_id, current_id=part.original_id, **facts
        )
        for field in part.fields.all():
            placed = {name: getattr(field, name) for name in _PLACED}
            Field.objects.create(part=copy, recipient=copies[field.recipient_id], **placed)
    return copied, copies


def release_file(stored: StoredFile | None) -> None:
    """Deletes a file that no envelope's document holds any more."""
    if stored is None:
        return
    if not is_held(stored):
        documents.delete_file(stored)


def is_held(stored: StoredFile) -> bool:
    """Whether an envelope's document holds the file."""
    return EnvelopeDocument.objects.filter(Q(original=stored.pk) | Q(current=stored.pk)).exists()

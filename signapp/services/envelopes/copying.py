"""Another envelope with the same documents, people, fields and words. Files are shared, not copied: an original never
changes, and the last envelope that holds one takes it along (`release_file`)."""

from django.db.models import Q

from signapp import documents
from signapp.models import Envelope, EnvelopeDocument, Field, Recipient, StoredFile

_FACTS = ("position", "name", "size", "pages", "sha256", "signatures", "encryption", "repairs", "page_sizes")
_PLACED = ("kind", "label", "page", "left", "bottom", "right", "top", "is_required")


def copy_draft(source: Envelope, **values: object) -> tuple[Envelope, dict[object, Recipient]]:
    """The copy, with ``values`` in place of what the source has, and its people by the source's identifiers.

    The caller's transaction.
    """
    kept = ("issuer", "subject", "sender_name", "sender_email", "title", "message", "due_on", "may_delegate")
    copied = Envelope.objects.create(**{**{name: getattr(source, name) for name in kept}, **values})
    people = {}
    for person in source.recipients.all():
        facts = {name: getattr(person, name) for name in ("role", "order", "name", "email")}
        people[person.pk] = Recipient.objects.create(envelope=copied, **facts)
    for part in source.documents.all():
        facts = {name: getattr(part, name) for name in _FACTS}
        copy = EnvelopeDocument.objects.create(
            envelope=copied, original_id=part.original_id, current_id=part.original_id, **facts
        )
        for field in part.fields.all():
            values = {name: getattr(field, name) for name in _PLACED}
            Field.objects.create(part=copy, recipient=people[field.recipient_id], **values)
    return copied, people


def release_file(stored: StoredFile | None) -> None:
    """Deletes a file that no envelope's document holds any more."""
    if stored is None:
        return
    if not is_held(stored):
        documents.delete_file(stored)


def is_held(stored: StoredFile) -> bool:
    """Whether an envelope's document holds the file."""
    return EnvelopeDocument.objects.filter(Q(original=stored.pk) | Q(current=stored.pk)).exists()

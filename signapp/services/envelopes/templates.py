"""Templates: an envelope's documents, roles and fields, kept to make drafts of."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from signapp import documents
from signapp.errors import (
    EnvelopeIncompleteError,
    EnvelopeNotFoundError,
    EnvelopeSentError,
    RecipientTwiceError,
    TooManyTemplatesError,
)
from signapp.models import Envelope, EnvelopeDocument, Field, Recipient, StoredFile
from signapp.services.documents import open_stored
from signapp.services.envelopes.access import find_draft, is_sender, locked
from signapp.services.logins import Account

MOST_TEMPLATES = 200
_PLACED = ("kind", "label", "page", "left", "bottom", "right", "top", "is_required")


@dataclass(frozen=True)
class Named:
    """Who a recipient of the copy is."""

    name: str
    email: str = ""


def list_templates(*, account: Account) -> Sequence[Envelope]:
    """This account's, by title."""
    found = Envelope.objects.filter(state=Envelope.State.TEMPLATE, issuer=account.issuer, subject=account.subject)
    return list(found.prefetch_related("documents", "recipients").order_by("title", "pk"))


def find_template(*, account: Account, template_id: uuid.UUID) -> Envelope:
    """Raises `EnvelopeNotFoundError`."""
    found: Envelope | None = Envelope.objects.filter(pk=template_id, state=Envelope.State.TEMPLATE).first()
    if found is None or not is_sender(account, found):
        raise EnvelopeNotFoundError
    return found


def save_template(*, account: Account, envelope_id: uuid.UUID, title: str, roles: Mapping[uuid.UUID, str]) -> Envelope:
    """A draft's copy in which each recipient is a role, named by the recipient's identifier; the draft stays.

    Raises `EnvelopeIncompleteError` without documents or people, or if somebody has no role's name;
    `TooManyTemplatesError`, `EnvelopeSentError`, `StorageFullError`.
    """
    draft = find_draft(account=account, envelope_id=envelope_id)
    people = list(draft.recipients.all())
    if not draft.documents.exists() or not people or any(not roles.get(each.pk) for each in people):
        raise EnvelopeIncompleteError
    if len(list_templates(account=account)) >= MOST_TEMPLATES:
        raise TooManyTemplatesError
    named = {each.pk: Named(roles[each.pk]) for each in people}
    return copy_envelope(draft, named, account=account, title=title, state=Envelope.State.TEMPLATE)


def use_template(*, account: Account, template_id: uuid.UUID, people: Mapping[uuid.UUID, Named]) -> Envelope:
    """A draft with somebody for each role.

    Raises `EnvelopeNotFoundError`, `EnvelopeIncompleteError` if a role has nobody, `RecipientTwiceError`,
    `StorageFullError`.
    """
    template = find_template(account=account, template_id=template_id)
    wanted = set(template.recipients.values_list("pk", flat=True))
    if wanted != set(people) or any(not each.email for each in people.values()):
        raise EnvelopeIncompleteError
    if len({each.email.casefold() for each in people.values()}) < len(people):
        raise RecipientTwiceError
    return copy_envelope(template, people, account=account, title=template.title, state=Envelope.State.DRAFT)


def delete_template(*, account: Account, template_id: uuid.UUID) -> None:
    """Drafts that were made of it stay."""
    find_template(account=account, template_id=template_id)
    with locked(template_id) as held:
        files = [part.original for part in held.documents.select_related("original")]
        held.delete()
    for stored in files:
        documents.delete_file(stored)


def copy_envelope(
    source: Envelope, people: Mapping[uuid.UUID, Named], *, account: Account, title: str, state: Envelope.State
) -> Envelope:
    """Documents, recipients under other names, and their fields, without values. Every file is a copy under a key of
    its own: what becomes of the one concerns nobody else. Raises `StorageError`, `StorageFullError`."""
    parts = list(source.documents.select_related("original").prefetch_related("fields"))
    files: list[StoredFile] = []
    try:
        for part in parts:
            with open_stored(part.original) as original:
                files.append(documents.store_file(original))
        with locked(source.pk) as held:
            if held.state not in {Envelope.State.DRAFT, Envelope.State.TEMPLATE}:
                raise EnvelopeSentError  # noqa: TRY301  (undone like every other failure)
            made: Envelope = Envelope.objects.create(
                issuer=account.issuer,
                subject=account.subject,
                sender_name=account.name,
                sender_email=account.email,
                title=title,
                message=source.message,
                may_delegate=source.may_delegate,
                state=state,
            )
            _copy_rows(made, source, list(zip(parts, files, strict=True)), people)
            return made
    except BaseException:
        for stored in files:
            documents.delete_file(stored)
        raise


def _copy_rows(
    made: Envelope,
    source: Envelope,
    parts: Sequence[tuple[EnvelopeDocument, StoredFile]],
    people: Mapping[uuid.UUID, Named],
) -> None:
    copies = {}
    for each in source.recipients.all():
        named = people[each.pk]
        copies[each.pk] = Recipient.objects.create(
            envelope=made, role=each.role, order=each.order, name=named.name, email=named.email
        )
    for part, stored in parts:
        copy = EnvelopeDocument.objects.create(
            envelope=made,
            position=part.position,
            name=part.name,
            size=part.size,
            pages=part.pages,
            sha256=part.sha256,
            signatures=part.signatures,
            encryption=part.encryption,
            repairs=part.repairs,
            page_sizes=part.page_sizes,
            original=stored,
            current=stored,
        )
        for field in part.fields.all():
            values = {name: getattr(field, name) for name in _PLACED}
            Field.objects.create(part=copy, recipient=copies[field.recipient_id], **values)

"""Templates: an envelope's documents, roles and fields, kept to make drafts of."""

import uuid
from collections.abc import Mapping, Sequence

from signapp.errors import (
    EnvelopeIncompleteError,
    EnvelopeNotFoundError,
    EnvelopeSentError,
    RecipientTwiceError,
    TooManyTemplatesError,
)
from signapp.models import Envelope
from signapp.services.envelopes.access import find_draft, is_sender, locked
from signapp.services.envelopes.copying import Named, copy_draft, release_file
from signapp.services.logins import Account

MOST_TEMPLATES = 200


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
    `TooManyTemplatesError`, `EnvelopeSentError`.
    """
    draft = find_draft(account=account, envelope_id=envelope_id)
    people = list(draft.recipients.all())
    if not draft.documents.exists() or not people or any(not roles.get(each.pk) for each in people):
        raise EnvelopeIncompleteError
    if len(list_templates(account=account)) >= MOST_TEMPLATES:
        raise TooManyTemplatesError
    named = {each.pk: Named(roles[each.pk]) for each in people}
    return _copy(draft.pk, named, account=account, title=title, state=Envelope.State.TEMPLATE)


def use_template(*, account: Account, template_id: uuid.UUID, people: Mapping[uuid.UUID, Named]) -> Envelope:
    """A draft with somebody for each role.

    Raises `EnvelopeNotFoundError`, `EnvelopeIncompleteError` if a role has nobody, `RecipientTwiceError`.
    """
    template = find_template(account=account, template_id=template_id)
    wanted = set(template.recipients.values_list("pk", flat=True))
    if wanted != set(people) or any(not each.email for each in people.values()):
        raise EnvelopeIncompleteError
    if len({each.email.casefold() for each in people.values()}) < len(people):
        raise RecipientTwiceError
    return _copy(template_id, people, account=account, state=Envelope.State.DRAFT)


def delete_template(*, account: Account, template_id: uuid.UUID) -> None:
    """Drafts that were made of it stay."""
    find_template(account=account, template_id=template_id)
    with locked(template_id) as held:
        files = [part.original for part in held.documents.select_related("original")]
        held.delete()
    for stored in files:
        release_file(stored)


def _copy(
    source_id: uuid.UUID, people: Mapping[uuid.UUID, Named], *, account: Account, state: Envelope.State, title: str = ""
) -> Envelope:
    with locked(source_id) as held:
        if held.state not in {Envelope.State.DRAFT, Envelope.State.TEMPLATE}:
            raise EnvelopeSentError
        if set(held.recipients.values_list("pk", flat=True)) != set(people):
            raise EnvelopeIncompleteError
        made, _copies = copy_draft(
            held,
            people,
            sender_name=account.name,
            sender_email=account.email,
            title=title or held.title,
            due_on=None,
            state=state,
        )
        return made

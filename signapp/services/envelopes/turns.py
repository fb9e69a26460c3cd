"""Whose turn it is: who is asked next, who may take a document now, and when an envelope is complete.

Each signer's job takes the document's last signed revision, so signatures stand one over another and every earlier one
stays valid. A lease, taken before the signer is asked to approve, keeps two from taking the same revision; it is
committed before the approval is handed on, and from then on nobody takes it and nothing ends the envelope.
"""

from datetime import timedelta
from typing import Any

from django.db.models import Min
from django.utils import timezone

from signapp.errors import DocumentBusyError, EnvelopeOverError, RevisionMovedError, TurnTakenError
from signapp.models import Document, Envelope, EnvelopeDocument, Event, Notice, Recipient
from signapp.services.envelopes.access import locked, record

LEASE = timedelta(minutes=10)
# Until the signature is there, or the gateway says that there will be none; so long only if nobody can ask it.
COMMITTED_LEASE = timedelta(hours=1)
# Of the one that hands an approval on, with what it waits for.
_LONGEST_REQUEST = timedelta(minutes=2)
_ACTS = (Recipient.Role.SIGNER, Recipient.Role.APPROVER)


# --- The order ----------------------------------------------------------------------------------------------


def advance(envelope: Envelope) -> None:
    """Asks whoever is next, or completes the envelope; the caller holds it."""
    open_ones = envelope.recipients.filter(role__in=_ACTS, state__in=(Recipient.State.WAITING, Recipient.State.ACTIVE))
    order = open_ones.aggregate(first=Min("order"))["first"]
    if order is None:
        _complete(envelope)
        return
    for recipient in open_ones.filter(order=order, state=Recipient.State.WAITING):
        _ask(envelope, recipient)


def _ask(envelope: Envelope, recipient: Recipient) -> None:
    recipient.state, recipient.asked_at = Recipient.State.ACTIVE, timezone.now()
    recipient.save()
    record(envelope, Event.Kind.ASKED, detail=recipient.name)
    notify(envelope, Notice.Kind.INVITATION, recipient)
    if recipient.subject:
        open_turns(recipient)


def open_turns(recipient: Recipient) -> None:
    """Lays each document of the envelope before a signer whose account is known."""
    if recipient.role != Recipient.Role.SIGNER:
        return
    for part in recipient.envelope.documents.select_related("current"):
        size = part.current.size if part.current else part.size
        sha256 = part.current.sha256 if part.current else part.sha256
        facts = {"name": part.name, "size": size, "pages": part.pages, "sha256": sha256, "encryption": part.encryption}
        owner = {"issuer": recipient.issuer, "subject": recipient.subject}
        Document.objects.get_or_create(part=part, recipient=recipient, defaults={**owner, **facts})


def _complete(envelope: Envelope) -> None:
    end(envelope, Envelope.State.COMPLETED)
    record(envelope, Event.Kind.COMPLETED)
    envelope.recipients.filter(role=Recipient.Role.COPY).change(state=Recipient.State.DONE, asked_at=timezone.now())
    tell_everybody(envelope, Notice.Kind.COMPLETED)


def end(envelope: Envelope, state: Envelope.State, *, reason: str = "") -> None:
    """The caller holds it. Raises `EnvelopeOverError` if it has ended, `DocumentBusyError` while somebody signs."""
    if envelope.state != Envelope.State.SENT:
        raise EnvelopeOverError
    if envelope.documents.filter(is_committed=True, lease_until__gt=timezone.now()).exists():
        raise DocumentBusyError
    envelope.state, envelope.reason, envelope.ended_at = state, reason, timezone.now()
    envelope.save()


def notify(envelope: Envelope, kind: Notice.Kind, recipient: Recipient | None = None) -> None:
    """A message to be sent after the transaction; to the sender where no recipient is named."""
    Notice.objects.create(envelope=envelope, recipient=recipient, kind=kind)


def tell_everybody(envelope: Envelope, kind: Notice.Kind, *, but: Recipient | None = None) -> None:
    """The sender, and everybody who was asked so far, each once."""
    asked = envelope.recipients.filter(state__in=(Recipient.State.ACTIVE, Recipient.State.DONE))
    asked = asked.exclude(pk=but.pk) if but else asked
    for recipient in asked:
        notify(envelope, kind, recipient)
    if not envelope.recipients.filter(issuer=envelope.issuer, subject=envelope.subject).exists():
        notify(envelope, kind)


# --- The lease ----------------------------------------------------------------------------------------------


def take(document: Document) -> None:
    """Before it is prepared: the lease on the document, whose last revision the turn then carries.

    Raises `TurnTakenError`, `EnvelopeOverError`. A document of one's own has no lease.
    """
    if document.part is None:
        return
    with locked(document.part.envelope_id) as envelope:
        part = _grip(envelope, document)
        current = part.current
        if current is None:
            raise EnvelopeOverError
        if document.sha256 != current.sha256:
            # What was prepared was another revision: that job is of no use any more.
            turn = Document.objects.filter(pk=document.pk).exclude(
                state__in=(Document.State.SIGNING, Document.State.SIGNED)
            )
            signatures = part.turns.filter(state=Document.State.SIGNED).count() + part.signatures
            turn.change(
                state=Document.State.READY,
                size=current.size,
                sha256=current.sha256,
                signatures=signatures,
                fingerprint="",
                label="",
                job_id=None,
                idempotency_key=None,
            )


def hold(document: Document, *, commit: bool = False) -> None:
    """Before the approval is asked for, and (``commit``) before it is handed on.

    Raises `RevisionMovedError` if somebody else signed since it was prepared; what `take` raises.
    """
    if document.part is None:
        return
    with locked(document.part.envelope_id) as envelope:
        part = _grip(envelope, document, commit=commit)
        if part.current is None or part.current.sha256 != document.sha256:
            raise RevisionMovedError


def _grip(envelope: Envelope, document: Document, *, commit: bool = False) -> EnvelopeDocument:
    now = timezone.now()
    part = envelope.documents.select_related("current").get(turns=document)
    recipient = Recipient.objects.get(turns=document)
    if envelope.state != Envelope.State.SENT or recipient.state != Recipient.State.ACTIVE:
        raise EnvelopeOverError
    is_free = part.holder_id is None or part.lease_until is None or part.lease_until <= now
    if part.holder_id != document.pk and not is_free:
        raise TurnTakenError
    part.is_committed = commit or (part.is_committed and part.holder_id == document.pk)
    part.holder = document
    part.lease_until = now + (COMMITTED_LEASE if part.is_committed else LEASE)
    part.save(update_fields=["holder", "lease_until", "is_committed"])
    return part


def loosen(document: Document, *, although_committed: bool = True) -> None:
    """The approval came to nothing: the document is anybody's again, at once. Who approves later takes the lease anew,
    if nobody else signed meanwhile (`hold`)."""
    held = EnvelopeDocument.objects.filter(holder=document.pk)
    if not although_committed:
        held = held.filter(is_committed=False)
    held.update(is_committed=False, holder=None, lease_until=None)


def list_unsettled() -> list[Document]:
    """Turns whose approval was handed on a while ago, by a request that did not hear what came of it."""
    committed = timezone.now() + COMMITTED_LEASE - _LONGEST_REQUEST
    held = EnvelopeDocument.objects.filter(is_committed=True, lease_until__lt=committed).values("holder")
    return list(Document.objects.filter(pk__in=held, state__in=(Document.State.PREPARED, Document.State.APPROVING)))


def keep_signature(document: Document, values: dict[str, Any]) -> bool:
    """The turn takes the ``values`` of a signed one, and its result is the document's revision from now on.

    Whether it was kept: not if another request was first. Raises `RevisionMovedError` if it was made over another
    revision than the last.
    """
    assert document.part is not None  # noqa: S101  (the caller's branch; tells mypy)
    with locked(document.part.envelope_id) as envelope:
        turn = Document.objects.filter(pk=document.pk, job_id=document.job_id).exclude(state=Document.State.SIGNED)
        part = envelope.documents.select_related("current").get(turns=document)
        if not turn.exists():
            return False
        if part.current is None or part.current.sha256 != document.sha256:
            raise RevisionMovedError
        turn.change(**values)
        part.current, part.holder, part.lease_until, part.is_committed = values["signed"], None, None, False
        part.save()
        recipient = Recipient.objects.get(turns=document)
        record(envelope, Event.Kind.SIGNED, actor=recipient.name, detail=part.name)
        if not recipient.turns.exclude(state=Document.State.SIGNED).exists():
            finish(envelope, recipient, Event.Kind.FINISHED)
        return True


def finish(envelope: Envelope, recipient: Recipient, kind: Event.Kind) -> None:
    """This person's part is done; the caller holds the envelope."""
    recipient.state, recipient.acted_at = Recipient.State.DONE, timezone.now()
    recipient.save()
    record(envelope, kind, actor=recipient.name)
    advance(envelope)

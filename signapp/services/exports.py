"""Everything of an account as ZIP files (APPNOTE 6.3): the files that ``export.json`` names, and that in the last of
them. Each holds so much and no more (`read_limits`), so that a worker needs no more room beside the documents; one
document that is larger lies in one of its own. What somebody else could read of it lies encrypted, as every document
does."""

import json
import logging
import shutil
import uuid
import zipfile
from datetime import datetime, timedelta
from typing import IO, Any

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from signapp import documents
from signapp.errors import ExportNotReadyError, SignappError, StorageError, StorageFullError
from signapp.models import Document, Envelope, Export, ExportPart, Look, StoredFile
from signapp.services.envelopes.access import visible_envelopes
from signapp.services.limits import read_limits
from signapp.services.logins import Account
from signapp.services.mails import Letter, send
from signapp.services.readers import find_language, speaking_to

log = logging.getLogger(__name__)

LIFETIME = timedelta(days=3)
_LEASE = timedelta(minutes=10)


def _own(account: Account | Export) -> dict[str, str]:
    return {"issuer": account.issuer, "subject": account.subject}


def find_export(*, account: Account) -> Export | None:
    return Export.objects.filter(**_own(account)).prefetch_related("parts__file").first()


def request_export(*, account: Account) -> Export:
    """Asks for a new one, in the place of the last; one that is being made is left at it."""
    moving = (Export.State.WAITING, Export.State.BUILDING)
    with transaction.atomic(using=Export.objects.db):
        last = Export.objects.select_for_update().filter(**_own(account)).first()
        if last is not None and last.state in moving:
            return last
        if last is not None:
            _delete(last)
        made = Export.objects.create(**_own(account), name=account.name, email=account.email)
    ring()
    return made


def ring() -> None:
    """Asks a worker; never fails, beat rings too."""
    try:
        current_app.send_task("signapp.build_exports", retry=False)
    except Exception as error:  # noqa: BLE001  (whatever a broker throws, beat rings again)
        log.warning("the worker could not be rung: %s", type(error).__name__)


def open_export(*, account: Account, part_id: uuid.UUID) -> tuple[IO[bytes], ExportPart]:
    """One of its files; the caller closes it. Raises `ExportNotReadyError`, `StorageError`."""
    found = ExportPart.objects.filter(
        pk=part_id,
        export__state=Export.State.READY,
        export__expires_at__gt=timezone.now(),
        **{f"export__{name}": value for name, value in _own(account).items()},
    )
    part = found.select_related("export", "file").first()
    if part is None:
        raise ExportNotReadyError
    return documents.open_file(part.file), part


def delete_export(*, account: Account) -> None:
    """One that is not there is no fault."""
    with transaction.atomic(using=Export.objects.db):
        for found in Export.objects.select_for_update().filter(**_own(account)):
            _delete(found)


def clear_exports() -> int:
    """Those whose days are over; how many."""
    with transaction.atomic(using=Export.objects.db):
        over = list(Export.objects.select_for_update().filter(expires_at__lte=timezone.now()))
        for found in over:
            _delete(found)
    return len(over)


def _delete(export: Export) -> None:
    """The caller holds it: no worker adds anything now."""
    _delete_parts(export)
    export.delete()


def _delete_parts(export: Export) -> None:
    files = [part.file for part in export.parts.select_related("file")]
    export.parts.all().delete()
    documents.delete_files(files)


# --- What the worker does -------------------------------------------------------------------------------------------


def _is_free() -> Q:
    return Q(state=Export.State.WAITING) | Q(state=Export.State.BUILDING, lease_until__lt=timezone.now())


def is_wanted() -> bool:
    """Whether one waits for a worker."""
    return Export.objects.filter(_is_free()).exists()


def build_exports() -> int:
    """Makes those that wait, and those whose worker died; how many."""
    now, made, free = timezone.now(), 0, _is_free()
    for export_id in list(Export.objects.filter(free).values_list("pk", flat=True)):
        taken = Export.objects.filter(free, pk=export_id).update(
            state=Export.State.BUILDING, done=0, lease_until=now + _LEASE, attempt=F("attempt") + 1
        )
        if taken:
            made += _build(Export.objects.get(pk=export_id))
    return made


def _build(export: Export) -> bool:
    with transaction.atomic(using=Export.objects.db):
        for held in _mine(export).select_for_update():
            _delete_parts(held)  # of a worker that died
    try:
        _Archive(export).write()
    except (StorageFullError, StorageError) as error:
        with transaction.atomic(using=Export.objects.db):
            if _end(export, state=Export.State.FAILED, error_code=error.code):
                _delete_parts(export)
        return False
    except _OvertakenError:
        return False
    expires = timezone.now() + LIFETIME
    if not _end(export, state=Export.State.READY, expires_at=expires):
        return False
    if export.email:
        with speaking_to(**_own(export)):
            _tell(export, expires)
    return True


def _tell(export: Export, expires: datetime) -> None:
    send(
        Letter(
            subject=_("Your export is ready"),
            name=export.name,
            before=[
                _("Your documents, envelopes, templates and signatures lie ready for download until %(day)s UTC.")
                % {"day": date_format(expires, "j F Y, H:i")}
            ],
            action=_("Download the export"),
            link=f"{settings.SIGNAPP_URL}{reverse('signapp:export')}",
            after=[_("You log in again to download it. If you did not ask for it, log in and delete it.")],
        ),
        to=export.email,
    )


def _mine(export: Export) -> QuerySet[Export]:
    """It, unless it was taken back meanwhile, or another worker is at it."""
    return Export.objects.filter(pk=export.pk, state=Export.State.BUILDING, attempt=export.attempt)


def _end(export: Export, **values: Any) -> bool:
    return _mine(export).update(lease_until=None, **values) > 0


class _OvertakenError(Exception):
    """Nobody waits any more for what this worker makes."""


class _Archive:
    """Puts files into one ZIP after another, counts them, and remembers which could not be read.

    Raises `StorageFullError`, `StorageError`, `_OvertakenError`.
    """

    def __init__(self, export: Export) -> None:
        self.export, self.most = export, read_limits().export_megabytes * 1_000_000
        self.done, self.parts, self.size = 0, 0, 0
        self.file = documents.temporary_file()
        self.archive = zipfile.ZipFile(self.file, "w", zipfile.ZIP_STORED)

    def write(self) -> None:
        try:
            with documents.writing():
                body = _describe(self.export, self)
                # Compressed inside is what is signed, and its bytes are what is signed: stored as it is. This is not.
                self.archive.writestr("export.json", body, zipfile.ZIP_DEFLATED)
            self._keep()
        finally:
            documents.discard(self.file)

    def add(self, stored: StoredFile | None, name: str) -> str:
        """The name under which it is in one of the archives; empty if there is none, or it cannot be read any more."""
        if stored is None:
            return ""
        if self.size and self.size + stored.size > self.most:
            self._keep()
            self._begin()
        try:
            with documents.open_file(stored) as source, self.archive.open(name, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target)
        except StorageFullError:
            raise
        except SignappError as error:
            log.error("an export lacks file %s: %s", stored.pk, error.code)
            return ""
        self.size += stored.size
        self.done += 1
        if not _mine(self.export).update(done=self.done, lease_until=timezone.now() + _LEASE):
            raise _OvertakenError
        return name

    def _begin(self) -> None:
        self.file, self.size = documents.temporary_file(), 0
        self.archive = zipfile.ZipFile(self.file, "w", zipfile.ZIP_STORED)

    def _keep(self) -> None:
        """What is in the archive by now becomes the next part."""
        with documents.writing():
            self.archive.close()
        stored = documents.store_file(self.file)
        documents.discard(self.file)
        self.parts += 1
        with transaction.atomic(using=Export.objects.db):
            if _mine(self.export).select_for_update().exists():
                ExportPart.objects.create(export=self.export, number=self.parts, file=stored)
                return
        documents.delete_file(stored)
        raise _OvertakenError


def _describe(export: Export, adding: _Archive) -> str:
    """The words of it, in JSON; files are added as they are named."""
    account = Account(export.issuer, export.subject, export.email, export.name, is_operator=False)
    own = list(Document.objects.filter(**_own(account), part=None).select_related("original", "signed"))
    envelopes = list(visible_envelopes(account).order_by("created"))
    templates = list(Envelope.objects.filter(**_own(account), state=Envelope.State.TEMPLATE).order_by("created"))
    looks = list(Look.objects.filter(**_own(account)).select_related("picture"))
    count = sum((each.original is not None) + (each.signed is not None) for each in own) + len(looks)
    count += sum(each.documents.count() for each in (*envelopes, *templates))
    _mine(export).update(total=count)
    body = {
        "account": {
            **_own(account),
            "name": account.name,
            "email": account.email,
            "language": find_language(**_own(account)),
        },
        "made_at": timezone.now().isoformat(),
        "documents": [_describe_document(each, adding) for each in own],
        "envelopes": [_describe_envelope(each, adding, "envelopes") for each in envelopes],
        "templates": [_describe_envelope(each, adding, "templates") for each in templates],
        "looks": [
            {"kind": each.kind, "style": each.style, "file": adding.add(each.picture, f"looks/{each.kind}.png")}
            for each in looks
        ],
    }
    return json.dumps(body, indent=1, ensure_ascii=False, default=str)


def _take(row: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _describe_document(each: Document, adding: _Archive) -> dict[str, Any]:
    facts = _take(each, "id", "name", "pages", "size", "sha256", "state", "created", "signed_at", "signature_level")
    return {
        **facts,
        "file": adding.add(each.original, f"documents/{each.pk}.pdf"),
        "signed_file": adding.add(each.signed, f"documents/{each.pk}-signed.pdf"),
    }


def _describe_envelope(each: Envelope, adding: _Archive, folder: str) -> dict[str, Any]:
    people = {person.pk: number for number, person in enumerate(each.recipients.all())}
    return {
        **_take(each, "id", "title", "message", "state", "reason", "sender_name", "sender_email"),
        **_take(each, "created", "sent_at", "due_on", "ended_at"),
        "people": [
            _take(person, "name", "email", "role", "order", "state", "reason", "asked_at", "acted_at")
            for person in each.recipients.all()
        ],
        "documents": [
            {
                **_take(part, "name", "pages", "size", "sha256"),
                "file": adding.add(part.current, f"{folder}/{each.pk}/{part.position:02}.pdf"),
                "fields": [
                    {
                        **_take(field, "kind", "label", "page", "box", "is_required", "value"),
                        "person": people[field.recipient_id],
                    }
                    for field in part.fields.all()
                ],
            }
            for part in each.documents.select_related("current")
        ],
        "trail": [_take(event, "at", "kind", "actor", "detail") for event in each.events.all()],
    }

"""Everything of an account as one ZIP (APPNOTE 6.3): ``export.json`` and the files that it names. A worker makes it;
what somebody else could read of it lies encrypted, as every document does."""

import json
import logging
import shutil
import zipfile
from datetime import datetime, timedelta
from typing import IO, Any

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from signapp import documents
from signapp.errors import ExportNotReadyError, SignappError, StorageError, StorageFullError
from signapp.models import Document, Envelope, Export, Look, StoredFile
from signapp.services.envelopes.access import visible_envelopes
from signapp.services.logins import Account
from signapp.services.mails import Letter, send
from signapp.services.readers import find_language, speaking_to

log = logging.getLogger(__name__)

LIFETIME = timedelta(days=3)
_LEASE = timedelta(minutes=10)


def _own(account: Account | Export) -> dict[str, str]:
    return {"issuer": account.issuer, "subject": account.subject}


def find_export(*, account: Account) -> Export | None:
    return Export.objects.filter(**_own(account)).select_related("file").first()


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


def open_export(*, account: Account) -> IO[bytes]:
    """The ZIP; the caller closes it. Raises `ExportNotReadyError`, also once its days are over; `StorageError`."""
    found = find_export(account=account)
    if found is None or found.file is None or found.expires_at is None or found.expires_at <= timezone.now():
        raise ExportNotReadyError
    return documents.open_file(found.file)


def delete_export(*, account: Account) -> None:
    """One that is not there is no fault."""
    with transaction.atomic(using=Export.objects.db):
        for found in Export.objects.filter(**_own(account)):
            _delete(found)


def clear_exports() -> int:
    """Those whose days are over; how many."""
    over = list(Export.objects.filter(expires_at__lte=timezone.now()))
    for found in over:
        with transaction.atomic(using=Export.objects.db):
            _delete(found)
    return len(over)


def _delete(export: Export) -> None:
    stored = export.file
    export.delete()
    documents.delete_files([stored] if stored else [])


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
        mine = Export.objects.filter(free, pk=export_id)
        if mine.update(state=Export.State.BUILDING, done=0, lease_until=now + _LEASE):
            made += _build(Export.objects.get(pk=export_id))
    return made


def _build(export: Export) -> bool:
    try:
        with documents.scratch_file() as file:
            with documents.writing():
                _write(export, file)
            stored = documents.store_file(file)
    except (StorageFullError, StorageError) as error:
        _end(export, state=Export.State.FAILED, error_code=error.code)
        return False
    expires = timezone.now() + LIFETIME
    if not _end(export, state=Export.State.READY, file=stored, expires_at=expires):
        documents.delete_file(stored)  # it was taken back meanwhile
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
                _("Your documents, envelopes, templates and signatures lie ready as one ZIP file until %(day)s UTC.")
                % {"day": date_format(expires, "j F Y, H:i")}
            ],
            action=_("Download the export"),
            link=f"{settings.SIGNAPP_URL}{reverse('signapp:export')}",
            after=[_("You log in again to download it. If you did not ask for it, log in and delete it.")],
        ),
        to=export.email,
    )


def _end(export: Export, **values: Any) -> bool:
    return Export.objects.filter(pk=export.pk, state=Export.State.BUILDING).update(lease_until=None, **values) > 0


class _Archive:
    """Counts files as they go in, and remembers which could not be read."""

    def __init__(self, archive: zipfile.ZipFile, export: Export) -> None:
        self.archive, self.export, self.done = archive, export, 0

    def add(self, stored: StoredFile | None, name: str) -> str:
        """The name under which it is in the archive; empty if there is none, or it cannot be read any more."""
        if stored is None:
            return ""
        try:
            # What is signed is compressed inside, and its bytes are what is signed: stored as it is.
            with documents.open_file(stored) as source, self.archive.open(name, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target)
        except StorageFullError:
            raise
        except SignappError as error:
            log.error("an export lacks file %s: %s", stored.pk, error.code)
            return ""
        self.done += 1
        mine = Export.objects.filter(pk=self.export.pk)
        mine.update(done=self.done, lease_until=timezone.now() + _LEASE)
        return name


def _write(export: Export, file: IO[bytes]) -> None:
    account = Account(export.issuer, export.subject, export.email, export.name, is_operator=False)
    own = list(Document.objects.filter(**_own(account), part=None).select_related("original", "signed"))
    envelopes = list(visible_envelopes(account).order_by("created"))
    templates = list(Envelope.objects.filter(**_own(account), state=Envelope.State.TEMPLATE).order_by("created"))
    looks = list(Look.objects.filter(**_own(account)).select_related("picture"))
    count = sum((each.original is not None) + (each.signed is not None) for each in own) + len(looks)
    count += sum(each.documents.count() for each in (*envelopes, *templates))
    Export.objects.filter(pk=export.pk).update(total=count)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        adding = _Archive(archive, export)
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
        archive.writestr("export.json", json.dumps(body, indent=1, ensure_ascii=False, default=str))


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

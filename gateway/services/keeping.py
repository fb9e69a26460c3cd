"""Documents that were made, and what their jobs' rows say of it: all of a step's in one transaction, after their files
are on disk. Whoever dies before that leaves files that no row knows, and nothing else; they are swept."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from gateway import documents
from gateway.models import Job, StoredDocument, update_rows
from gateway.services.announcing import announce_prepared


@dataclass(frozen=True)
class Made:
    """A document of a job whose file is stored and whose row is not; ``values`` is what the job's row will say, of the
    same columns in all of a step."""

    job_id: uuid.UUID
    document: StoredDocument
    values: dict[str, Any]


def keep(
    *,
    made: Sequence[Made],
    states: Collection[str],
    lease_id: uuid.UUID | None,
    column: str,
    replaced: Sequence[str],
) -> set[uuid.UUID]:
    """The jobs that are still in one of ``states`` and under this lease take their documents as ``column`` and let go
    of those in the ``replaced`` columns, which are deleted. Of the others nothing is kept. Answers which took theirs.
    Raises `StorageFullError`."""
    if not made:
        return set()
    documents.settle([each.document.pk for each in made])
    old: list[uuid.UUID] = []
    with transaction.atomic(using=router.db_for_write(Job)):
        asked = Job.objects.filter(pk__in=[each.job_id for each in made]).select_for_update().order_by("pk")
        columns = ("pk", "state", "lease_id", "announced", *replaced)
        held = {
            pk: rest for pk, state, lease, *rest in asked.values_list(*columns) if state in states and lease == lease_id
        }
        kept = [each for each in made if each.job_id in held]
        if kept:
            StoredDocument.objects.bulk_create([each.document for each in kept])
            alike = dict.fromkeys(replaced) | {"updated_at": timezone.now()}
            update_rows(Job, {each.job_id: each.values | alike | {column: each.document.pk} for each in kept})
            old = [each for _, *former in held.values() for each in former if each is not None]
            if old:
                StoredDocument.objects.filter(pk__in=old).delete()
            announce_prepared(job_ids=[pk for pk, (announced, *_) in held.items() if announced is not None])
    documents.remove_files([each.document.pk for each in made if each.job_id not in held])
    documents.remove_files(old)
    return set(held)

"""How much one caller may keep here. Who asks for more has some of it signed or deletes it: nobody fills the disk."""

from django.conf import settings
from django.db.models import Count, Q, Sum

from gateway.errors import TooManyDocumentsError
from gateway.models import Archive, Composed, Job
from gateway.services.callers import VerifiedCaller

# Of jobs that hold a document: how many are not signed, and the bytes of all.
_JOBS = Composed(
    Job,
    lambda issuer, subject: (
        Job.objects.filter(issuer=issuer, subject=subject)
        .exclude(state=Job.State.EXPIRED)
        .values("issuer")
        .annotate(count=Count("pk", filter=~Q(state=Job.State.SIGNED)), size=Sum("document_size"))
        .values_list("count", "size")
    ),
    2,
)
# How many there are, and their bytes.
_ARCHIVES = Composed(
    Archive,
    lambda issuer, subject: (
        Archive.objects.filter(issuer=issuer, subject=subject)
        .values("issuer")
        .annotate(count=Count("pk"), size=Sum("document__size"))
        .values_list("count", "size")
    ),
    2,
)


def check_room_for_job(*, caller: VerifiedCaller, size: int) -> None:
    """Raises `TooManyDocumentsError` if a document of ``size`` bytes would be a job too many of the caller's, or too
    many bytes. Looked at before it is kept, so those who come at the same moment may pass together."""
    (jobs, job_bytes), (_, archived_bytes) = _kept(_JOBS, caller), _kept(_ARCHIVES, caller)
    _check(jobs < settings.CALLER_JOBS, job_bytes + archived_bytes + size)


def check_room_for_archive(*, caller: VerifiedCaller, size: int) -> None:
    """The same of a document that is kept signed."""
    (_, job_bytes), (archives, archived_bytes) = _kept(_JOBS, caller), _kept(_ARCHIVES, caller)
    _check(archives < settings.CALLER_ARCHIVES, job_bytes + archived_bytes + size)


def _kept(counted: Composed, caller: VerifiedCaller) -> tuple[int, int]:
    rows = counted.rows(caller.issuer, caller.subject)
    return (int(rows[0][0]), int(rows[0][1])) if rows else (0, 0)


def _check(has_room: bool, size: int) -> None:
    if not has_room or size > settings.CALLER_BYTES:
        raise TooManyDocumentsError

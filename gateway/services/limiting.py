"""How much one caller may keep here. Who asks for more has some of it signed or deletes it: nobody fills the disk."""

from typing import Any

from django.conf import settings
from django.db.models import Count, Q, Sum

from gateway.errors import TooManyDocumentsError
from gateway.models import Archive, Job
from gateway.services.callers import VerifiedCaller


def check_room_for_job(*, caller: VerifiedCaller, size: int) -> None:
    """Raises `TooManyDocumentsError` if a document of ``size`` bytes would be a job too many of the caller's, or too
    many bytes. Looked at before it is kept, so those who come at the same moment may pass together."""
    jobs = _jobs(caller).aggregate(count=Count("pk", filter=~Q(state=Job.State.SIGNED)), size=Sum("document_size"))
    archives = _archives(caller).aggregate(size=Sum("document__size"))
    _check(jobs["count"] < settings.CALLER_JOBS, (jobs["size"], archives["size"]), size)


def check_room_for_archive(*, caller: VerifiedCaller, size: int) -> None:
    """The same of a document that is kept signed."""
    jobs = _jobs(caller).aggregate(size=Sum("document_size"))
    archives = _archives(caller).aggregate(count=Count("pk"), size=Sum("document__size"))
    _check(archives["count"] < settings.CALLER_ARCHIVES, (jobs["size"], archives["size"]), size)


def _jobs(caller: VerifiedCaller) -> Any:
    """Those that hold a document."""
    return Job.objects.filter(issuer=caller.issuer, subject=caller.subject).exclude(state=Job.State.EXPIRED)


def _archives(caller: VerifiedCaller) -> Any:
    return Archive.objects.filter(issuer=caller.issuer, subject=caller.subject)


def _check(has_room: bool, kept: tuple[int | None, ...], size: int) -> None:
    if not has_room or sum(int(each or 0) for each in kept) + size > settings.CALLER_BYTES:
        raise TooManyDocumentsError

"""What there is, for operators: credentials and requests by page, what became of one, how many there are."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from django.db.models import Count, Model, Q, QuerySet
from django.utils import timezone

from rssp.errors import UnknownCredentialError
from rssp.models import AuditEvent, Certificate, CertificateRequest, Credential, CredentialEnd, StandingEnd
from rssp.services.expiring import list_expiring

MOST_EVENTS = 50
M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class CredentialFilter:
    """What is not said narrows nothing. ``query`` is a part of an identifier, a description, or a serial number."""

    query: str = ""
    status: str = ""
    certificate_status: str = ""
    certificate_policy: str = ""
    subject: str = ""
    expires_before: datetime | None = None


@dataclass(frozen=True)
class RequestFilter:
    state: str = ""
    certificate_policy: str = ""
    subject: str = ""


@dataclass(frozen=True)
class Counts:
    """By state; ``expiring`` by days from now; ``proposed`` ends wait for a second operator."""

    credentials: dict[str, int]
    certificates: dict[str, int]
    requests: dict[str, int]
    expiring: dict[int, int]
    proposed: int


def list_credentials(*, wanted: CredentialFilter, after: int | None, limit: int) -> tuple[list[Credential], int | None]:
    """The newest first, those after the row ``after``; and after which row the next page begins, if there is one."""
    rows = Credential.objects.select_related("certificate", "key")
    exact = {
        "status": wanted.status,
        "certificate__status": wanted.certificate_status,
        "certificate_policy": wanted.certificate_policy,
        "subject": wanted.subject,
    }
    rows = rows.filter(**{name: value for name, value in exact.items() if value})
    if wanted.expires_before is not None:
        rows = rows.filter(certificate__not_after__lt=wanted.expires_before)
    if wanted.query:
        text = wanted.query
        rows = rows.filter(
            Q(credential_id__icontains=text)
            | Q(subject__icontains=text)
            | Q(description__icontains=text)
            | Q(certificate__serial_number__iexact=text)
        )
    return _page(rows, after, limit)


def list_requests(
    *, wanted: RequestFilter, after: int | None, limit: int
) -> tuple[list[CertificateRequest], int | None]:
    """As `list_credentials`."""
    exact = {"state": wanted.state, "certificate_policy": wanted.certificate_policy, "subject": wanted.subject}
    rows = CertificateRequest.objects.select_related("key").prefetch_related("attributes", "decisions")
    return _page(rows.filter(**{name: value for name, value in exact.items() if value}), after, limit)


def find_credential(*, credential_id: str) -> Credential:
    """Raises `UnknownCredentialError`."""
    if "\0" in credential_id:  # which PostgreSQL takes in no question
        raise UnknownCredentialError("there is no such credential")
    rows = Credential.objects.select_related("certificate", "key").filter(credential_id=credential_id)
    return _only(rows)


def find_request(*, number: int) -> CertificateRequest:
    """Raises `UnknownCredentialError`."""
    rows = CertificateRequest.objects.select_related("key").prefetch_related("attributes", "decisions")
    return _only(rows.filter(pk=number))


def list_certificates(*, credential: Credential) -> Sequence[Certificate]:
    """All that it ever had, the newest first: for its key, and for those that its requests were made with."""
    requests = CertificateRequest.objects.filter(credential_id=credential.credential_id).exclude(key=None)
    keys = [bytes(credential.key.public_key), *map(bytes, requests.values_list("key__public_key", flat=True))]
    checksums = {hashlib.sha256(key).hexdigest() for key in keys}
    rows = Certificate.objects.filter(public_key_sha256__in=checksums, state=Certificate.State.ISSUED)
    return list(rows.order_by("-pk"))


def list_events(*, credential: Credential) -> Sequence[AuditEvent]:
    """The latest of the audit, the newest first."""
    rows = AuditEvent.objects.filter(credential_id=credential.credential_id)
    return list(rows.order_by("-sequence")[:MOST_EVENTS])


def find_proposed_end(*, credential: Credential) -> CredentialEnd | None:
    return CredentialEnd.objects.filter(credential=credential, confirmed=None, withdrawn=None).first()


def count_all() -> Counts:
    now = timezone.now()
    certificates = Certificate.objects.filter(
        state=Certificate.State.ISSUED, role__in=[Certificate.Role.SIGNER, Certificate.Role.SEAL]
    )
    over = {"expired": certificates.filter(status=Certificate.Status.VALID, not_after__lte=now).count()}
    current = certificates.exclude(status=Certificate.Status.VALID, not_after__lte=now)
    waiting = [kind.objects.filter(confirmed=None, withdrawn=None).count() for kind in (CredentialEnd, StandingEnd)]
    return Counts(
        credentials=_by(Credential.objects.all(), "status", Credential.Status.values),
        certificates=_by(current, "status", Certificate.Status.values) | over,
        requests=_by(CertificateRequest.objects.all(), "state", CertificateRequest.State.values),
        expiring={days: list_expiring(within=timedelta(days=days)).count() for days in (7, 30, 90)},
        proposed=sum(waiting),
    )


def _by(rows: QuerySet[M], name: str, values: Sequence[str]) -> dict[str, int]:
    counted = dict(rows.order_by().values_list(name).annotate(Count("pk")))
    return {value: counted.get(value, 0) for value in values}


def _page(rows: QuerySet[M], after: int | None, limit: int) -> tuple[list[M], int | None]:
    ordered = rows.order_by("-pk")
    found = list((ordered if after is None else ordered.filter(pk__lt=after))[: limit + 1])
    return found[:limit], found[limit - 1].pk if len(found) > limit else None


def _only(rows: QuerySet[M]) -> M:
    found = rows.first()
    if found is None:
        raise UnknownCredentialError("there is no such credential or request")
    return found

"""What an operator wants to know of the authority at a glance."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Q
from django.utils import timezone

from rssp.models import Certificate, RevocationList
from rssp.pki.profiles import ISSUING, OCSP, ROOT, TSA
from rssp.services.authority import certificate_status, list_authority


@dataclass(frozen=True)
class AuthorityState:
    """One generation; ``status`` is `certificate_status`'s, ``revocation_list`` the last one published."""

    certificate: Certificate
    status: str
    key_is_here: bool
    revocation_list: RevocationList | None
    responder: Certificate | None


@dataclass(frozen=True)
class Expiring:
    """How many valid certificates of a profile end within so many days."""

    profile: str
    week: int
    month: int
    quarter: int


def describe_authorities() -> list[AuthorityState]:
    """Root and issuing authorities with what is published about their certificates, and time-stamping units."""
    now = timezone.now()
    responders = list_authority(role=OCSP.role)
    return [
        AuthorityState(
            certificate=certificate,
            status=certificate_status(certificate, now),
            key_is_here=certificate.hsm_key_id is not None,
            revocation_list=RevocationList.objects.filter(scope__issuer=certificate, scope__partition=0)
            .defer("der")
            .order_by("-number")
            .first(),
            responder=next((row for row in responders if row.issuer_id == certificate.pk), None),
        )
        for profile in (ROOT, ISSUING, TSA)
        for certificate in list_authority(role=profile.role)
    ]


def count_expiring() -> list[Expiring]:
    """By profile, soonest first; certificates that are revoked, on hold or over do not count."""
    now = timezone.now()

    def within(days: int) -> Count:
        return Count("pk", filter=Q(not_after__lte=now + timedelta(days=days)))

    rows = Certificate.objects.filter(
        state=Certificate.State.ISSUED, status=Certificate.Status.VALID, not_after__gt=now
    )
    counted = rows.values("profile").annotate(week=within(7), month=within(30), quarter=within(90)).order_by("profile")
    return [Expiring(row["profile"], row["week"], row["month"], row["quarter"]) for row in counted]

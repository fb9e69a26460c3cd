"""The time-stamping authority: one key in the HSM, one clock, and a record of every token (EN 319 421)."""

from functools import cache, lru_cache

from django.conf import settings
from django.utils import timezone

from rssp.errors import AuthorityMissingError, TimestampPolicyError
from rssp.models import Certificate, Timestamp
from rssp.pki.clock import TIME_SOURCES, Clock
from rssp.pki.profiles import TSA
from rssp.pki.tsa import DEMONSTRATION_POLICIES, TimestampRequest, build_token
from rssp.services.authority import prepare_service_certificate, read_authority, read_chain
from rssp.services.hsm import get_hsm
from rssp.services.limiting import Limit, network_of
from rssp.services.timestamp_records import RECORDER, Caller, Waiting

_BATCH = 1000
_limit = Limit()


def issue_timestamp(*, request: TimestampRequest, caller: Caller) -> bytes:
    """The token as DER. Raises `TimestampError`, `TooManyRequestsError`, `AuthorityError` or `HsmError`."""
    policy = settings.TSA_POLICY_OID or DEMONSTRATION_POLICIES[settings.TSA_TIME_SOURCE]
    if request.policy not in {None, policy}:
        raise TimestampPolicyError("there is one policy")
    certificate = _find_certificate()
    chain = _chain_of(bytes(certificate.der))
    _count_here(caller)
    with get_hsm().open_key(key_id=bytes(certificate.hsm_key_id or b"")) as signer:
        stamp = RECORDER.record(Waiting(request, policy, caller, get_clock()))
        return build_token(request=request, stamp=stamp, chain=chain, signer=signer)


def _find_certificate() -> Certificate:
    """The unit's, by one query unless it is missing or its key has served its time."""
    try:
        certificate = read_authority(role=TSA.role)
    except AuthorityMissingError:
        return prepare_service_certificate(role=TSA.role)
    if certificate.not_after - TSA.renewed <= timezone.now():
        return prepare_service_certificate(role=TSA.role)
    return certificate


@lru_cache(maxsize=8)
def _chain_of(der: bytes) -> tuple[bytes, ...]:
    """The certificate and those above it but for the root, which is known to whoever trusts it."""
    return tuple(read_chain(Certificate.objects.get(role=TSA.role, der=der))[:-1])


def get_clock() -> Clock:
    """This process's, which looks on from its first use."""
    return _clock(settings.TSA_TIME_SOURCE, settings.TSA_ACCURACY, settings.TSA_LARGEST_CLOCK_STEP)


_clock = cache(
    lambda source, accuracy, step: Clock(source=TIME_SOURCES[source](), accuracy=accuracy, largest_step=step)
)


def clear_timestamps() -> int:
    """Forgets what is older than the retention, a batch at a time; how many that were. The tally keeps the count."""
    old = Timestamp.objects.filter(generated__lt=timezone.now() - settings.TSA_RETENTION)
    cleared = 0
    while serials := list(old.values_list("pk", flat=True)[:_BATCH]):
        cleared += Timestamp.objects.filter(pk__in=serials).delete()[0]
    return cleared


def _count_here(caller: Caller) -> None:
    """Whoever asks this process too often reaches neither the HSM nor the tally that all wait for."""
    if not caller.client_id:
        _limit.take({network_of(caller.address): settings.TSA_TOKENS_PER_MINUTE})

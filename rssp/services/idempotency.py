"""Calls of the operators' API that are answered once: the same key and request again get the same answer."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, router, transaction
from django.utils import timezone

from rssp.clients.introspection import VerifiedToken
from rssp.errors import CallUnderWayError, KeyReusedError
from rssp.models import KeptAnswer
from rssp.services.macs import is_mac, make_mac

Answer = tuple[int, dict[str, Any]]  # a success, and its JSON

# Longer than any call takes, outside authorities included: who left without an answer by then has died.
_LEASE = timedelta(minutes=10)
_KEPT = timedelta(days=1)
_KIND = "operators' call"


def answer_once(
    *, token: VerifiedToken, key: str | None, request: tuple[str, bytes], make: Callable[[], Answer]
) -> Answer:
    """What ``make`` answers, or what it answered when this caller sent ``key`` with this ``request`` (address and body)
    before. Refusals are not kept, so what was mended may be sent again.

    Raises what ``make`` raises; `KeyReusedError` for another request; `CallUnderWayError` while the first one is still
    being answered.
    """
    if key is None:
        return make()
    whose = {"issuer": token.issuer, "client_id": token.client_id, "subject": token.subject, "key": key}
    mine = KeptAnswer.objects.filter(**whose)
    mine.filter(expires__lte=timezone.now()).delete()
    if not _begin(whose, request):
        return _read(mine.first(), request)
    unanswered = mine.filter(status=None)
    try:
        status, body = make()
    except BaseException:
        unanswered.delete()
        raise
    unanswered.update(status=status, body=body)
    return status, body


def _begin(whose: dict[str, str], request: tuple[str, bytes]) -> bool:
    """Whether the answer is this call's to make: it is the first one, or the first one died."""
    now = timezone.now()
    times = {"lease_until": now + _LEASE, "expires": now + _KEPT}
    try:
        with transaction.atomic(using=router.db_for_write(KeptAnswer)):
            KeptAnswer.objects.create(**whose, request=make_mac(_KIND, request), **times)
    except IntegrityError:
        kept = KeptAnswer.objects.filter(**whose, status=None, lease_until__lte=now).first()
        if kept is None or not is_mac(kept.request, _KIND, request):
            return False
        return bool(KeptAnswer.objects.filter(pk=kept.pk, status=None, lease_until=kept.lease_until).update(**times))
    return True


def _read(kept: KeptAnswer | None, request: tuple[str, bytes]) -> Answer:
    if kept is not None and not is_mac(kept.request, _KIND, request):
        raise KeyReusedError("the key came with another request")
    if kept is None or kept.status is None:
        raise CallUnderWayError("the first call is being answered")
    return kept.status, kept.body

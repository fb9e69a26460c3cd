"""Calls that are answered once: the same key and request again get the same answer, whoever was too impatient."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, router, transaction
from django.utils import timezone

from gateway import documents
from gateway.errors import CallUnderWayError, KeyReusedError
from gateway.models import KeptAnswer, retention_end
from gateway.services.callers import VerifiedCaller

# Longer than any call takes: who left without an answer by then has died.
_LEASE = timedelta(minutes=3)


@dataclass(frozen=True)
class Answer:
    """A success, and its JSON."""

    status: int
    body: dict[str, Any]


def fingerprint(*parts: bytes) -> str:
    """SHA-256 over what makes a request the same one, hexadecimal."""
    inner = [hashlib.sha256(part).digest() for part in parts]
    return hashlib.sha256(b"".join(inner)).hexdigest()


def answer_once(*, caller: VerifiedCaller, key: str | None, request: str, make: Callable[[], Answer]) -> Answer:
    """What ``make`` answers, or what it answered when this caller sent ``key`` with this ``request`` (a `fingerprint`)
    before. Refusals are not kept, so what was mended may be sent again.

    Raises what ``make`` raises; `KeyReusedError` for another request; `CallUnderWayError` while the first one is still
    being answered.
    """
    if key is None:
        return make()
    whose = {"issuer": caller.issuer, "client_id": caller.client_id, "subject": caller.subject, "key": key}
    mine = KeptAnswer.objects.filter(**whose)
    mine.filter(expires_at__lte=timezone.now()).delete()
    if not _begin(whose, request):
        return _read(mine.first(), request)
    unanswered = mine.filter(request=request, status=None)
    try:
        answer = make()
    except BaseException:
        unanswered.delete()
        raise
    unanswered.change(status=answer.status, body=documents.encrypt_text(json.dumps(answer.body)))
    return answer


def _begin(whose: dict[str, str], request: str) -> bool:
    """Whether the answer is this call's to make: it is the first one, or the first one died."""
    now = timezone.now()
    times = {"lease_until": now + _LEASE, "expires_at": retention_end()}
    try:
        with transaction.atomic(using=router.db_for_write(KeptAnswer)):
            KeptAnswer.objects.create(**whose, request=request, **times)
    except IntegrityError:
        abandoned = KeptAnswer.objects.filter(**whose, request=request, status=None, lease_until__lte=now)
        taken: bool = abandoned.change(**times)
        return taken
    return True


def _read(kept: KeptAnswer | None, request: str) -> Answer:
    if kept is not None and kept.request != request:
        raise KeyReusedError
    if kept is None or kept.status is None:
        raise CallUnderWayError
    return Answer(kept.status, json.loads(documents.decrypt_text(kept.body)))

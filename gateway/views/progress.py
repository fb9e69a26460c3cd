"""Progress of a batch as it is made: server-sent events (HTML Living Standard, 9.2)."""

import json
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from gateway.errors import BatchNotFoundError, TooManyFollowersError
from gateway.models import Batch
from gateway.services import batches
from gateway.services.callers import VerifiedCaller
from gateway.views.batches import batch_to_json
from gateway.views.endpoint import endpoint

SECONDS = 30.0
_BETWEEN = 0.5
_MOVING = (Batch.State.PREPARING, Batch.State.APPROVED)
# Each takes a thread of the web process for as long as it lasts.
_places = threading.BoundedSemaphore(4)


@endpoint("GET")
def follow_batch(request: HttpRequest, caller: VerifiedCaller, batch_id: uuid.UUID) -> HttpResponseBase:
    batches.find_batch(caller=caller, batch_id=batch_id)
    return StreamingHttpResponse(_Events(caller, batch_id), content_type="text/event-stream")


class _Events:
    """Holds a place until it is closed, which Django sees to, whether it was read or not."""

    def __init__(self, caller: VerifiedCaller, batch_id: uuid.UUID) -> None:
        if not _places.acquire(blocking=False):
            raise TooManyFollowersError
        self._caller, self._batch_id, self._is_closed = caller, batch_id, False

    def __iter__(self) -> Iterator[bytes]:
        until, last = time.monotonic() + SECONDS, None
        while (told := self._read()) is not None:
            if told != last:
                yield f"data: {json.dumps(told)}\n\n".encode()
            last = told
            if told["state"] not in _MOVING or time.monotonic() > until:
                return
            time.sleep(_BETWEEN)

    def _read(self) -> dict[str, Any] | None:
        try:
            return batch_to_json(batches.find_batch(caller=self._caller, batch_id=self._batch_id))
        except BatchNotFoundError:
            return None  # deleted meanwhile

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            _places.release()

"""One of several processes that race for calls of mode A over one database: what test_asynchronous_races starts.

``run``: each call of the given keys is begun as this process's own thread would; ``notify``: the worker's round.
Prints what it did as a line of JSON.
"""

import json
import sys
import time
from threading import BoundedSemaphore
from typing import Any, cast

import django

django.setup()

from rssp.errors import HsmUnavailableError  # noqa: E402
from rssp.models import AsynchronousCall  # noqa: E402
from rssp.services import asynchronous  # noqa: E402
from rssp.services.signing import SigningCall  # noqa: E402

done: list[int] = []


def note(*, call: Any) -> list[bytes]:
    """Stands at the door of the HSM and counts who comes through."""
    done.append(call)
    if call % 3 == 0:
        raise HsmUnavailableError("the HSM is away")
    return [b"signature"]


def wait_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.time()))


def run(keys: list[int]) -> list[int]:
    asynchronous.perform = note  # type: ignore[assignment]
    for pk in keys:
        places = BoundedSemaphore(1)
        places.acquire()
        asynchronous._run(pk, cast(SigningCall, pk), places)
    return done


def notify(_keys: list[int]) -> list[int]:
    told = 0
    for _ in range(3):
        told += asynchronous.notify_clients()
    return [told]


def sweep(_keys: list[int]) -> list[int]:
    return [asynchronous.sweep_calls()]


def main(what: str, moment: float, keys: list[int]) -> None:
    AsynchronousCall.objects.exists()  # the connection is there before the race begins
    wait_until(moment)
    sys.stdout.write(json.dumps({"run": run, "notify": notify, "sweep": sweep}[what](keys)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), json.loads(sys.argv[3]))

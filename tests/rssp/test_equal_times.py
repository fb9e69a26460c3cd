"""Yardsticks A3, E9: whether somebody else has a credential shows in no word and no time. What is compared is the
processor's time, on a busy machine too."""

import json
import os
import statistics
import time
import uuid
from collections.abc import Callable

import pytest

from tests.flows.chain import report
from tests.rssp.conftest import Signer, call, digest

SAMPLES = int(os.environ.get("TIMING_SAMPLES", "12"))


def medians(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float, float]:
    """Of both, taken in turn; and the noise, half the interquartile range of the first one's."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(SAMPLES):
        for ask, into in zip((first, second), times, strict=True):
            begun = time.process_time()
            ask()
            into.append(time.process_time() - begun)
    quarters = statistics.quantiles(times[0], n=4)
    return statistics.median(times[0]), statistics.median(times[1]), (quarters[2] - quarters[0]) / 2


@pytest.mark.parametrize("method", ["credentials/info", "signatures/signHash"])
def test_a_credential_of_somebody_else_is_as_none(alice: Signer, bob: Signer, method: str) -> None:
    bearer = bob.log_in()
    body = {"hashes": ["a" * 43 + "="], "signAlgo": "1.2.840.10045.4.3.2", "SAD": bob.approve(digest("Lease"))}

    def ask(credential_id: str) -> tuple[int, str]:
        answer = call(method, {"credentialID": credential_id} | (body if "sign" in method else {}), bearer)
        told = answer.json()
        told.pop("request_id")
        return answer.status_code, json.dumps(told)

    theirs, unknown = alice.credential.credential_id, str(uuid.uuid4())
    assert ask(theirs) == ask(unknown)
    assert ask(theirs)[0] == 400
    known, other, noise = medians(lambda: ask(theirs), lambda: ask(unknown))
    report(f"{method}: {known * 1000:.2f} ms another's, {other * 1000:.2f} ms none's, noise {noise * 1000:.2f} ms")
    assert abs(known - other) <= max(noise, 0.1 * known) + 0.002


def test_a_list_asked_for_somebody_else_is_refused_alike(alice: Signer, bob: Signer) -> None:
    bearer = bob.log_in()

    def ask(user_id: str) -> tuple[int, str, str]:
        answer = call("credentials/list", {"userID": user_id}, bearer)
        return answer.status_code, answer.json()["error"], answer.json()["error_description"]

    assert ask(alice.subject) == ask(str(uuid.uuid4()))
    assert ask(alice.subject)[0] == 400
    known, other, noise = medians(lambda: ask(alice.subject), lambda: ask(str(uuid.uuid4())))
    report(
        f"credentials/list: {known * 1000:.2f} ms another, {other * 1000:.2f} ms nobody, noise {noise * 1000:.2f} ms"
    )
    assert abs(known - other) <= max(noise, 0.1 * known) + 0.002

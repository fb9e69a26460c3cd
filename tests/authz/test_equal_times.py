"""Who has an account shows in no time (ASVS 6.3.8). What is compared is the processor's time, on a busy machine too."""

import json
import os
import re
import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from authz.services import throttling
from tests.authz.conftest import Person, block
from tests.flows.chain import report

SAMPLES = int(os.environ.get("TIMING_SAMPLES", "12"))


@pytest.fixture(autouse=True)
def _unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ADDRESS", "ACCOUNT", "ACCOUNT_AT_ADDRESS", "PASSWORD_LINKS_AT_ADDRESS", "SIGN_UP_AT_ADDRESS"):
        monkeypatch.setattr(throttling, name, throttling.Limit(name, 10**6))


def medians(known: Callable[[], None], unknown: Callable[[], None]) -> tuple[float, float, float]:
    """Of both, taken in turn; and the noise, which is the known one's own spread (half its interquartile range)."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(SAMPLES):
        for ask, into in zip((known, unknown), times, strict=True):
            begun = time.process_time()
            ask()
            into.append(time.process_time() - begun)
    quarters = statistics.quantiles(times[0], n=4)
    return statistics.median(times[0]), statistics.median(times[1]), (quarters[2] - quarters[0]) / 2


def asking(path: str, email: str, **form: str) -> Callable[[], None]:
    def ask() -> None:
        assert Client().post(path, {"email": email, **form}).status_code in (200, 422)

    return ask


@pytest.mark.parametrize(
    ("path", "form"),
    [("/authz/login", {"password": "wrong"}), ("/authz/forgotten", {}), ("/authz/signup", {})],
    ids=["login", "forgotten", "sign-up"],
)
def test_known_and_unknown_accounts_take_as_long(
    alice: Person, settings: Any, monkeypatch: pytest.MonkeyPatch, path: str, form: dict[str, str]
) -> None:
    settings.SIGN_UP_BY_LINK = True
    for task in ("send_password_link", "send_sign_up_link"):
        monkeypatch.setattr(f"authz.tasks.{task}.delay", lambda *_: None)
    known, unknown, noise = medians(asking(path, alice.email, **form), asking(path, "nobody@example.org", **form))
    report(f"{path}: {known * 1000:.2f} ms known, {unknown * 1000:.2f} ms unknown, noise {noise * 1000:.2f} ms")
    assert abs(known - unknown) <= max(noise, 0.1 * known) + 0.002


def test_a_passkey_that_is_known_and_one_that_is_not_take_as_long(alice: Person, mallory: Person) -> None:
    """The passkey alone names its account; each answer is wrong, so neither logs anybody in."""

    def answering(person: Person) -> Callable[[], None]:
        def ask() -> None:
            client = Client()
            options = block(client.get("/authz/login"))[0]["options"]
            answer = json.dumps(person.key.get(options, origin="https://evil.example"))
            refused = client.post("/authz/login/by-passkey", {"response": answer})
            assert refused.status_code == 422
            seen.add(re.sub(r'value="[^"]*"|"challenge": ?"[^"]*"', "", refused.content.decode()))

        return ask

    seen: set[str] = set()
    mallory.user.passkeys.all().delete()
    known, unknown, noise = medians(answering(alice), answering(mallory))
    report(f"by passkey: {known * 1000:.2f} ms known, {unknown * 1000:.2f} ms unknown, noise {noise * 1000:.2f} ms")
    assert abs(known - unknown) <= max(noise, 0.1 * known) + 0.002
    assert len(seen) == 1, "one page for both"

"""Web processes that are killed again and again in the gaps of the signing cycle, on PostgreSQL with several of them.

``SOAK_KILLS`` says how often and ``SOAK_MINUTES`` for how long at most (`make soak`), ``SOAK_SEED`` in which order of
points. What is asked afterwards: no digest
was signed twice, every intent has its end and its entry in the audit, and nobody had to do anything.
"""

import os
import random
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.flows import faults
from tests.flows.chain import Chain, Signer, eventually, report
from tests.flows.conftest import Breakable
from tests.support.walk import digest_of

pytestmark = [pytest.mark.instance, pytest.mark.postgresql, pytest.mark.xdist_group("flows-breakable")]

KILLS = int(os.environ.get("SOAK_KILLS", "5"))  # each gap once
MINUTES = float(os.environ.get("SOAK_MINUTES", "60"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
_BATCH = 10
_AGED = "UPDATE rssp_activateddigest SET {0} = {0} - interval '1 hour' WHERE {0} IS NOT NULL AND state IN ('reserved', 'intended')"  # noqa: E501


@pytest.fixture
def several(breakable: Breakable) -> Chain:
    return breakable.chain


@pytest.fixture
def alice(several: Chain) -> Iterator[Signer]:
    with several.signer("Alice", "ec-p256") as signer:
        yield signer


def kill_once(signer: Signer, token: str, digest: bytes, folder: Path, point: str) -> str:
    """How the call ended for its client."""
    faults.arm(folder, point)
    try:
        return str(signer.sign(token, digest).status_code)
    except httpx.TransportError:
        return "lost"
    finally:
        deadline = time.monotonic() + 120
        while faults.is_armed(folder, point) and time.monotonic() < deadline:
            time.sleep(0.05)


def test_web_processes_killed_in_every_gap_sign_nothing_twice(several: Chain, alice: Signer) -> None:
    order = random.Random(SEED)  # noqa: S311  (an order, no secret)
    points = [faults.POINTS[number % len(faults.POINTS)] for number in range(KILLS)]
    order.shuffle(points)
    folder, made, ends = several.folder / "faults", several.signatures_made(), Counter[str]()
    all_digests: list[bytes] = []
    deadline = time.monotonic() + 60 * MINUTES
    while points and time.monotonic() < deadline:
        batch, points = points[:_BATCH], points[_BATCH:]
        digests = [digest_of(secrets.token_hex(8)) for _ in batch]
        token = eventually(lambda digests=digests: asked(alice, digests))
        for digest, point in zip(digests, batch, strict=True):
            ends[kill_once(alice, token, digest, folder, point)] += 1
            assert not faults.is_armed(folder, point)
            again(alice, token, digest)
        all_digests += digests
    assert ends == {"lost": len(all_digests)}
    settle(several, all_digests)
    account_for(several, all_digests, made)
    report(f"{len(all_digests)} of {KILLS} kills that were asked for")


def asked(signer: Signer, digests: list[bytes]) -> str:
    with suppress(httpx.TransportError):
        return signer.ask(*digests)
    return ""


def again(signer: Signer, token: str, digest: bytes) -> None:
    """What a client tries that lost its answer: it gets a signature if there certainly was none, or a refusal."""
    with suppress(httpx.TransportError):
        assert signer.sign(token, digest).status_code in {200, 400}


def settle(chain: Chain, digests: list[bytes]) -> None:
    """Lets the time pass after which the sweep looks at what was left, and waits for it."""
    for moment in ("reserved", "intended"):
        chain.rows("rssp", _AGED.format(moment))
    eventually(lambda: set(chain.ledger(digests)) <= {"authorised", "signed", "unknown"})


def account_for(chain: Chain, digests: list[bytes], made: int) -> None:
    states = Counter(chain.ledger(digests))
    intents = chain.rows("rssp", "SELECT digest, count(*) FROM rssp_intent GROUP BY digest")
    assert {count for _, count in intents} == {1}
    spent = {digest for digest, _ in intents} & {each.hex() for each in digests}
    assert len(spent) == states["signed"] + states["unknown"]
    asked = chain.signatures_over(*digests)
    assert max(asked.values()) == 1
    assert {digest.hex() for digest, count in asked.items() if count} <= spent
    # Each signature is one that the ledger knows, or an intent whose outcome nobody knows.
    signatures = chain.signatures_made() - made
    assert states["signed"] <= signatures <= states["signed"] + states["unknown"]
    sql = "SELECT digest, count(*) FROM rssp_auditevent WHERE action = 'sign' AND result IN ('signed', 'outcome unknown') GROUP BY digest"  # noqa: E501
    assert {count for _, count in chain.rows("rssp", sql)} == {1}
    report(
        f"{len(digests)} digests: {dict(states)}, {signatures} signatures made,"
        f" at most {max(asked.values())} C_Sign over a digest, {len(spent)} intents"
    )
    assert "all as they were written" in chain.instance.manage("verify_audit", capture=True)

"""Yardstick F5 for a large batch: worker and web killed at every step, with Redis as broker and with files instead.
``SOAK_PARTS=batches make soak`` runs it.

``SOAK_BATCH`` is how many documents, ``SOAK_BATCH_KILLS`` how many workers are killed beyond one at every step,
``SOAK_SEED`` in which order.
"""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows import faults
from tests.flows.batch_kills import Killed
from tests.flows.chain import Chain, eventually, report, spied
from tests.flows.faulty_worker import ASKING, FINISHING, PREPARING
from tests.support.gateway_caller import GatewayCaller
from tests.support.instance import start_instance

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("flows-batch-kills")]

DOCUMENTS = int(os.environ.get("SOAK_BATCH", "200"))
KILLS = int(os.environ.get("SOAK_BATCH_KILLS", "40"))
SEED = int(os.environ.get("SOAK_SEED", "1"))


@pytest.fixture(params=["files", "redis"])
def long(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Killed]:
    (tmp_path / "web-faults").mkdir()
    (tmp_path / "faults").mkdir()
    settings = {"JOB_SWEEP_SECONDS": "1", "LEDGER_SWEEP_SECONDS": "1", "TEST_FAULTS_DIR": str(tmp_path / "web-faults")}
    if request.param == "redis":
        settings["REDIS_URL"] = f"{request.getfixturevalue('redis_server')}/62"
    with start_instance(tmp_path / "var", settings=spied(tmp_path, **settings)) as instance:
        chain = Chain(instance, tmp_path)
        with chain.walker("Alice") as walker:
            walker.sign_up()
            walker.get_certificate("ec-p256")
            batch = Killed(chain, GatewayCaller(walker, instance), tmp_path / "faults")
            batch.stop_worker()
            batch.start_worker()
            yield batch


def test_f5_a_large_batch_is_killed_at_every_step(long: Killed, tmp_path: Path) -> None:
    order, began, made = random.Random(SEED), time.monotonic(), long.chain.signatures_made()  # noqa: S311  (no secret)
    early, late = ([order.choice(points) for _ in range(KILLS // 2)] for points in (PREPARING, FINISHING))
    long.open(DOCUMENTS)
    long.prepare(PREPARING, again=early)
    long.approve()
    eventually(lambda: long.signatures_are_there(), seconds=300)
    long.arm(FINISHING)
    long.survive("ended", again=late)
    assert long.account(made) == {"signed": DOCUMENTS}
    long.verify_some(tmp_path, every=20)
    report(
        f"{DOCUMENTS} documents, {long.deaths} workers killed before, between and after preparing and finishing them:"
        f" all signed, {long.chain.signatures_made() - made} C_Sign, in {time.monotonic() - began:.0f} seconds"
    )
    kill_while_signatures_are_asked_for(long, tmp_path / "web-faults", order.choice(faults.POINTS))


def kill_while_signatures_are_asked_for(long: Killed, web: Path, point: str) -> None:
    """Each call of signHash is for 50 documents, and two threads ask at once: all may be lost, none is asked for
    twice."""
    began, made, deaths = time.monotonic(), long.chain.signatures_made(), long.deaths
    long.open(DOCUMENTS)
    long.prepare([])
    long.arm(ASKING)
    faults.arm(web, point)
    long.approve()
    long.survive("ended")
    ends = long.account(made)
    assert not faults.is_armed(web, point)
    assert ends["outcome_unknown"] > 0
    report(
        f"{DOCUMENTS} documents, {long.deaths - deaths} workers killed before and after asking for signatures, a web"
        f" process {point}: {dict(ends)}, {long.chain.signatures_made() - made} C_Sign, at most one over a digest,"
        f" in {time.monotonic() - began:.0f} seconds"
    )

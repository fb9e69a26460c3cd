"""Yardstick F5 for batches: workers killed in the middle of one, with Redis as broker and with files in its place.
Every document is signed exactly once, or has failed with a reason; nobody has to do anything.

A few steps of a small batch; `tests.flows.long_batch_kills` is every step of a large one.
"""

import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from scripts import instance as instance_module
from tests.flows import faults, faulty_worker
from tests.flows.batch_kills import Killed
from tests.flows.chain import Chain, eventually
from tests.support.gateway_caller import GatewayCaller

pytestmark = pytest.mark.instance

ENDS = [
    pytest.param("chain", id="files", marks=pytest.mark.xdist_group("one instance")),
    pytest.param("several", id="redis", marks=[pytest.mark.xdist_group("flows-several"), pytest.mark.postgresql]),
]


@pytest.fixture
def killed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Killed]:
    """On a shared instance, which gets its own worker back."""
    chain: Chain = request.getfixturevalue(request.param)
    with chain.walker("Alice") as walker:
        walker.sign_up()
        walker.get_certificate("ec-p256")
        batch = Killed(chain, GatewayCaller(walker, chain.instance), tmp_path / "faults")
        batch.folder.mkdir()
        batch.stop_worker()
        batch.start_worker()
        yield batch
        batch.stop_worker()
        batch.start_worker(instance_module._WORKER)


@pytest.mark.parametrize("killed", ENDS, indirect=True)
def test_f5_a_batch_survives_its_worker_and_each_document_is_signed_once(killed: Killed, tmp_path: Path) -> None:
    made = killed.chain.signatures_made()
    killed.open(3)
    killed.prepare([faulty_worker.BEFORE_PREPARED_ROWS])
    killed.arm([faulty_worker.BEFORE_SIGNED_ROWS, faulty_worker.BEFORE_SETTLING])
    killed.approve()
    killed.survive("ended")
    assert killed.account(made) == {"signed": 3}
    assert killed.deaths == 3
    killed.verify_some(tmp_path, every=3)


@pytest.mark.parametrize("killed", ENDS[:1], indirect=True)
def test_f5_a_worker_that_dies_with_the_answer_leaves_unknown_outcomes_and_asks_no_second_time(killed: Killed) -> None:
    made = killed.chain.signatures_made()
    killed.open(2)
    killed.prepare([])
    killed.arm([faulty_worker.AFTER_ASKING])
    killed.approve()
    killed.survive("ended")
    assert killed.account(made) == {"outcome_unknown": 2}
    assert killed.chain.signatures_made() - made == 2


# --- The broker, and an orderly end ---------------------------------------------------------------------------


@pytest.mark.parametrize("killed", ENDS[1:], indirect=True)
def test_f6_f7_messages_that_are_lost_or_come_twice_change_nothing(killed: Killed) -> None:
    made, broker = killed.chain.signatures_made(), redis.Redis.from_url(killed.chain.instance.settings["REDIS_URL"])
    killed.open(2)
    killed.prepare([])
    killed.stop_worker()
    killed.approve()
    # F6: the broker forgets what it was told while nobody listened.
    assert broker.llen("celery") >= 1
    broker.flushdb()
    # F7: its patience is shorter than the work, so it takes the message for lost and gives it out again.
    faults.arm(killed.folder, faulty_worker.BEFORE_ASKING, "wait")
    killed.start_worker(**{faulty_worker.PATIENCE: "1"})
    try:
        eventually(lambda: not faults.is_armed(killed.folder, faulty_worker.BEFORE_ASKING))
        eventually(lambda: max(killed.deliveries().values(), default=0) > 1)
        assert killed.chain.signatures_made() == made
    finally:
        faults.let_go(killed.folder)
    killed.survive("ended")
    assert killed.account(made) == {"signed": 2}
    assert killed.deaths == 0


@pytest.mark.parametrize("killed", ENDS[1:], indirect=True)
def test_f16_an_orderly_end_in_the_middle_loses_nothing_and_shows_no_error(killed: Killed) -> None:
    made, web = killed.chain.signatures_made(), killed.chain.instance.processes["web"]
    killed.open(20)
    body = {"credential_id": killed.caller.credential(), "level": "B-B"}
    with ThreadPoolExecutor(1) as threads:
        told = threads.submit(follow, killed)
        killed.arm_to_wait(faulty_worker.PREPARED_FILE_STORED)
        killed.caller.call("POST", f"{killed.batch}/prepare", body)
        web.send_signal(signal.SIGHUP)  # new web processes for the old ones
        killed.stop_worker_in_the_middle(faulty_worker.PREPARED_FILE_STORED)
        assert killed.states()["open"] > 0  # it handed back
        killed.start_worker()
        killed.survive("prepared")
        killed.approve()
        killed.arm_to_wait(faulty_worker.SIGNED_FILE_STORED)
        killed.stop_worker_in_the_middle(faulty_worker.SIGNED_FILE_STORED)
        assert killed.states()["signing"] > 0
        killed.start_worker()
        killed.survive("ended")
        statuses = told.result(timeout=120)
    assert killed.account(made) == {"signed": 20}
    assert killed.deaths == 0
    assert set(statuses) == {200}


def follow(killed: Killed) -> Counter[int]:
    """Asks as a page does until all is done, or for long enough, over connections that are not kept: a kept one may be
    closed under its client. Answers with how often there was which status."""
    statuses: Counter[int] = Counter()
    state, until = "", time.monotonic() + 600
    while state != "ended" and time.monotonic() < until:
        answer = killed.caller.call("GET", killed.batch, Connection="close")
        statuses[answer.status_code] += 1
        state = answer.json()["state"]
        time.sleep(0.2)
    return statuses

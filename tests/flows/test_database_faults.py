"""F9 and F13: the PostgreSQL under an instance is killed in every gap of a signature and in the middle of many, is
locked, slow, full, or in a deadlock.

``SOAK_DATABASE_KILLS`` says how often it is killed under many calls (`make soak`), ``SOAK_SEED`` when.
"""

import os
import random
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from typing import Any

import httpx
import psycopg
import pytest

from tests.flows import faults
from tests.flows.chain import Chain, Signer, eventually, report
from tests.flows.conftest import Breakable
from tests.flows.test_kill_rounds import account_for, settle
from tests.support.walk import digest_of

pytestmark = [pytest.mark.instance, pytest.mark.postgresql, pytest.mark.xdist_group("flows-breakable")]

KILLS = int(os.environ.get("SOAK_DATABASE_KILLS", "2"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
PATIENCE = 2
_CALLERS, _DIGESTS = 4, 12
# The longest that a call may take: a lock is waited for in each of two transactions, on a machine that is busy with
# much else. What it would wait for without a bound takes longer.
_BOUND, _DAWDLE = 50, 120


@pytest.fixture(scope="module")
def chain(breakable: Breakable) -> Chain:
    return breakable.chain


@pytest.fixture(scope="module")
def alice(chain: Chain) -> Iterator[Signer]:
    with chain.signer("Alice", "ec-p256") as signer:
        yield signer


@pytest.fixture
def lease() -> bytes:
    return digest_of(secrets.token_hex(8))


def unavailable(answer: httpx.Response) -> bool:
    told = answer.json()
    return (answer.status_code, told["error"]) == (503, "temporarily_unavailable") and "Retry-After" in answer.headers


def signed_again(signer: Signer, token: str, digest: bytes) -> int:
    """Once the web processes have a database again, which is nobody's work."""
    return int(eventually(lambda: (told := signer.sign(token, digest).status_code) != 503 and told))


# What the call is answered, what becomes of its row, and how many signatures were made.
ENDS = [
    (faults.BEFORE_RESERVING, 503, "authorised", 0),
    (faults.AFTER_RESERVING, 503, "authorised", 0),
    (faults.AFTER_INTENT, 500, "unknown", 1),
    (faults.AFTER_SIGNING, 500, "unknown", 1),
    (faults.AFTER_OUTCOME, 200, "signed", 1),
]


@pytest.mark.parametrize(("point", "status", "state", "made"), ENDS, ids=[end[0] for end in ENDS])
def test_f9_a_database_killed_in_a_gap_gives_out_nothing_without_its_row(
    breakable: Breakable, alice: Signer, lease: bytes, point: str, status: int, state: str, made: int
) -> None:
    chain, server = breakable.chain, breakable.server
    token, before = alice.ask(lease), chain.signatures_made()
    faults.arm(breakable.faults, point, "wait")
    with ThreadPoolExecutor(1) as pool:
        answer: Future[httpx.Response] = pool.submit(alice.sign, token, lease)
        eventually(lambda: not faults.is_armed(breakable.faults, point))
        server.kill()
        faults.let_go(breakable.faults)
        told = answer.result(timeout=120)
    assert told.status_code == status
    assert ("signatures" in told.json()) is (status == 200)
    assert status != 503 or unavailable(told)
    assert unavailable(alice.sign(token, lease))  # and so is everything, as long as it is down
    page = httpx.get(f"{chain.base_url}/authz/login", trust_env=False, timeout=60)
    assert page.status_code == 503
    server.start()
    settle(chain, [lease])
    assert chain.ledger([lease]) == [state]
    assert signed_again(alice, token, lease) == (200 if state == "authorised" else 400)
    assert chain.signatures_over(lease)[lease] == 1
    assert chain.signatures_made() == before + max(made, 1)


def test_f9_a_database_killed_under_many_calls_signs_nothing_twice(breakable: Breakable, alice: Signer) -> None:
    chain, made = breakable.chain, breakable.chain.signatures_made()
    moments = random.Random(SEED)  # noqa: S311  (an order, no secret)
    all_digests: list[bytes] = []
    ends, given = Counter[int](), set[bytes]()
    for _ in range(KILLS):
        digests = [digest_of(secrets.token_hex(8)) for _ in range(_DIGESTS)]
        token = eventually(lambda digests=digests: asked(alice, digests))
        with ThreadPoolExecutor(_CALLERS) as pool:
            answers = [(digest, pool.submit(alice.sign, token, digest)) for digest in digests]
            # In the middle, however fast the machine is.
            list(islice(as_completed(answer for _, answer in answers), moments.randrange(_DIGESTS // 2)))
            time.sleep(moments.uniform(0, 0.1))
            breakable.server.kill()
        breakable.server.start()
        for digest, answer in answers:
            status = answer.result().status_code
            ends[status] += 1
            given |= {digest} if status == 200 else set()
        for digest in digests:
            signed_again(alice, token, digest)
        all_digests += digests
    assert ends.keys() <= {200, 500, 503}
    settle(chain, all_digests)
    assert set(chain.ledger(list(given))) <= {"signed"}
    account_for(chain, all_digests, made)
    report(f"{KILLS} times a database killed under {_CALLERS} callers, who were answered {dict(ends)}")


def asked(signer: Signer, digests: list[bytes]) -> str:
    """A web process finds out about its lost connections by using them."""
    with suppress(AssertionError, KeyError, ValueError):
        return signer.ask(*digests)
    return ""


# --- F13: slow, full, in a deadlock -----------------------------------------------------------------------------


@contextmanager
def locked(chain: Chain, alice: Signer) -> Iterator[None]:
    with psycopg.connect(dict(chain.databases)["rssp"]) as connection:
        connection.execute("LOCK TABLE rssp_activateddigest IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


@contextmanager
def slow(chain: Chain, alice: Signer) -> Iterator[None]:
    """Each insertion of an intent takes longer than anybody waits."""
    chain.rows(
        "rssp",
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS"
        f" 'BEGIN PERFORM pg_sleep({_DAWDLE}); RETURN NEW; END';"
        " CREATE TRIGGER dawdle BEFORE INSERT ON rssp_intent FOR EACH ROW EXECUTE FUNCTION dawdle()",
    )
    yield
    chain.rows("rssp", "DROP TRIGGER dawdle ON rssp_intent; DROP FUNCTION dawdle()")


@contextmanager
def full(chain: Chain, alice: Signer) -> Iterator[None]:
    """Every connection that the server has is somebody else's."""
    url = dict(chain.databases)["rssp"]
    with ExitStack() as held:
        ours = held.enter_context(psycopg.connect(url, autocommit=True))
        ours.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        deadline = time.monotonic() + 120
        with suppress(psycopg.OperationalError):
            while time.monotonic() < deadline:
                held.enter_context(psycopg.connect(url))
        yield


@contextmanager
def in_a_deadlock(chain: Chain, alice: Signer) -> Iterator[None]:
    """Somebody holds what a call needs next, and waits for what it holds. Who waits longer is the victim."""
    with psycopg.connect(dict(chain.databases)["rssp"]) as other, ThreadPoolExecutor(1) as pool:
        other.execute(f"SET deadlock_timeout = '{_DAWDLE}s'")
        other.execute("LOCK TABLE rssp_activateddigest IN ACCESS EXCLUSIVE MODE")

        def cross() -> None:
            waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'rssp_activateddigest'::regclass"
            with psycopg.connect(dict(chain.databases)["rssp"], autocommit=True) as looking:
                eventually(lambda: looking.execute(waiting).fetchone())
            other.execute("SELECT id FROM rssp_activation FOR UPDATE").fetchall()

        crossing = pool.submit(cross)
        yield
        crossing.result(timeout=120)
        other.rollback()


@pytest.mark.parametrize("fault", [locked, slow, full, in_a_deadlock])
def test_f13_a_database_that_does_not_do_it_in_time_is_503_and_costs_nothing(
    chain: Chain, alice: Signer, lease: bytes, fault: Any
) -> None:
    token, before = alice.ask(lease), chain.signatures_made()
    assert alice.sign(token, digest_of("Other")).status_code == 400  # known now; what follows uses the ledger alone
    with fault(chain, alice):
        begun = time.monotonic()
        answer = alice.sign(token, lease)
        assert time.monotonic() - begun < _BOUND
        assert unavailable(answer)
    assert chain.signatures_made() == before
    settle(chain, [lease])
    assert signed_again(alice, token, lease) == 200
    assert chain.signatures_over(lease)[lease] == 1


def test_f13_an_outcome_that_is_not_written_in_time_is_not_given_out(chain: Chain, alice: Signer, lease: bytes) -> None:
    token = alice.ask(lease)
    chain.rows(
        "rssp",
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS"
        f" 'BEGIN IF NEW.result = ''signed'' THEN PERFORM pg_sleep({_DAWDLE}); END IF; RETURN NEW; END';"
        " CREATE TRIGGER dawdle BEFORE INSERT ON rssp_auditevent FOR EACH ROW EXECUTE FUNCTION dawdle()",
    )
    try:
        answer = alice.sign(token, lease)
    finally:
        chain.rows("rssp", "DROP TRIGGER dawdle ON rssp_auditevent; DROP FUNCTION dawdle()")
    assert (answer.status_code, answer.json()["error"]) == (500, "server_error")
    settle(chain, [lease])
    assert chain.ledger([lease]) == ["unknown"]
    assert signed_again(alice, token, lease) == 400
    assert chain.signatures_over(lease)[lease] == 1

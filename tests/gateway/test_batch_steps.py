"""Steps of a batch over several documents: whatever becomes of one, or of the step, is no other's concern, and what was
not said in the rows was not done."""

import io
import os
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gateway import documents
from gateway.models import Batch, Job, StoredDocument
from gateway.services import batch_preparing, batch_signing, batch_work, crews, leases, signing, sweeping
from tests.gateway.conftest import ALIAS, User
from tests.gateway.remote import Remote
from tests.gateway.test_batches import BAD, Bundle
from tests.gateway.test_faults import LONG, files_in, no_room_beyond
from tests.support import pdfs


class Killed(BaseException):
    pass


@pytest.fixture(autouse=True)
def folder(documents_folder: Path) -> Path:
    return documents_folder


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow this machine is, a step is one step."""
    monkeypatch.setattr(crews, "_STEP_SECONDS", 600)
    monkeypatch.setattr(batch_work, "_SECONDS", 600)


@pytest.fixture
def bundle(alice: User, remote: Remote) -> Bundle:
    return Bundle(alice, remote, remote.add_credential(alice.subject, "p256"))


def several(count: int) -> list[bytes]:
    return [pdfs.make_pdf(text=f"Lease {number}") for number in range(count)]


def known() -> list[str]:
    """The files that rows are for."""
    return sorted(f"{pk}.age" for pk in StoredDocument.objects.values_list("pk", flat=True))


def rows() -> list[Job]:
    return list(Job.objects.order_by("position").select_related("original", "prepared", "signed"))


def replace_original(job: Job, pdf: bytes) -> None:
    """As if that one had been let in."""
    other = documents.store_document(io.BytesIO(pdf))
    Job.objects.filter(pk=job.pk).update(original=other, document_size=other.size, document_sha256=other.sha256)
    documents.delete_document(job.original)


def let_leases_run_out() -> None:
    Job.objects.exclude(lease_until=None).update(lease_until=timezone.now() - timedelta(seconds=1))


def before(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, act: Callable[[], None]) -> None:
    """Once."""
    real, acts = getattr(module, name), [act]

    def wrapped(*arguments: Any, **parameters: Any) -> Any:
        if acts:
            acts.pop()()
        return real(*arguments, **parameters)

    monkeypatch.setattr(module, name, wrapped)


# --- What a step costs ------------------------------------------------------------------------------------


@contextmanager
def at_most(statements: int) -> Iterator[None]:
    with CaptureQueriesContext(connections[ALIAS]) as captured:
        yield
    told = [one["sql"] for one in captured.captured_queries if "SAVEPOINT" not in one["sql"]]
    assert len(told) <= statements, "\n".join(sql[:200] for sql in told)


def test_a_step_of_ten_documents_takes_few_statements(bundle: Bundle, remote: Remote) -> None:
    bundle.open(*several(10), policy="best_effort")
    bundle.post("prepare", {"credential_id": bundle.credential_id, "level": "B-B"})
    batch = Batch.objects.get()
    with at_most(6):  # which, the lease, their rows; which are held, the documents, the rows
        assert batch_preparing.prepare_some(batch)
    assert set(bundle.states()) == {"prepared"}
    bundle.work()
    bundle.approve()
    batch.refresh_from_db()
    with at_most(5):  # which, the lease, their digests; which are held, the signatures
        assert batch_signing.sign_some(batch)
    with at_most(8):  # as in preparing, what is trusted, and the old documents go
        assert batch_signing.finish_some(batch)
    assert set(bundle.states()) == {"signed"}
    assert remote.calls["signHash"] == 1


def test_who_takes_a_step_tells_other_workers_that_there_is_something_to_do(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle.open(*several(3), policy="best_effort")
    bundle.post("prepare", {"credential_id": bundle.credential_id, "level": "B-B"})
    rung: list[uuid.UUID] = []
    for module in (batch_preparing, batch_signing):
        monkeypatch.setattr(module, "ring_batch", rung.append)
    batch = Batch.objects.get()
    assert batch_preparing.prepare_some(batch)
    assert rung == [batch.pk]
    while batch_preparing.prepare_some(batch):
        pass
    rung.clear()
    assert not batch_preparing.prepare_some(batch)
    assert rung == []  # there is nothing to tell


def test_a_step_takes_a_share_of_what_is_left_and_no_more_bytes_than_it_should(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle.open(*several(7))
    waiting = Job.objects.filter(state=Job.State.OPEN, lease_id=None)
    monkeypatch.setattr(crews, "LANES", 2)
    shares = []
    while (lease := leases.take_step(waiting)) is not None:
        shares.append(len(lease.job_ids))
    assert shares == [4, 2, 1]
    Job.objects.update(lease_id=None, document_size=leases._MOST_BYTES // 2)
    lease = leases.take_step(waiting)
    assert lease is not None
    assert [row.pk for row in rows()[:2]] == list(lease.job_ids)
    Job.objects.update(document_size=leases._MOST_BYTES * 10)
    lease = leases.take_step(waiting)
    assert lease is not None
    assert len(lease.job_ids) == 1


@pytest.mark.parametrize("state", ["open", "signing"])
def test_a_step_whose_time_is_over_hands_back_what_it_did_not_begin(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, folder: Path, state: str
) -> None:
    monkeypatch.setattr(crews, "_STEP_SECONDS", 0)
    until(bundle, batch_preparing if state == "open" else signing)
    step = batch_preparing.prepare_some if state == "open" else batch_signing.finish_some
    assert step(Batch.objects.get())
    done = "prepared" if state == "open" else "signed"
    assert bundle.states() == [done, state, state]
    assert [(row.lease_id, row.attempts) for row in rows()[1:]] == [(None, 0 if state == "open" else 1)] * 2
    bundle.work()
    assert bundle.states() == [done] * 3
    assert files_in(folder) == known()


# --- One of them ------------------------------------------------------------------------------------------


def test_a_damaged_and_a_hostile_document_in_the_middle_end_alone(bundle: Bundle, folder: Path) -> None:
    bundle.open(*several(5), policy="best_effort")
    replace_original(rows()[1], BAD)
    replace_original(rows()[3], pdfs.make_bomb_pdf())
    bundle.prepare()
    assert bundle.states() == ["prepared", "failed", "prepared", "failed", "prepared"]
    assert [job["error"]["code"] for job in bundle.jobs() if job["error"]] == ["damaged_pdf", "hostile_pdf"]
    assert rows()[3].attempts == 3  # and was tried once more
    assert files_in(folder) == known()
    bundle.approve()
    bundle.work()
    assert bundle.states() == ["signed", "failed", "signed", "failed", "signed"]
    assert bundle.told()["state"] == "ended"
    assert files_in(folder) == known()


def test_one_whose_signature_does_not_verify_fails_alone(bundle: Bundle, folder: Path, remote: Remote) -> None:
    bundle.open(*several(3), policy="best_effort")
    bundle.prepare()
    bundle.approve()
    assert batch_signing.sign_some(Batch.objects.get())
    first, second, _third = rows()
    Job.objects.filter(pk=second.pk).update(signature=first.signature)
    bundle.work()
    assert bundle.states() == ["signed", "failed", "signed"]
    assert bundle.jobs()[1]["error"]["code"] == "invalid_signature"
    assert bundle.result(2).status_code == 200
    assert files_in(folder) == known()
    assert remote.calls["signHash"] == 1


@pytest.mark.parametrize("state", ["open", "signing"])
def test_a_full_disk_stops_the_one_that_has_no_room_and_it_comes_later(
    bundle: Bundle, folder: Path, remote: Remote, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    real = documents.write_document

    def write(plaintext: IO[bytes], **parameters: Any) -> StoredDocument:
        plaintext.seek(0)
        covered = re.search(rb"/ByteRange \[0 (\d+) ", plaintext.read())
        is_long = covered is not None and int(covered[1]) > len(LONG)
        with no_room_beyond(100) if is_long else nullcontext():
            return real(plaintext, **parameters)

    bundle.open(pdfs.make_pdf(), LONG, pdfs.make_pdf(text="Annex"), policy="best_effort")
    if state == "signing":
        bundle.prepare()
        bundle.approve()
        batch_signing.sign_some(Batch.objects.get())
    with monkeypatch.context() as patch:
        patch.setattr(documents, "write_document", write)
        if state == "open":
            bundle.prepare()
        else:
            bundle.work()
    done = "prepared" if state == "open" else "signed"
    assert bundle.states() == [done, state, done]
    assert files_in(folder) == known()
    let_leases_run_out()
    bundle.work()
    assert bundle.states() == [done] * 3
    if state == "open":
        bundle.approve()
        bundle.work()
    assert bundle.states() == ["signed"] * 3
    assert files_in(folder) == known()
    assert remote.calls["signHash"] == 1


def test_a_fault_that_nobody_thought_of_is_its_documents_alone(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    bundle.open(*several(4), policy="best_effort")
    real, faulty = batch_preparing.make_prepared, rows()[1].pk

    def fail(**arguments: Any) -> Any:
        if arguments["job"].pk == faulty:
            raise ZeroDivisionError
        return real(**arguments)

    monkeypatch.setattr(batch_preparing, "make_prepared", fail)
    with pytest.raises(ZeroDivisionError):
        bundle.prepare()
    assert bundle.states() == ["prepared", "open", "open", "open"]
    bundle.work()
    assert bundle.states() == ["prepared", "open", "prepared", "prepared"]
    assert files_in(folder) == known()


# --- Between the files and the rows -------------------------------------------------------------------------

STEPS = [(batch_preparing, "keep_prepared"), (signing, "keep")]


def until(bundle: Bundle, module: Any) -> str:
    """The batch as it is before a step of preparing, or of finishing; and the state that a document then has."""
    bundle.open(*several(3), policy="best_effort")
    if module is batch_preparing:
        bundle.post("prepare", {"credential_id": bundle.credential_id, "level": "B-B"})
        return "open"
    bundle.prepare()
    bundle.approve()
    assert batch_signing.sign_some(Batch.objects.get())
    return "signing"


@pytest.mark.parametrize(("module", "name"), STEPS)
def test_whoever_lost_a_lease_changes_nothing_and_leaves_no_file(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, folder: Path, module: Any, name: str
) -> None:
    state = until(bundle, module)
    lost = rows()[1].pk
    other = {"lease_id": uuid.uuid4(), "lease_until": timezone.now() + timedelta(seconds=60)}
    before(monkeypatch, module, name, lambda: Job.objects.filter(pk=lost).update(**other) and None)
    bundle.work()
    done = "prepared" if state == "open" else "signed"
    assert bundle.states() == [done, state, done]
    assert files_in(folder) == known()
    [job] = [row for row in rows() if row.pk == lost]
    assert (job.lease_id, job.signed, job.error_code) == (other["lease_id"], None, "")
    assert job.original is not None
    assert (job.prepared is None) == (state == "open")


def test_a_document_that_is_deleted_meanwhile_leaves_nothing(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    until(bundle, batch_preparing)
    gone = rows()[1].pk
    told: list[int] = []
    before(
        monkeypatch,
        batch_preparing,
        "keep_prepared",
        lambda: told.append(bundle.user.call("DELETE", f"jobs/{gone}").status_code),
    )
    bundle.work()
    assert told == [204]
    assert bundle.states() == ["prepared"] * 2
    assert bundle.told()["state"] == "prepared"
    assert files_in(folder) == known()


def test_a_batch_that_ended_meanwhile_takes_nothing(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    until(bundle, batch_preparing)

    def expire() -> None:
        past = timezone.now() - timedelta(seconds=1)
        Batch.objects.update(expires_at=past)
        Job.objects.update(expires_at=past)
        sweeping.sweep_jobs()

    before(monkeypatch, batch_preparing, "keep_prepared", expire)
    bundle.work()
    assert (bundle.told()["state"], bundle.states()) == ("expired", ["expired"] * 3)
    assert files_in(folder) == known() == []


@pytest.mark.parametrize(("module", "name"), STEPS)
def test_whoever_dies_there_is_replaced_and_what_is_left_of_it_is_swept(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, folder: Path, remote: Remote, module: Any, name: str
) -> None:
    state = until(bundle, module)

    def die(*_arguments: Any, **_parameters: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, name, die)
        with pytest.raises(Killed):
            bundle.work()
    assert bundle.states() == [state] * 3
    left = set(files_in(folder)) - set(known())
    assert len(left) == 3
    bundle.work()
    assert bundle.states() == [state] * 3  # the dead one's lease stands
    let_leases_run_out()
    bundle.work()
    if state == "open":
        bundle.approve()
        bundle.work()
    assert bundle.states() == ["signed"] * 3
    assert remote.calls["signHash"] == 1
    past = time.time() - 2 * 3600
    for file in left:
        os.utime(folder / file, (past, past))
    assert documents.remove_stale_files() == 3
    assert files_in(folder) == known()


# --- Several threads ----------------------------------------------------------------------------------------


@pytest.fixture
def nobody_ends() -> Iterator[None]:
    yield
    crews._ending.clear()


@pytest.mark.usefixtures("nobody_ends")
@pytest.mark.parametrize(("module", "inner"), [(batch_preparing, "make_prepared"), (signing, "_complete")])
def test_an_orderly_end_in_the_middle_of_a_step_keeps_what_is_done_and_hands_back_the_rest(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, folder: Path, remote: Remote, module: Any, inner: str
) -> None:
    state = until(bundle, batch_preparing if module is batch_preparing else signing)
    rung: list[uuid.UUID] = []
    monkeypatch.setattr(batch_work, "ring_batch", rung.append)
    before(monkeypatch, module, inner, batch_work.hand_back)
    bundle.work()
    done = "prepared" if state == "open" else "signed"
    assert bundle.states() == [done, state, state]
    assert [str(batch_id) for batch_id in rung] == [bundle.batch_id]
    assert [row.attempts for row in rows()[1:]] == [0 if state == "open" else 1] * 2
    crews._ending.clear()
    bundle.work()
    assert bundle.states() == [done] * 3
    assert files_in(folder) == known()


@pytest.mark.django_db(transaction=True, databases=[ALIAS, "default"])
def test_threads_at_one_batch_take_different_documents_and_all_of_them(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, folder: Path, remote: Remote
) -> None:
    monkeypatch.setattr(crews, "LANES", 4)
    taken: list[tuple[str, uuid.UUID]] = []
    prepare, complete = batch_preparing.make_prepared, signing._complete

    def watched_prepare(**arguments: Any) -> Any:
        taken.append(("prepare", arguments["job"].pk))
        return prepare(**arguments)

    def watched_complete(*arguments: Any) -> Any:
        taken.append(("complete", arguments[0].pk))
        return complete(*arguments)

    monkeypatch.setattr(batch_preparing, "make_prepared", watched_prepare)
    monkeypatch.setattr(signing, "_complete", watched_complete)
    bundle.open(*several(12), policy="best_effort")
    bundle.prepare()
    assert bundle.told()["state"] == "prepared"
    bundle.approve()
    bundle.work()
    assert bundle.told()["state"] == "ended"
    assert bundle.states() == ["signed"] * 12
    assert len(taken) == len(set(taken)) == 24
    assert remote.calls["signHash"] == 1
    assert files_in(folder) == known()


@pytest.mark.django_db(transaction=True, databases=[ALIAS, "default"])
def test_no_more_than_two_threads_ask_for_signatures_at_once(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, remote: Remote
) -> None:
    """Whoever dies then leaves that many calls with an unknown outcome."""
    monkeypatch.setattr(crews, "LANES", 4)
    monkeypatch.setattr(batch_signing, "_CHUNK", 1)
    real, lock, asking, most = batch_signing._ask, threading.Lock(), [], []

    def watched(*arguments: Any) -> Any:
        with lock:
            asking.append(threading.get_ident())
            most.append(len(asking))
        try:
            return real(*arguments)
        finally:
            with lock:
                asking.remove(threading.get_ident())

    monkeypatch.setattr(batch_signing, "_ask", watched)
    bundle.open(*several(6), policy="best_effort")
    bundle.prepare()
    bundle.approve()
    bundle.work()
    assert bundle.states() == ["signed"] * 6
    assert remote.calls["signHash"] == len(most) == 6
    assert max(most) <= 2


class Steps:
    """What threads are given to do, and how often they asked."""

    def __init__(self, *found: bool) -> None:
        self.left, self.asked, self.lock = list(found), 0, threading.Lock()

    def __call__(self, _thread: int) -> bool:
        with self.lock:
            self.asked += 1
            return self.left.pop(0) if self.left else False


def test_a_crew_works_until_all_have_found_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crews, "LANES", 3)
    steps = Steps(*[True] * 20)
    assert not crews.work_together(on=uuid.uuid4(), step=steps, seconds=60)
    assert steps.left == []
    assert steps.asked > 20
    assert crews._crews == {}


def test_a_crew_whose_time_is_over_says_that_there_is_more() -> None:
    assert crews.work_together(on=uuid.uuid4(), step=lambda _thread: True, seconds=0.05)
    assert crews._crews == {}


def test_a_bell_during_the_last_step_makes_the_crew_look_again() -> None:
    """What is rung for while a crew finds nothing any more is not left to the next round."""
    on, steps = uuid.uuid4(), Steps()
    rung: list[bool] = []

    def step(thread: int) -> bool:
        if not rung:
            rung.append(crews.work_together(on=on, step=lambda _thread: pytest.fail("a second crew"), seconds=60))
            steps.left.append(True)
            return False
        return steps(thread)

    assert not crews.work_together(on=on, step=step, seconds=60)
    assert rung == [False]
    assert steps.left == []


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_a_thread_that_fails_is_told_of_and_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch, lanes: int) -> None:
    monkeypatch.setattr(crews, "LANES", lanes)
    steps = Steps(*[True] * 5)

    def step(thread: int) -> bool:
        if not steps(thread):
            raise ZeroDivisionError
        return True

    with pytest.raises(ZeroDivisionError):
        crews.work_together(on=uuid.uuid4(), step=step, seconds=60)
    assert crews._crews == {}

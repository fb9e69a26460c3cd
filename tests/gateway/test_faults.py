"""Yardsticks F11, F12, C6 and C8 at gateway: a disk that is full, a process that dies while it writes, what is sent
twice, and what is deleted while it is signed."""

import hashlib
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connections

from gateway import documents
from gateway.models import Job, StoredDocument
from tests.gateway.conftest import ALIAS, User
from tests.gateway.remote import Remote
from tests.support import pdfs

Work = Callable[[str], None]
LONG = pdfs.make_pdf(pages=120)


@contextmanager
def no_room_beyond(size: int) -> Iterator[None]:
    """The kernel lets no file of this process grow further."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(autouse=True)
def folder(documents_folder: Path) -> Path:
    return documents_folder


def original_of(job_id: str) -> bytes:
    with documents.open_document(Job.objects.select_related("original").get(pk=job_id).original) as file:
        return file.read()


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@pytest.mark.parametrize("room", [1000, len(LONG) - 1000, len(LONG)], ids=["none", "not for it", "not encrypted"])
def test_f11_without_room_an_upload_leaves_nothing_and_comes_again(alice: User, folder: Path, room: int) -> None:
    with no_room_beyond(room):
        refused = alice.open_job(LONG)
    assert (refused.status_code, refused.json()["error"]) == (507, "storage_full")
    assert files_in(folder) == []
    assert not Job.objects.exists()
    assert alice.open_job(LONG).status_code == 201


def test_f11_without_room_nothing_is_prepared_and_the_original_stays(
    alice: User, folder: Path, credential_id: str
) -> None:
    job_id = alice.open_job(LONG).json()["job_id"]
    kept = files_in(folder)
    with no_room_beyond(len(LONG) - 1000):
        refused = alice.prepare(job_id, credential_id)
    assert (refused.status_code, refused.json()["error"]) == (507, "storage_full")
    assert (files_in(folder), alice.job(job_id)["state"]) == (kept, "open")
    assert original_of(job_id) == LONG
    assert alice.prepare(job_id, credential_id).status_code == 200


def test_f11_without_room_a_signature_is_kept_and_finished_when_there_is_some(
    alice: User, credential_id: str, remote: Remote, work: Work
) -> None:
    job_id = alice.open_job(LONG).json()["job_id"]
    alice.prepare(job_id, credential_id)
    alice.complete(job_id, remote.approve(alice.ask(job_id).json()["authorization_url"], alice.subject))
    with no_room_beyond(1000):
        work(job_id)
    told = alice.job(job_id)
    assert (told["state"], told["waits_for"]) == ("signing", "storage_full")
    assert hashlib.sha256(original_of(job_id)).hexdigest() == told["document"]["sha256"]
    Job.objects.update(lease_until=told["created_at"])
    work(job_id)
    assert alice.job(job_id)["state"] == "signed"
    assert alice.download(job_id).startswith(LONG)
    assert remote.calls["signHash"] == 1


def test_f12_a_process_that_dies_while_it_writes_leaves_no_document_and_its_half_is_swept(
    folder: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source.pdf"
    source.write_bytes(LONG)
    if (child := os.fork()) == 0:
        documents.os.fsync = lambda _descriptor: os.kill(os.getpid(), signal.SIGKILL)
        with source.open("rb") as file:
            documents.store_document(file)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    [half] = files_in(folder)
    assert half.endswith(".part")
    assert not StoredDocument.objects.exists()
    assert documents.remove_stale_files() == 0  # it may be somebody's who still writes
    past = time.time() - 2 * 3600
    os.utime(folder / half, (past, past))
    assert documents.remove_stale_files() == 1
    assert files_in(folder) == []


def test_f12_what_is_cut_short_on_the_disk_is_never_handed_out(
    alice: User, approved: str, work: Work, folder: Path
) -> None:
    work(approved)
    job = Job.objects.select_related("signed").get(pk=approved)
    path = folder / f"{job.signed.pk}.age"
    whole = path.read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        answer = alice.call("GET", f"jobs/{approved}/result")
        assert (answer.status_code, answer.json()["error"]) == (500, "server_error"), size


# --- C6, C8 -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True, databases=[ALIAS, "default"])
def test_c6_a_double_click_redeems_and_signs_once_and_both_are_told_the_same(
    alice: User, prepared: str, remote: Remote, work: Work
) -> None:
    code = remote.approve(alice.ask(prepared).json()["authorization_url"], alice.subject)

    def click(_number: int) -> tuple[int, str]:
        try:
            answer = alice.complete(prepared, code)
            work(prepared)
            return answer.status_code, answer.json()["job_id"]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        told = set(threads.map(click, range(8)))
    assert told == {(202, prepared)}
    work(prepared)
    assert (remote.calls["token"], remote.calls["signHash"]) == (1, 1)
    results = {alice.download(prepared) for _ in range(2)}
    assert len(results) == 1


def test_c6_of_two_tabs_only_the_approval_asked_for_last_counts(alice: User, prepared: str, remote: Remote) -> None:
    first, second = (remote.approve(alice.ask(prepared).json()["authorization_url"], alice.subject) for _ in range(2))
    # The verifier is the second one's, and goes with the first answer that is handed on.
    assert alice.complete(prepared, first).json()["error"] == "approval_expired"
    assert alice.complete(prepared, second).json()["state"] == "authorizing"
    assert remote.calls["signHash"] == 0
    again = remote.approve(alice.ask(prepared).json()["authorization_url"], alice.subject)
    assert alice.complete(prepared, again).json()["state"] == "approved"


def test_c8_a_document_is_not_deleted_while_its_job_runs_and_no_file_is_left_afterwards(
    alice: User, approved: str, remote: Remote, work: Work, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, told = remote._signhash, []

    def delete_meanwhile(request: object) -> object:
        told.append(alice.call("DELETE", f"jobs/{approved}").json()["error"])
        return real(request)  # type: ignore[arg-type]

    monkeypatch.setattr(remote, "_signhash", delete_meanwhile)
    work(approved)
    assert told == ["wrong_state"]
    assert alice.job(approved)["state"] == "signed"
    assert alice.call("DELETE", f"jobs/{approved}").status_code == 204
    work(approved)
    assert files_in(folder) == []

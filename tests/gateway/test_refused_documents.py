"""Files that cannot be signed: a coded 4xx each, nothing stored, within the limits of the child process."""

import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.errors import GatewayError
from gateway.models import Job, StoredDocument
from gateway.pades import isolation
from gateway.pades.conversation import Request
from gateway.pades.nursery import ENVIRONMENT, Nursery, nursery
from tests.gateway.conftest import User
from tests.support import pdfs

_PDF = pdfs.make_pdf()

REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "plain text": (lambda: b"Dear Alice,\n", "not_a_pdf"),
    "a ZIP with a .pdf name": (lambda: b"PK\x03\x04" + bytes(2000), "not_a_pdf"),
    "a page of HTML before the PDF": (lambda: b"<html><script>alert(1)</script>\n" + _PDF, "damaged_pdf"),
    "nothing": (lambda: b"", "empty_document"),
    "no pages": (lambda: _pages(b"/Count 0 /Kids []"), "empty_document"),
    "a password": (pdfs.make_encrypted_pdf, "password_required"),
    "certified without changes": (pdfs.make_certified_pdf, "certified_no_changes"),
    "cut in half": (lambda: _PDF[: len(_PDF) // 2], "damaged_pdf"),
    "without its end": (lambda: _PDF[:-8], "damaged_pdf"),
    "a header and rubbish": (lambda: b"%PDF-1.7\n" + os.urandom(4000), "damaged_pdf"),
    "an end and nothing before it": (lambda: b"%PDF-1.7\nstartxref\n0\n%%EOF\n", "damaged_pdf"),
    "an end that is the beginning": (lambda: b"%PDF-%%EOF", "damaged_pdf"),
    "a negative offset": (lambda: b"%PDF-1.7\nstartxref\n-9\n%%EOF\n", "damaged_pdf"),
    "a page tree in a loop": (pdfs.make_page_loop_pdf, "hostile_pdf"),
    "deep nesting": (pdfs.make_deeply_nested_pdf, "hostile_pdf"),
    "a bomb in two layers": (pdfs.make_bomb_pdf, "hostile_pdf"),
    "a bomb in one layer": (lambda: pdfs.make_bomb_pdf(1, 600), "hostile_pdf"),
    "a cross-reference loop": (lambda: _looping_references(), "damaged_pdf"),
    "a count that lies": (lambda: _pages(b"/Count 7 /Kids [4 0 R]"), "damaged_pdf"),
    "kids that are no array": (lambda: _pages(b"/Count 1 /Kids 4"), "damaged_pdf"),
    "a page that is missing": (lambda: _pages(b"/Count 1 /Kids [99 0 R]"), "damaged_pdf"),
    "duplicate keys in the page": (pdfs.make_duplicate_key_pdf, "damaged_pdf"),
    "duplicate keys in a hybrid file": (lambda: pdfs.make_hybrid_pdf(duplicate=True), "damaged_pdf"),
    "an unfinished update at the end": (pdfs.make_unfinished_update_pdf, "damaged_pdf"),
    "an update that no offset leads to": (lambda: _hidden_update(), "damaged_pdf"),
    "bytes after the end": (lambda: _PDF + b"<script>alert(1)</script>", "damaged_pdf"),
    "numbers beyond the declared size": (pdfs.make_small_size_pdf, "damaged_pdf"),
    "a catalog whose header viewers do not read": (lambda: _PDF.replace(b"1 0 obj", b"1 0 o!j"), "damaged_pdf"),
    "direct form fields": (lambda: _catalog(b"/AcroForm << /Fields [<< /T (a) /FT /Sig >>] >>"), "damaged_pdf"),
    "a form that is a number": (lambda: _catalog(b"/AcroForm 7"), "damaged_pdf"),
    "more pages than allowed": (lambda: pdfs.make_pdf(pages=21), "too_many_pages"),
}


def _pages(body: bytes) -> bytes:
    objects = pdfs.document_objects()
    objects[2] = b"<< /Type /Pages %s >>" % body
    return pdfs.assemble(objects)


def _catalog(entries: bytes) -> bytes:
    objects = pdfs.document_objects()
    objects[1] = b"<< /Type /Catalog /Pages 2 0 R %s >>" % entries
    return pdfs.assemble(objects)


def _looping_references() -> bytes:
    """The only section names itself as the one before it."""
    start = int(_PDF.rsplit(b"startxref\n", 1)[1].split(b"\n", 1)[0])
    return pdfs.assemble(pdfs.document_objects(), trailer=b"/Prev %d" % start)


def _hidden_update() -> bytes:
    """Properly ended, but its offset leads to the first revision: readers that rebuild show the new content."""
    start = _PDF.rsplit(b"startxref\n", 1)[1]
    update = b"5 0 obj\n%s\nendobj\n" % pdfs.stream_object(b"BT /F1 18 Tf 72 760 Td (Other) Tj ET")
    return _PDF + update + b"startxref\n" + start


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("path", ["inspections", "jobs"])
def test_a_file_that_cannot_be_signed_is_refused_with_its_code(
    alice: User, documents_folder: Path, settings: object, path: str, kind: str
) -> None:
    settings.MAX_DOCUMENT_PAGES = 20  # type: ignore[attr-defined]
    make, code = REFUSED[kind]
    started = time.monotonic()
    response = alice.call("POST", path, make())
    assert time.monotonic() - started < 15
    expected = {code, "repairable_pdf"} if (code, path) == ("damaged_pdf", "inspections") else {code}
    assert response.status_code == 422
    assert response.json()["error"] in expected
    assert response.json()["error_description"]
    assert not Job.objects.exists()
    assert not StoredDocument.objects.exists()
    assert not documents_folder.exists() or not list(documents_folder.iterdir())
    assert [entry.name for entry in documents_folder.parent.iterdir() if entry != documents_folder] == []


def test_a_sane_file_is_described_and_not_kept(alice: User) -> None:
    response = alice.call("POST", "inspections", pdfs.make_pdf(pages=3))
    assert response.status_code == 200
    facts = response.json()
    assert (facts["pages"], facts["size"], facts["signatures"]) == (3, len(pdfs.make_pdf(pages=3)), 0)
    assert not StoredDocument.objects.exists()


def test_a_file_with_a_producers_comment_before_its_end_is_sane(alice: User) -> None:
    pdf = pdfs.make_pdf().replace(b"startxref", b"%Producer-9.0\nstartxref")
    assert alice.call("POST", "inspections", pdf).status_code == 200


def test_earlier_signatures_are_counted(alice: User) -> None:
    assert alice.call("POST", "inspections", pdfs.make_signed_pdf()).json()["signatures"] == 1


def test_a_hostile_file_costs_this_process_no_memory(alice: User) -> None:
    bomb = pdfs.make_bomb_pdf(1, 600)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    alice.call("POST", "inspections", bomb)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1024 * 1024


def test_a_file_that_takes_too_long_is_hostile(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "WALL_SECONDS", 0.00001)
    response = alice.call("POST", "inspections", pdfs.make_pdf())
    assert response.json()["error"] == "hostile_pdf"


def test_the_process_that_children_come_from_inherits_no_secret_and_no_network(alice: User) -> None:
    assert alice.call("POST", "inspections", pdfs.make_pdf()).status_code == 200
    assert nursery._process is not None
    place = Path(f"/proc/{nursery._process.pid}")
    names = {item.partition(b"=")[0] for item in (place / "environ").read_bytes().split(b"\0")[:-1]}
    assert names == {name.encode() for name in ENVIRONMENT}
    assert names == {b"LANG", b"PYTHONDONTWRITEBYTECODE", b"MALLOC_MMAP_THRESHOLD_", b"MALLOC_TRIM_THRESHOLD_"}
    may_leave = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0
    assert ((place / "ns/net").readlink() != Path("/proc/self/ns/net").readlink()) or not may_leave


def test_when_that_process_is_killed_the_next_document_has_another_one(alice: User) -> None:
    assert alice.call("POST", "inspections", pdfs.make_pdf()).status_code == 200
    assert nursery._process is not None
    killed = nursery._process
    killed.kill()
    killed.wait()
    # A child that waits for this owner's documents goes on; one for somebody else's has to be forked.
    assert alice.call("POST", "inspections", pdfs.make_pdf()).status_code == 200
    assert isolation_code(pdfs.make_pdf()) == ""
    assert nursery._process.pid != killed.pid


def test_a_forked_process_has_one_of_its_own(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    assert alice.call("POST", "inspections", pdfs.make_pdf()).status_code == 200
    assert nursery._process is not None
    before = nursery._process
    monkeypatch.setattr(nursery, "_pid", 1)  # as it is found after a fork
    assert alice.call("POST", "inspections", pdfs.make_pdf()).status_code == 200
    assert nursery._process is not before
    before.wait(timeout=60)  # its last asker's socket was closed


def test_a_document_that_kills_its_child_leaves_the_others_alone(alice: User) -> None:
    with ThreadPoolExecutor(3) as threads:
        bad = threads.submit(lambda: isolation_code(pdfs.make_bomb_pdf(1, 600)))
        good = [threads.submit(lambda: isolation_code(pdfs.make_pdf())) for _ in range(6)]
    assert [each.result() for each in good] == [""] * 6
    assert bad.result() in {"hostile_pdf", "damaged_pdf"}


def isolation_code(pdf: bytes) -> str:
    """The refusal's code, empty for none."""
    with tempfile.TemporaryFile() as file:
        file.write(pdf)
        try:
            isolation.inspect_document(file, max_pages=100)
        except GatewayError as error:
            return error.code
    return ""


def test_a_full_disk_while_preparing_is_not_the_documents_fault(
    alice: User, credential_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file may grow beyond what the document has: what a child inherits takes the place of a full disk."""
    pdf = pdfs.make_pdf()
    job_id = alice.open_job(pdf).json()["job_id"]
    full = Nursery()
    monkeypatch.setattr(isolation, "nursery", full)
    assert isolation_code(pdf) == ""
    assert full._process is not None
    resource.prlimit(full._process.pid, resource.RLIMIT_FSIZE, (len(pdf) + 100, len(pdf) + 100))
    response = alice.prepare(job_id, credential_id)
    full.close()
    assert (response.status_code, response.json()["error"]) == (507, "storage_full")
    assert alice.job(job_id)["state"] == "open"
    monkeypatch.setattr(isolation, "nursery", nursery)
    assert alice.prepare(job_id, credential_id).status_code == 200


@pytest.mark.parametrize(("size", "more"), [(100_000_000, 0), (500_000_000, 40)])
def test_a_large_document_has_more_time_and_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: int, more: int
) -> None:
    asked: dict[str, float] = {}
    shared: list[bool] = []

    def run(request: Request, *, kept_for: str) -> bytes:
        asked[request.task] = request.seconds
        shared.append(bool(kept_for))
        return b'{"error": "damaged_pdf"}'

    monkeypatch.setattr(nursery, "run", run)
    with (tmp_path / "large.pdf").open("w+b") as file:
        file.truncate(size)
        with pytest.raises(GatewayError):
            isolation.inspect_document(file, max_pages=1, owner=SimpleNamespace(issuer="i", subject="s"))
    assert asked == {"inspect": isolation.WALL_SECONDS + more}
    assert shared == [not more]

"""What strangers send and call their files, and documents at the limits (yardsticks G1, G4, G6 to G8, G16, G17)."""

import os
import re
import resource
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.http.response import HttpResponseBase

from gateway.pades import isolation
from gateway.pades.values import SignatureRequest
from tests.gateway.conftest import User
from tests.gateway.remote import Remote
from tests.gateway.test_options import ALICE, SIGN_ALGO, sign, statuses
from tests.support import pdfs

# `make soak` asks for more.
SIGNERS = int(os.environ.get("SIGNERS", "6"))
PAGES, MEGABYTES = int(os.environ.get("LARGE_PAGES", "2000")), int(os.environ.get("LARGE_MEGABYTES", "2"))
_PDF = pdfs.make_pdf()

POLYGLOTS = {
    "HTML before the PDF": (b"<html><script>alert(1)</script>" + _PDF, "damaged_pdf"),
    "a picture before the PDF": (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + _PDF, "damaged_pdf"),
    "a ZIP before the PDF": (b"PK\x03\x04" + bytes(26) + _PDF, "damaged_pdf"),
    "a ZIP behind the PDF": (_PDF + b"PK\x05\x06" + bytes(18), "damaged_pdf"),
    "HTML behind the PDF": (_PDF + b"<script>alert(1)</script>", "damaged_pdf"),
    "HTML alone": (b"<html></html>", "not_a_pdf"),
}


@pytest.mark.parametrize("kind", POLYGLOTS)
def test_g7_what_is_something_else_too_is_refused(alice: User, kind: str) -> None:
    pdf, code = POLYGLOTS[kind]
    answer = alice.open_job(pdf)
    assert (answer.status_code, answer.json()["error"]) == (422, code)


def test_g7_what_hides_in_a_sane_one_is_never_handed_out_as_something_else(
    alice: User, remote: Remote, credential_id: str, work: object
) -> None:
    pdf = _PDF.replace(b"%\xe2\xe3\xcf\xd3", b"%<ht>", 1)
    job_id = alice.open_job(pdf, name="page.html").json()["job_id"]
    assert alice.prepare(job_id, credential_id, level="B-B").status_code == 200
    alice.complete(job_id, remote.approve(alice.ask(job_id).json()["authorization_url"], alice.subject))
    work(job_id)  # type: ignore[operator]
    answer: HttpResponseBase = alice.call("GET", f"jobs/{job_id}/result")
    assert answer["Content-Type"] == "application/pdf"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"].startswith("attachment")
    assert "default-src 'none'" in answer["Content-Security-Policy"]


@pytest.mark.parametrize(
    "name",
    ["..%2F..%2Fetc%2Fx", "a%0D%0ASet-Cookie%3A%20x.pdf", "%22%3E%3Cimg%20src%3Dx%20onerror%3D1%3E.pdf", "con.pdf",
     "lease%E2%80%AEfdp.exe", "%F0%9F%96%8B.pdf", "a" * 4000],
)  # fmt: skip
def test_g8_a_name_stays_a_name_on_its_way_out(
    alice: User, remote: Remote, credential_id: str, work: object, name: str
) -> None:
    job_id = alice.open_job(name=name).json()["job_id"]
    alice.prepare(job_id, credential_id, level="B-B")
    alice.complete(job_id, remote.approve(alice.ask(job_id).json()["authorization_url"], alice.subject))
    work(job_id)  # type: ignore[operator]
    told = alice.call("GET", f"jobs/{job_id}/result")["Content-Disposition"]
    assert re.fullmatch(
        r"attachment; filename(=\"[^\"\\\r\n/]*(\\\"[^\"\\\r\n/]*)*\"|\*=utf-8''[A-Za-z0-9._~%!$&+^`|-]+)", told
    )
    assert len(told) < 1000


@contextmanager
def listening() -> Iterator[tuple[int, list[object]]]:
    """A server on this machine that counts who comes."""
    came: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        over = threading.Event()

        def accept() -> None:
            while not over.is_set():
                try:
                    connection, address = server.accept()
                except TimeoutError:
                    continue
                came.append(address)
                connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield server.getsockname()[1], came
        finally:
            over.set()
            thread.join()


_LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 12))


@pytest.mark.parametrize("where", ["metadata", "form"])
def test_g17_entities_in_xml_are_neither_expanded_nor_fetched(tmp_path: Path, where: str) -> None:
    with listening() as (port, came):
        xml = (
            b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd"><!ENTITY h SYSTEM '
            b'"http://127.0.0.1:%d/"><!ENTITY l0 "ha">%s]><x>&f;&h;&l11;</x>' % (port, _LAUGHS)
        )
        objects = pdfs.document_objects()
        objects[6] = pdfs.stream_object(xml, b"/Type /Metadata /Subtype /XML")
        entry = b"/Metadata 6 0 R" if where == "metadata" else b"/AcroForm << /Fields [] /XFA 6 0 R >>"
        objects[1] = b"<< /Type /Catalog /Pages 2 0 R %s >>" % entry
        pdf = pdfs.assemble(objects)
        began = time.monotonic()
        with (tmp_path / "odd.pdf").open("w+b") as file, (tmp_path / "out.pdf").open("w+b") as output:
            file.write(pdf)
            if where == "form":
                isolation.repair_document(file, output)
                output.seek(0)
                written = output.read()
            else:
                isolation.inspect_document(file, max_pages=5)
                isolation.prepare_document(file, _request(1))
                file.seek(len(pdf))
                written = file.read()
                assert b"/Sig" in written
        assert time.monotonic() - began < 10
        assert came == []
    assert b"root:" not in written
    assert len(written) < len(pdf) + 200_000


def _request(pages: int) -> SignatureRequest:
    return SignatureRequest(chain=tuple(ALICE.chain), sign_algo=SIGN_ALGO, field_name="Alice", pages=pages)


def test_g16_thousands_of_pages_take_their_time_and_memory_and_no_more() -> None:
    """The child's limits hold whatever it reads; this process holds nothing of it."""
    objects = pdfs.document_objects(pages=PAGES)
    for _ in range(100):
        objects[len(objects) + 1] = pdfs.stream_object(os.urandom(MEGABYTES * 10_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryFile() as file:
        file.write(pdfs.assemble(objects))
        objects.clear()
        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.monotonic()
        assert isolation.inspect_document(file, max_pages=5000).pages == PAGES
        isolation.prepare_document(file, _request(PAGES))
        assert time.monotonic() - began < 2 * isolation.WALL_SECONDS
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held < 64 * 1024
    assert held >= before


def test_g16_many_sign_and_every_signature_stands() -> None:
    pdf = _PDF
    for number in range(SIGNERS):
        pdf = sign(pdf, f"Signer-{number}")
    assert [each.bottom_line for each in statuses(pdf)] == [True] * SIGNERS
    with tempfile.TemporaryFile() as file:
        file.write(pdf)
        assert isolation.inspect_document(file, max_pages=5).signatures == SIGNERS


def test_g4_a_bomb_is_answered_in_time_and_within_memory(alice: User) -> None:
    for bomb in (pdfs.make_bomb_pdf(2, 400), pdfs.make_page_loop_pdf(), pdfs.make_deeply_nested_pdf()):
        began = time.monotonic()
        assert alice.open_job(bomb).json()["error"] == "hostile_pdf"
        assert time.monotonic() - began < 15
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1024 * 1024


def test_g6_one_byte_more_leaves_nothing(alice: User, settings: object, documents_folder: Path) -> None:
    settings.MAX_DOCUMENT_BYTES = len(_PDF)  # type: ignore[attr-defined]
    for path in ("inspections", "repairs", "jobs", "archives"):
        answer = alice.call("POST", path, _PDF + b"\n")
        assert (answer.status_code, answer.json()["error"]) == (413, "document_too_large")
    assert not any(path.is_file() for path in documents_folder.parent.rglob("*"))


def test_g1_a_sane_document_stays_a_strict_prefix() -> None:
    for pdf in (_PDF, pdfs.make_xref_stream_pdf(pages=3), _PDF + _PDF):
        signed = sign(pdf)
        assert signed.startswith(pdf)
        assert len(signed) > len(pdf)
        assert all(each.bottom_line for each in statuses(signed))

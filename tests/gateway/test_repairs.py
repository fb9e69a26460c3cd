"""Repair: offered where it helps, done when asked for, never of what is signed (yardstick G14)."""

import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest

from gateway.models import Job, StoredDocument
from tests.gateway.conftest import User
from tests.gateway.remote import Remote
from tests.gateway.test_encrypted_documents import header, make_encrypted
from tests.gateway.test_refused_documents import REFUSED
from tests.support import pdfs

PDF = pdfs.make_pdf(pages=2)


def make_xfa_pdf(entries: bytes = b"") -> bytes:
    """A form that is there twice."""
    objects = pdfs.document_objects()
    objects[6] = pdfs.stream_object(b"<xdp:xdp xmlns:xdp='http://ns.adobe.com/xdp/'/>")
    objects[1] = b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [] /XFA 6 0 R >> %s >>" % entries
    return pdfs.assemble(objects)


def make_enabled_pdf() -> bytes:
    """The same, enabled for filling by the vendor of a reader (ISO 32000-1, 12.8.2.3)."""
    signature = b"/Perms << /UR3 << /Type /Sig /Filter /Adobe.PPKLite /Contents <00> /ByteRange [0 9 11 9] >> >>"
    return make_xfa_pdf(signature)


def cut_references(pdf: bytes) -> bytes:
    return pdf[: pdf.rindex(b"xref\n0") + 20]


REPAIRED: dict[str, tuple[Callable[[], bytes], str]] = {
    "bytes before the header": (lambda: b"mailed by a gateway\r\n" + PDF, "leading_bytes"),
    "more than 1 KiB behind the end": (lambda: PDF + b"x" * 1500, "trailing_bytes, cross_references"),
    "cross-references cut off": (lambda: cut_references(PDF), "cross_references"),
    "a wrong offset": (lambda: PDF.replace(b"startxref\n", b"startxref\n9"), "cross_references"),
    "duplicate keys": (pdfs.make_duplicate_key_pdf, "objects"),
    "live objects beyond the size": (pdfs.make_small_size_pdf, "objects"),
    "a second form": (make_xfa_pdf, "xfa"),
    "a second form with a vendor's leave": (lambda: make_enabled_pdf(), "xfa, usage_rights"),
    "a count that lies": (lambda: REFUSED["a count that lies"][0](), "rewritten"),
}


def repair(user: User, pdf: bytes, **headers: str) -> tuple[bytes, str]:
    answer = user.call("POST", "repairs", pdf, **headers)
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "application/pdf"
    repaired = b"".join(answer.streaming_content)
    assert int(answer["Content-Length"]) == len(repaired)
    return repaired, answer["Repairs"]


@pytest.mark.parametrize("kind", REPAIRED)
def test_what_can_be_repaired_is_named_and_then_signable(alice: User, tmp_path: Path, kind: str) -> None:
    make, changes = REPAIRED[kind]
    answer = alice.call("POST", "inspections", make())
    assert (answer.status_code, answer.json()["error"]) == (422, "repairable_pdf")
    assert alice.open_job(make()).json()["error"] in {"damaged_pdf", "xfa_form"}
    repaired, told = repair(alice, make())
    assert told == changes
    assert not StoredDocument.objects.exists()
    path = tmp_path / "repaired.pdf"
    path.write_bytes(repaired)
    assert subprocess.run(["qpdf", "--check", path], capture_output=True).returncode == 0
    assert subprocess.run(["pdftotext", path, "-"], capture_output=True).stdout.strip()
    assert alice.open_job(repaired).status_code == 201


def test_a_repaired_document_is_signed_as_the_document_that_it_is(
    alice: User, remote: Remote, work: Callable[[str], None], credential_id: str
) -> None:
    repaired, _changes = repair(alice, cut_references(PDF))
    job_id = alice.open_job(repaired).json()["job_id"]
    assert alice.prepare(job_id, credential_id, level="B-B").status_code == 200
    alice.complete(job_id, remote.approve(alice.ask(job_id).json()["authorization_url"], alice.subject))
    work(job_id)
    assert alice.download(job_id).startswith(repaired)


def test_an_encrypted_one_stays_encrypted(alice: User) -> None:
    for cipher, password in (("AES-256", "s\u00ebcret"), ("RC4-128", "secret")):
        damaged = b"\n\n" + make_encrypted(cipher)
        assert alice.call("POST", "repairs", damaged).json()["error"] in {"password_required", "damaged_pdf"}
        repaired, _changes = repair(alice, damaged, **header(password))
        facts = alice.call("POST", "inspections", repaired, **header(password)).json()
        assert (facts["encryption"], facts["password_required"]) == (cipher, True)


def test_the_second_form_is_gone_and_the_first_is_there(alice: User) -> None:
    repaired, _changes = repair(alice, make_xfa_pdf())
    with pikepdf.open(io.BytesIO(repaired)) as document:
        assert list(document.Root.AcroForm.keys()) == ["/Fields"]


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: PDF, "nothing_to_repair"),
        (lambda: b"%PDF-1.7\n" + bytes(4000), "damaged_pdf"),
        (lambda: make_xfa_pdf(b"/NeedsRendering true"), "damaged_pdf"),
        (lambda: b"junk" + pdfs.make_signed_pdf(), "repair_breaks_signatures"),
        (lambda: pdfs.make_signed_pdf() + b"x" * 1500, "repair_breaks_signatures"),
        (lambda: cut_references(pdfs.make_certified_pdf(allow_changes=True)), "repair_breaks_signatures"),
        (
            lambda: cut_references(pdfs.make_signed_pdf().replace(b"/ByteRange", b"/ByteR#61nge")),
            "repair_breaks_signatures",
        ),
        (lambda: pdfs.make_page_loop_pdf(), "hostile_pdf"),
        (lambda: pdfs.make_bomb_pdf(1, 600), "hostile_pdf"),
        (lambda: b"Dear Alice,", "not_a_pdf"),
        (lambda: pdfs.make_encrypted_pdf(), "password_required"),
    ],
)
def test_what_is_not_repaired_is_refused_by_name(alice: User, make: Callable[[], bytes], code: str) -> None:
    answer = alice.call("POST", "repairs", make())
    assert (answer.status_code, answer.json()["error"]) == (422, code)
    assert alice.call("POST", "inspections", make()).json().get("error") != "repairable_pdf"
    assert not StoredDocument.objects.exists()
    assert not Job.objects.exists()


def test_what_has_become_too_large_is_refused(alice: User, settings: object) -> None:
    damaged = cut_references(PDF)
    settings.MAX_DOCUMENT_BYTES = len(damaged)  # type: ignore[attr-defined]
    answer = alice.call("POST", "repairs", damaged)
    assert (answer.status_code, answer.json()["error"]) == (413, "document_too_large")

"""What one caller may keep (yardstick G6): one document more is refused by name, and room comes back with what goes."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway import documents
from gateway.models import Archive, Job, StoredDocument
from tests.gateway.conftest import User
from tests.support import pdfs

_PDF = pdfs.make_pdf()


def _refused(answer: Any) -> None:
    assert (answer.status_code, answer.json()["error"]) == (429, "too_many_documents")
    assert int(answer["Retry-After"]) > 0


def test_g6_one_job_too_many_is_refused_and_nothing_of_it_kept(
    alice: User, bob: User, settings: Any, documents_folder: Path
) -> None:
    settings.CALLER_JOBS = 2
    first, _second = (alice.open_job(_PDF, HTTP_IDEMPOTENCY_KEY=key).json() for key in ("k1", "k2"))
    _refused(alice.open_job(_PDF))
    assert Job.objects.count() == StoredDocument.objects.count() == len(list(documents_folder.iterdir())) == 2
    # Who asks again for what there is gets it, and others are not concerned.
    assert alice.open_job(_PDF, HTTP_IDEMPOTENCY_KEY="k1").json()["job_id"] == first["job_id"]
    assert bob.open_job(_PDF).status_code == 201
    assert alice.call("DELETE", f"jobs/{first['job_id']}").status_code == 204
    assert alice.open_job(_PDF).status_code == 201


@pytest.mark.parametrize(
    ("state", "status"), [("prepared", 429), ("approved", 429), ("failed", 429), ("signed", 201), ("expired", 201)]
)
def test_g6_a_job_counts_until_it_is_signed_or_gone(alice: User, settings: Any, state: str, status: int) -> None:
    settings.CALLER_JOBS = 1
    alice.open_job(_PDF)
    Job.objects.update(state=state)
    assert alice.open_job(_PDF).status_code == status


@pytest.mark.parametrize("state", ["open", "signed", "expired"])
def test_g6_one_byte_too_many_is_refused_whatever_became_of_the_others(alice: User, settings: Any, state: str) -> None:
    settings.CALLER_BYTES = 2 * len(_PDF) - 1
    alice.open_job(_PDF)
    Job.objects.update(state=state)
    if state != "expired":
        _refused(alice.open_job(_PDF))
        settings.CALLER_BYTES += 1
    assert alice.open_job(_PDF).status_code == 201


def test_g6_archives_count_too(alice: User, approved: str, work: Callable[[str], None], settings: Any) -> None:
    work(approved)
    signed = alice.download(approved)
    settings.CALLER_ARCHIVES = 0
    _refused(alice.call("POST", "archives", {"job_id": approved}))
    _refused(alice.call("POST", "archives", signed))
    settings.CALLER_ARCHIVES = 1
    settings.CALLER_BYTES = len(signed)
    _refused(alice.call("POST", "archives", signed))
    assert not Archive.objects.exists()
    assert StoredDocument.objects.count() == 2  # the document, and what signing it added
    Archive.objects.create(
        issuer=Job.objects.get(pk=approved).issuer,
        subject=alice.subject,
        name="Kept.pdf",
        document=documents.store_document(io.BytesIO(signed)),
        signatures=1,
        lasts_until="2050-01-01T00:00:00Z",
        next_renewal_at="2050-01-01T00:00:00Z",
    )
    Job.objects.all().delete()
    settings.CALLER_BYTES = len(signed) + len(_PDF) - 1
    _refused(alice.open_job(_PDF))
    settings.CALLER_BYTES += 1
    assert alice.open_job(_PDF).status_code == 201

"""What preparing adds is kept, and not the document a second time."""

import hashlib
import io
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connections

from gateway import documents
from gateway.errors import StorageError
from gateway.models import Job, StoredDocument
from tests.gateway.conftest import User
from tests.gateway.remote import Remote
from tests.support import pdfs

pytestmark = pytest.mark.django_db(databases="__all__")


def prepared(alice: User, credential_id: str, pdf: bytes) -> Job:
    job_id = alice.open_job(pdf).json()["job_id"]
    assert alice.prepare(job_id, credential_id, level="B-B").status_code == 200
    return Job.objects.select_related("original", "prepared").get(pk=job_id)


def test_of_a_prepared_document_only_the_update_is_kept(alice: User, credential_id: str) -> None:
    pdf = pdfs.make_pdf(pages=40)
    job = prepared(alice, credential_id, pdf)
    with documents.open_document(job.prepared) as update:
        added = update.read()
    assert len(added) == job.prepared.size < len(pdf)
    assert added.count(b"/ByteRange") == 1
    assert b"%PDF-" not in added
    with documents.open_document(job.original, job.prepared) as whole:
        assert whole.read() == pdf + added


@pytest.mark.parametrize("column", ["original", "prepared"])
def test_where_one_half_is_gone_there_is_no_document(
    alice: User, remote: Remote, credential_id: str, work: Callable[[str], None], column: str
) -> None:
    job = prepared(alice, credential_id, pdfs.make_pdf())
    half: StoredDocument = getattr(job, column)
    documents.remove_files([half.id])
    with pytest.raises(StorageError):
        documents.open_document(job.original, job.prepared)
    alice.complete(str(job.pk), remote.approve(alice.ask(str(job.pk)).json()["authorization_url"], alice.subject))
    work(str(job.pk))
    assert alice.job(str(job.pk))["state"] == "failed"


@pytest.mark.parametrize("column", ["original", "prepared"])
def test_half_of_another_document_is_not_signed(
    alice: User, remote: Remote, credential_id: str, work: Callable[[str], None], column: str
) -> None:
    """Whoever can write to the database exchanges what was approved for something else."""
    job = prepared(alice, credential_id, pdfs.make_pdf())
    other = prepared(alice, credential_id, pdfs.make_pdf(text="Another agreement"))
    Job.objects.filter(pk=other.pk).update(**{column: None})
    Job.objects.filter(pk=job.pk).update(**{column: getattr(other, column)})
    alice.complete(str(job.pk), remote.approve(alice.ask(str(job.pk)).json()["authorization_url"], alice.subject))
    work(str(job.pk))
    told = alice.job(str(job.pk))
    assert (told["state"], told["error"]["code"]) == ("failed", "invalid_signature")


def test_what_was_signed_before_is_handed_out_as_it_is(alice: User, approved: str, work: Callable[[str], None]) -> None:
    """Documents used to be kept whole; what was said of their files is said by their jobs since."""
    work(approved)
    signed = alice.download(approved)
    whole = documents.store_document(io.BytesIO(signed))
    Job.objects.filter(pk=approved).update(original=None, signed=whole, signed_size=None, signed_sha256="")
    import_module("gateway.migrations.0019_signed_as_updates").describe_signed(
        apps, SimpleNamespace(connection=connections["gateway"])
    )
    told = alice.job(approved)["signed"]
    assert (told["size"], told["sha256"]) == (len(signed), hashlib.sha256(signed).hexdigest())
    assert alice.download(approved) == signed


def test_another_original_is_not_prepared(alice: User, credential_id: str) -> None:
    pdf = pdfs.make_pdf()
    job_id, other_id = (
        alice.open_job(each).json()["job_id"] for each in (pdf, pdfs.make_pdf(text="Another agreement"))
    )
    other = Job.objects.get(pk=other_id).original
    Job.objects.filter(pk=other_id).update(original=None)
    Job.objects.filter(pk=job_id).update(original=other)
    assert alice.prepare(job_id, credential_id).status_code == 500
    assert alice.job(job_id)["state"] == "open"


def test_what_signing_added_is_not_handed_out_without_its_original(
    alice: User, approved: str, work: Callable[[str], None]
) -> None:
    work(approved)
    assert alice.call("GET", f"jobs/{approved}/result").status_code == 200
    Job.objects.filter(pk=approved).update(original=None)
    refused = alice.call("GET", f"jobs/{approved}/result")
    assert (refused.status_code, refused.json()["error"]) == (500, "server_error")

"""PAdES levels, and what becomes of a signature when a source of time-stamps or of revocation data fails (yardsticks
F15, H2)."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from asn1crypto import tsp
from asn1crypto.x509 import Certificate
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from django.conf import settings
from django.utils import timezone
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature, validate_pdf_timestamp
from pyhanko_certvalidator import ValidationContext

from gateway.clients import sources as fetching
from gateway.errors import CertificateRevokedError, RevocationDataError, TimestampError
from gateway.models import Archive, Job, StoredDocument
from gateway.pades.lasting import lasts_until
from gateway.pades.levels import Trust
from gateway.services import levels
from gateway.services.archives import renew_archives
from gateway.services.evidence import gather_evidence
from tests.gateway import remote as remote_side
from tests.gateway.conftest import User
from tests.gateway.remote import Remote
from tests.gateway.sources import Sources, change_imprint, change_nonce, flip, time_stamping_unit
from tests.support.authority import Authority
from tests.support.pdfs import make_pdf, make_signed_pdf

Work = Callable[[str], None]
Bend = Callable[[Sources], None]
PKI = "http://localhost:8000/pki"


@pytest.fixture
def remote(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Remote:
    """Its certificates say where their status is told."""
    settings.CLIENT_TRANSPORT = "tests.gateway.remote.transport_for"
    fresh = Remote(authority=Authority(responder=f"{PKI}/ocsp", revocation_list=f"{PKI}/crl"))
    monkeypatch.setattr(remote_side, "current", fresh)
    fetching.forget()
    return fresh


@pytest.fixture
def sources(remote: Remote) -> Sources:
    return remote.sources


@pytest.fixture
def approve(alice: User, remote: Remote) -> Callable[..., str]:
    """A job, approved, whose preparation was asked for with these members."""

    def run(**members: Any) -> str:
        job_id: str = alice.open_job().json()["job_id"]
        prepared = alice.prepare(job_id, remote.add_credential(alice.subject, "p256"), **members)
        assert prepared.status_code == 200, prepared.content
        url = alice.ask(job_id).json()["authorization_url"]
        assert alice.complete(job_id, remote.approve(url, alice.subject)).status_code == 202
        return job_id

    return run


def try_often(work: Work, job_id: str, *, times: int = 6) -> None:
    """The deliveries that the sweep would ring for, at once."""
    for _ in range(times):
        work(job_id)
        Job.objects.filter(pk=job_id, state="signing").update(lease_until=timezone.now() - timedelta(seconds=1))


def unsigned_attributes(pdf: bytes) -> list[str]:
    [signature] = PdfFileReader(io.BytesIO(pdf)).embedded_regular_signatures
    return [attribute["type"].native for attribute in signature.signer_info["unsigned_attrs"]]


def test_the_level_is_the_settings_unless_the_caller_names_one(
    alice: User, approve: Any, work: Work, sources: Sources, settings: Any
) -> None:
    settings.SIGNATURE_LEVEL = "B-T"
    job_id = approve()
    work(job_id)
    job = alice.job(job_id)
    assert (job["level"], job["signed"]["level"]) == ("B-T", "B-T")
    assert unsigned_attributes(alice.download(job_id)) == ["signature_time_stamp_token"]
    job_id = approve(level="B-B")
    work(job_id)
    assert unsigned_attributes(alice.download(job_id)) == []
    assert (sources.calls["tsa"], sources.calls["ocsp"]) == (1, 0)


@pytest.mark.parametrize("members", [{"level": "B-X"}, {"level": 3}, {"level": ["B-B"]}, {"best_effort": "yes"}])
def test_a_level_that_does_not_exist_is_refused(alice: User, remote: Remote, members: dict[str, Any]) -> None:
    job_id = alice.open_job().json()["job_id"]
    answer = alice.prepare(job_id, remote.add_credential(alice.subject, "p256"), **members)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert alice.job(job_id)["state"] == "open"


def test_one_answer_serves_the_documents_of_a_minute(alice: User, approve: Any, work: Work, sources: Sources) -> None:
    sources.unit = time_stamping_unit(sources.authority)
    for _ in range(2):
        job_id = approve(level="B-LTA")
        work(job_id)
        assert alice.job(job_id)["signed"]["level"] == "B-LTA"
    # The unit's certificate, and each job's signer's; two stamps for each document.
    assert (sources.calls["ocsp"], sources.calls["tsa"]) == (3, 4)


def other_unit(sources: Sources) -> None:
    sources.unit = time_stamping_unit(Authority(name="Stranger"))


def signer_as_unit(sources: Sources) -> None:
    sources.unit = time_stamping_unit(sources.authority, usage=None)


def refuse(sources: Sources) -> None:
    status = tsp.PKIStatusInfo({"status": "rejection", "fail_info": {"system_failure"}}).dump()
    sources.answers["tsa"] = httpx.Response(200, content=b"\x30" + bytes([len(status)]) + status)


BROKEN_STAMPS: dict[str, Bend] = {
    "down": lambda sources: sources.answers.update(tsa=httpx.ConnectError("no")),
    "slow": lambda sources: sources.answers.update(tsa=httpx.ReadTimeout("no")),
    "500": lambda sources: sources.answers.update(tsa=httpx.Response(500)),
    "redirect": lambda sources: sources.answers.update(tsa=httpx.Response(302, headers={"Location": "http://x/"})),
    "huge": lambda sources: sources.answers.update(tsa=httpx.Response(200, content=bytes(100_000))),
    "text": lambda sources: sources.answers.update(tsa=httpx.Response(200, content=b"<html>")),
    "nothing": lambda sources: sources.answers.update(tsa=httpx.Response(200, content=b"")),
    "refused": refuse,
    "wrong nonce": lambda sources: setattr(sources, "query", change_nonce),
    "wrong imprint": lambda sources: setattr(sources, "query", change_imprint),
    "bad signature": lambda sources: setattr(sources, "reply", flip),
    "stranger": other_unit,
    "no time-stamping certificate": signer_as_unit,
    "yesterday": lambda sources: setattr(sources, "clock", timedelta(days=-1)),
}


@pytest.mark.parametrize("fault", BROKEN_STAMPS)
def test_f15_what_is_no_good_time_stamp_is_none(sources: Sources, fault: str) -> None:
    trust = Trust((sources.authority.certificate,), (sources.authority.certificate,))
    assert levels.stamp_signature(value=b"value", trust=trust).certificates
    BROKEN_STAMPS[fault](sources)
    with pytest.raises(TimestampError):
        levels.stamp_signature(value=b"value", trust=trust)


@pytest.mark.parametrize("fault", ["down", "bad signature"])
def test_f15_without_a_good_time_stamp_the_job_fails_and_the_signature_is_kept(
    alice: User, approve: Any, work: Work, sources: Sources, remote: Remote, fault: str
) -> None:
    job_id = approve(level="B-T")
    BROKEN_STAMPS[fault](sources)
    try_often(work, job_id)
    job = alice.job(job_id)
    assert (job["state"], job["error"]["code"], job["signed"]) == ("failed", "timestamp_failed", None)
    assert sources.calls["tsa"] == 6
    # The source is well again: the same signature is finished, nobody signs a second time.
    remote.sources = Sources(remote.authority)
    assert alice.call("POST", f"jobs/{job_id}/finish", {}).status_code == 202
    work(job_id)
    assert alice.job(job_id)["signed"]["level"] == "B-T"
    assert remote.calls["signHash"] == 1


def test_f15_a_source_that_is_well_again_in_time_is_not_noticed(
    alice: User, approve: Any, work: Work, sources: Sources
) -> None:
    job_id = approve(level="B-T")
    sources.answers["tsa"] = httpx.Response(503)
    try_often(work, job_id, times=2)
    assert alice.job(job_id)["state"] == "signing"
    sources.answers.clear()
    work(job_id)
    assert alice.job(job_id)["signed"]["level"] == "B-T"


def expired(sources: Sources) -> None:
    sources.age = timedelta(days=2)


def forged(sources: Sources) -> None:
    """Good answers, by a responder that the issuer did not delegate; and no list either."""
    sources.responder = Authority(name="Stranger").issue("A responder", usage=ExtendedKeyUsageOID.OCSP_SIGNING)
    sources.answers["crl"] = httpx.Response(404)


def both(answer: httpx.Response | Exception) -> Bend:
    return lambda sources: sources.answers.update(ocsp=answer, crl=answer)


BROKEN_EVIDENCE: dict[str, Bend] = {
    "down": both(httpx.ConnectError("no")),
    "500": both(httpx.Response(500)),
    "huge": both(httpx.Response(200, content=bytes(9 * 1024 * 1024))),
    "text": both(httpx.Response(200, content=b"<html>")),
    "no longer in force": expired,
    "forged": forged,
}


@pytest.mark.parametrize("fault", BROKEN_EVIDENCE)
def test_f15_what_is_no_good_evidence_is_none(sources: Sources, fault: str) -> None:
    chain = sources.authority.issue("Alice Example").chain
    BROKEN_EVIDENCE[fault](sources)
    with pytest.raises(RevocationDataError):
        gather_evidence(leaves=chain[:1], known=chain, anchors=chain[1:])


@pytest.mark.parametrize(("fault", "best_effort"), [("forged", True), ("down", False)])
def test_f15_without_revocation_data_the_job_fails_or_says_what_it_reached(
    alice: User, approve: Any, work: Work, sources: Sources, fault: str, best_effort: bool
) -> None:
    job_id = approve(level="B-LTA", best_effort=best_effort)
    BROKEN_EVIDENCE[fault](sources)
    try_often(work, job_id)
    job = alice.job(job_id)
    if best_effort:
        assert job["signed"]["level"] == "B-T"
        assert (job["level"], job["signed"]["shortfall"]) == ("B-LTA", "revocation_data_failed")
    else:
        assert (job["state"], job["error"]["code"]) == ("failed", "revocation_data_failed")


def test_f15_the_list_stands_in_for_a_responder_that_is_down(
    alice: User, approve: Any, work: Work, sources: Sources
) -> None:
    sources.answers["ocsp"] = httpx.Response(500)
    job_id = approve(level="B-LT")
    work(job_id)
    assert alice.job(job_id)["signed"]["level"] == "B-LT"
    assert sources.calls["crl"] == 1  # the unit's certificate stands in the same list


@pytest.mark.parametrize("kind", ["ocsp", "crl"])
def test_a_revoked_certificate_is_told_by_either_source(sources: Sources, kind: str) -> None:
    chain = sources.authority.issue("Alice Example").chain
    sources.revoked.add(x509.load_der_x509_certificate(chain[0]).serial_number)
    if kind == "crl":
        sources.answers["ocsp"] = httpx.Response(500)
    with pytest.raises(CertificateRevokedError):
        gather_evidence(leaves=chain[:1], known=chain, anchors=chain[1:])


def test_a_certificate_revoked_meanwhile_ends_the_job_at_once(
    alice: User, approve: Any, work: Work, remote: Remote, sources: Sources
) -> None:
    job_id = approve(level="B-LT")
    [credential] = remote.credentials.values()
    sources.revoked.add(x509.load_der_x509_certificate(credential.identity.certificate).serial_number)
    work(job_id)
    assert alice.job(job_id)["error"]["code"] == "certificate_revoked"


def test_best_effort_falls_to_the_level_below_what_is_missing(
    alice: User, approve: Any, work: Work, sources: Sources
) -> None:
    job_id = approve(level="B-LTA", best_effort=True)
    sources.answers["tsa"] = httpx.Response(500)
    try_often(work, job_id)
    job = alice.job(job_id)
    assert (job["signed"]["level"], job["signed"]["shortfall"]) == ("B-B", "timestamp_failed")
    assert unsigned_attributes(alice.download(job_id)) == []


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1/ocsp", "http://169.254.169.254/ocsp", "ldap://directory.example/cn=list"]
)
def test_h2_an_address_in_a_certificate_that_leads_inward_is_not_asked(remote: Remote, address: str) -> None:
    remote.authority.responder = remote.authority.revocation_list = address
    chain = remote.authority.issue("Alice Example").chain
    with pytest.raises(RevocationDataError):
        gather_evidence(leaves=chain[:1], known=chain, anchors=chain[1:])
    assert remote.sources.calls["ocsp"] == 0


def test_only_a_job_that_failed_after_its_signature_is_finished_again(
    alice: User, approve: Any, work: Work, remote: Remote, bob: User
) -> None:
    job_id = approve()
    assert alice.call("POST", f"jobs/{job_id}/finish", {}).status_code == 409
    assert bob.call("POST", f"jobs/{job_id}/finish", {}).status_code == 404
    remote.sign_answers.append(httpx.Response(400, json={"error": "invalid_request"}))
    work(job_id)
    assert alice.job(job_id)["state"] == "failed"
    assert alice.call("POST", f"jobs/{job_id}/finish", {}).status_code == 409


def test_until_when_each_level_lasts() -> None:
    """A pure function of certificates."""
    authority = Authority()
    chains = {days: authority.issue("Somebody", days=days).chain for days in (1, 100, 1000)}
    ends = {
        days: x509.load_der_x509_certificate(chain[0]).not_valid_after_utc.replace(microsecond=0)
        for days, chain in chains.items()
    }
    proofs = {"signer": chains[1], "timestamp": chains[100], "archive": chains[1000]}
    for level, days in {"B-B": 1, "B-T": 1, "B-LT": 100, "B-LTA": 1000}.items():
        assert lasts_until(level, **proofs) == ends[days]
    assert lasts_until("B-T", **proofs, short_lived=True) == ends[100]
    # A short key ends before a long-lived certificate.
    key = remote_side._KEYS["rsa"]
    long = authority.issue("Somebody", key, days=3600).chain
    assert lasts_until("B-B", signer=long) == datetime(2030, 12, 31, tzinfo=UTC)
    assert settings.SIGNATURE_LEVEL == "B-B"


# --- Archives -------------------------------------------------------------------------------------------------


def stamps(pdf: bytes) -> int:
    return len(PdfFileReader(io.BytesIO(pdf)).embedded_timestamp_signatures)


def kept(user: User, archive_id: str) -> bytes:
    response = user.call("GET", f"archives/{archive_id}/document")
    assert response.status_code == 200, response.content
    return b"".join(response.streaming_content)


def test_a_job_s_document_is_archived_and_renewed_before_its_proof_ends(
    alice: User, approve: Any, work: Work, sources: Sources
) -> None:
    job_id = approve(level="B-B")
    work(job_id)
    answer = alice.call("POST", "archives", {"job_id": job_id})
    assert answer.status_code == 201, answer.content
    archive = answer.json()
    first = kept(alice, archive["archive_id"])
    assert (archive["signatures"], archive["renewals"], stamps(first)) == (1, 0, 1)
    assert first.startswith(alice.download(job_id))
    # Nothing is due, then it is.
    assert renew_archives() == 0
    fetching.forget()
    row = Archive.objects.get(pk=archive["archive_id"])
    Archive.objects.filter(pk=row.pk).update(next_renewal_at=timezone.now())
    assert renew_archives() == 1
    second = kept(alice, archive["archive_id"])
    assert second.startswith(first)
    assert stamps(second) == 2
    after = alice.call("GET", f"archives/{archive['archive_id']}").json()
    assert (after["renewals"], after["error"], after["size"]) == (1, None, len(second))
    assert not StoredDocument.objects.filter(pk=row.document_id).exists()
    context = ValidationContext(trust_roots=[Certificate.load(sources.authority.certificate)], allow_fetching=False)
    reader = PdfFileReader(io.BytesIO(second))
    for stamp in reader.embedded_timestamp_signatures:
        status = validate_pdf_timestamp(stamp, context)
        assert (status.intact, status.valid, status.trusted) == (True, True, True)
    assert validate_pdf_signature(reader.embedded_regular_signatures[0], context).bottom_line


def test_a_renewal_that_fails_says_why_and_keeps_the_document(
    alice: User, approve: Any, work: Work, sources: Sources
) -> None:
    job_id = approve(level="B-LTA")
    work(job_id)
    archive_id = alice.call("POST", "archives", {"job_id": job_id}).json()["archive_id"]
    before = kept(alice, archive_id)
    Archive.objects.filter(pk=archive_id).update(next_renewal_at=timezone.now())
    sources.answers["tsa"] = httpx.Response(500)
    assert renew_archives() == 0
    assert alice.call("GET", f"archives/{archive_id}").json()["error"] == "timestamp_failed"
    assert kept(alice, archive_id) == before
    assert StoredDocument.objects.count() == 3  # the job's, what signing it added, and the archive's
    # Within the hour nobody asks again.
    assert renew_archives() == 0
    assert sources.calls["tsa"] == 4
    assert alice.call("DELETE", f"archives/{archive_id}").status_code == 204
    assert alice.call("GET", f"archives/{archive_id}").status_code == 404
    assert StoredDocument.objects.count() == 2


def flipped(pdf: bytes) -> bytes:
    """A byte of the first page is another one."""
    return pdf.replace(b"Lease", b"Loose", 1)


@pytest.mark.parametrize(
    ("change", "code"), [(lambda _pdf: make_pdf(), "not_signed"), (flipped, "broken_signature"), (bytes, "not_a_pdf")]
)
def test_what_proves_nothing_is_not_archived(
    alice: User, credential_id: str, sources: Sources, change: Callable[[bytes], bytes], code: str
) -> None:
    pdf = change(make_signed_pdf()) if change is not bytes else b"nothing"
    answer = alice.call("POST", "archives", pdf)
    assert (answer.status_code, answer.json()["error"]) == (422, code)
    assert (Archive.objects.count(), StoredDocument.objects.count(), sources.calls["tsa"]) == (0, 0, 0)


def test_a_document_of_somebody_whom_nobody_trusts_is_not_archived(alice: User, credential_id: str) -> None:
    answer = alice.call("POST", "archives", make_signed_pdf())
    assert (answer.status_code, answer.json()["error"]) == (503, "revocation_data_failed")


@pytest.mark.parametrize("body", [{}, {"job_id": 1}, {"job_id": "x"}])
def test_an_archive_of_nothing_is_refused(alice: User, body: Any) -> None:
    assert alice.call("POST", "archives", body).status_code == 400

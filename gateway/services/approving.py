"""The approval of one job: asked for by a pushed request, answered by a code that is redeemed once."""

import secrets
import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from gateway import documents
from gateway.clients.authorization_server import PushedRequest
from gateway.errors import ApprovalRefusedError, AuthorizationServerNotReachedError, WrongStateError
from gateway.models import Job
from gateway.services.approval_servers import approval_server
from gateway.services.bell import ring
from gateway.services.callers import VerifiedCaller
from gateway.services.jobs import ENDED, find_job
from gateway.wire import make_label, signing_details

_ASKABLE = (Job.State.PREPARED, Job.State.AUTHORIZING)
_ANSWERED = (Job.State.APPROVED, Job.State.SIGNING, *ENDED)


def job_label(job: Job) -> str:
    """What the signer reads on the consent page, and again beside the document."""
    return make_label(name=job.document_name, pages=job.document_pages, size=job.document_size)


def _details(job: Job) -> list[dict[str, Any]]:
    return signing_details(
        credential_id=job.credential_id or "",
        credential_label=job.credential_label,
        hash_algorithm_oid=job.hash_algorithm_oid or "",
        documents=[(job.digest or "", job_label(job))],
    )


def request_authorization(
    *,
    caller: VerifiedCaller,
    job_id: uuid.UUID,
    state: str,
    link: str = "",
    redirect_uri: str = "",
    approval_id: uuid.UUID | None = None,
) -> PushedRequest:
    """Job becomes `authorizing`. ``state`` is the caller's own, as is ``link``, where the document can be read again;
    neither is kept. ``redirect_uri`` is where the browser comes back, if not at signapp.

    Raises `WrongStateError`, `ApprovalRefusedError`, `AuthorizationServerUnavailableError`.
    """
    job = find_job(caller=caller, job_id=job_id)
    if job.state not in _ASKABLE or job.batch_id is not None:
        raise WrongStateError
    question = approval_server().ask(details=_details(job), state=state, link=link, redirect_uri=redirect_uri)
    asked = Job.objects.filter(pk=job.pk, state__in=_ASKABLE, digest=job.digest).change(
        state=Job.State.AUTHORIZING,
        approval_id=approval_id or uuid.uuid4(),
        approval_secrets=documents.encrypt_text(question.secret),
        error_code="",
        error_message="",
    )
    if not asked:
        raise WrongStateError
    return question.request


def complete_job(*, caller: VerifiedCaller, job_id: uuid.UUID, code: str, iss: str, redirect_uri: str = "") -> Job:
    """Redeems the code at once and leaves the signing to a worker. Asked again, it answers with the job as it stands.

    The PKCE verifier is taken by a conditional UPDATE first: of several calls one redeems. A crash after that
    leaves the job `authorizing` without a verifier, so the signer approves again.

    Raises `ApprovalRefusedError` if ``iss`` is not our issuer (RFC 9207) or the token is not for this job and
    signer, other approval errors, `WrongStateError`, `AuthorizationServerUnavailableError`.
    """
    job = find_job(caller=caller, job_id=job_id)
    if not secrets.compare_digest(iss.encode(), settings.ISSUER.encode()):
        raise ApprovalRefusedError
    if job.state in _ANSWERED:
        return job
    if job.state != Job.State.AUTHORIZING:
        raise WrongStateError
    this_approval = Job.objects.filter(pk=job.pk, state=Job.State.AUTHORIZING, approval_id=job.approval_id)
    kept = job.approval_secrets
    if not kept or not this_approval.filter(approval_secrets=kept).change(approval_secrets=""):
        return find_job(caller=caller, job_id=job_id)
    try:
        granted = approval_server().redeem(
            code=code,
            secret=documents.decrypt_text(kept),
            details=_details(job),
            subject=job.subject,
            redirect_uri=redirect_uri,
        )
    except AuthorizationServerNotReachedError:
        this_approval.filter(approval_secrets="").change(approval_secrets=kept)
        raise
    now = timezone.now()
    approved = this_approval.change(
        state=Job.State.APPROVED,
        token=documents.encrypt_text(granted.access_token),
        token_expires_at=now + timedelta(seconds=granted.expires_in),
        attempts=0,
        next_attempt_at=None,
    )
    if not approved:
        raise WrongStateError
    ring(job.pk)
    return find_job(caller=caller, job_id=job_id)

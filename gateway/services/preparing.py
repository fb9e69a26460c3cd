"""Preparing: the certificate is read, the PDF gets its empty place, the to-be-signed digest is fixed."""

import base64
import hashlib
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from gateway import documents
from gateway.clients import rssp
from gateway.errors import CredentialNotUsableError, StorageError, WrongStateError
from gateway.models import Job, StoredDocument
from gateway.pades import isolation
from gateway.pades.algorithms import choose_algorithm, parse_algorithm
from gateway.pades.covering import Original
from gateway.pades.options import SignatureOptions
from gateway.pades.to_be_signed import fix_signature
from gateway.pades.values import PreparedSignature, SignatureRequest
from gateway.services.callers import VerifiedCaller
from gateway.services.jobs import PREPARABLE, find_job
from gateway.services.keeping import Made, keep
from gateway.wire import Credential

# What a signer may want to read a document again and approve it; a certificate with less left is made anew.
_TIME_TO_APPROVE = timedelta(minutes=30)


def prepare_job(
    *,
    caller: VerifiedCaller,
    job_id: uuid.UUID,
    credential_id: str,
    level: str | None = None,
    best_effort: bool = False,
    options: SignatureOptions,
) -> Job:
    """Job becomes `prepared`; an approval asked for before is then worth nothing.

    Of a short-lived credential one is made for this job, which the job keeps as long as it can sign.

    Raises `WrongStateError`, `CredentialNotUsableError`, `TooManyPreparedError`, `SigningServiceUnavailableError`,
    document errors.
    """
    job = find_job(caller=caller, job_id=job_id)
    if job.state not in PREPARABLE or job.batch_id is not None:
        raise WrongStateError
    credential = _usable_credential(caller, job, credential_id)
    plan = make_plan(
        credential=credential,
        chosen_credential_id=credential_id,
        level=level or settings.SIGNATURE_LEVEL,
        best_effort=best_effort,
        options=options,
    )
    prepare_as_planned(job=job, plan=plan)
    return find_job(caller=caller, job_id=job_id)


@dataclass(frozen=True)
class Plan:
    """How documents are to be signed: with which certificate, and what the signatures say."""

    credential_id: str
    chosen_credential_id: str
    credential_label: str
    chain: tuple[bytes, ...]
    sign_algo: str
    hash_algorithm_oid: str
    level: str
    best_effort: bool
    options: SignatureOptions


def make_plan(
    *, credential: Credential, chosen_credential_id: str, level: str, best_effort: bool, options: SignatureOptions
) -> Plan:
    """Raises `CredentialNotUsableError` if the certificate's key signs by no algorithm of ours."""
    algorithm = choose_algorithm(certificate=credential.chain[0], offered=credential.key_algorithms)
    return Plan(
        credential_id=credential.credential_id,
        chosen_credential_id=chosen_credential_id,
        credential_label=credential.label,
        chain=credential.chain,
        sign_algo=algorithm.sign_algo,
        hash_algorithm_oid=algorithm.hash_algorithm_oid,
        level=level,
        best_effort=best_effort,
        options=options,
    )


def prepare_as_planned(*, job: Job, plan: Plan) -> None:
    """Job becomes `prepared`. Raises `WrongStateError`, document errors, storage errors."""
    made = make_prepared(job=job, plan=plan)
    if not keep_prepared(made=[made], states=PREPARABLE, lease_id=job.lease_id):
        raise WrongStateError


def make_prepared(*, job: Job, plan: Plan) -> Made:
    """The prepared document, whose file is stored. Raises document errors, storage errors."""
    options = plan.options
    algorithm = parse_algorithm(certificate=plan.chain[0], sign_algo=plan.sign_algo)
    request = SignatureRequest(
        chain=plan.chain,
        sign_algo=plan.sign_algo,
        field_name=options.field_name or f"Signature-{uuid.uuid4().hex[:12]}",
        pages=job.document_pages,
        level=plan.level,
        options=options,
        font_folders=tuple(settings.SIGNATURE_FONT_FOLDERS),
    )
    prepared, stored = _prepare_file(job, request, algorithm.hash_name)
    digest = hashlib.new(algorithm.hash_name, prepared.signed_attributes).digest()
    values = {
        "state": Job.State.PREPARED,
        "approval_id": None,
        "approval_secrets": "",
        "credential_id": plan.credential_id,
        "chosen_credential_id": plan.chosen_credential_id,
        "credential_label": plan.credential_label,
        "certificate_chain": encode_chain(plan.chain),
        "sign_algo": plan.sign_algo,
        "hash_algorithm_oid": plan.hash_algorithm_oid,
        "field_name": request.field_name,
        "level": plan.level,
        "best_effort": plan.best_effort,
        "signed_attributes": prepared.signed_attributes,
        "reserved_start": prepared.reserved_start,
        "reserved_end": prepared.reserved_end,
        "digest": base64.b64encode(digest).decode(),
        "lease_id": None,
        "lease_until": None,
    }
    return Made(job.pk, stored, values)


def keep_prepared(*, made: Sequence[Made], states: Collection[str], lease_id: uuid.UUID | None) -> set[uuid.UUID]:
    """Those that are still as `keep` wants them become `prepared`; an approval asked for before is then worth nothing.
    Answers which."""
    return keep(made=made, states=states, lease_id=lease_id, column="prepared", replaced=["prepared"])


def _usable_credential(caller: VerifiedCaller, job: Job, credential_id: str) -> Credential:
    credential = rssp.read_credential(token=caller.token, credential_id=credential_id, is_seal=caller.acts_alone)
    if not is_usable(credential):
        raise CredentialNotUsableError
    if not credential.short_lived:
        return credential
    if job.chosen_credential_id == credential_id and job.credential_id:
        made = rssp.read_credential(token=caller.token, credential_id=job.credential_id)
        if is_usable(made) and made.valid_to - timezone.now() > _TIME_TO_APPROVE:
            return made
    return rssp.prepare_credential(token=caller.token, credential_id=credential_id)


def is_usable(credential: Credential) -> bool:
    """Whether it may sign now."""
    enabled = credential.key_status == "enabled" and credential.cert_status == "valid"
    return enabled and credential.valid_from <= timezone.now() < credential.valid_to


def _prepare_file(job: Job, request: SignatureRequest, hash_name: str) -> tuple[PreparedSignature, StoredDocument]:
    if job.original is None:
        raise StorageError
    original = Original(hash_name)
    with documents.open_document(job.original, watch=original.update) as file:
        if original.sha256 != job.document_sha256:
            raise StorageError
        password = documents.password_of(job.original)
        place = isolation.prepare_document(file, request, password=password, owner=job)
        # What preparing added; the document is kept already.
        with documents.cut(file, begin=job.document_size) as update:
            prepared = fix_signature(update, original=original, place=place, request=request)
            return prepared, documents.write_document(update)


def encode_chain(chain: Sequence[bytes]) -> list[str]:
    """As a row keeps it: base64 of the DER."""
    return [base64.b64encode(certificate).decode() for certificate in chain]

"""The table of the API's calls: what each is for, what it takes, what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gateway.openapi.schemas import (
    BATCH,
    CODE,
    CREDENTIAL_REQUEST,
    IDENTIFICATION,
    IDENTIFIED,
    LINK,
    LINKS,
    OWN_OPTIONS,
    PASSKEY_CHANGE,
    RETURNS,
    SEAL,
    STATE,
    Schema,
    boolean,
    closed,
    identifier,
    opened,
    ref,
    string,
)

PDF = "application/pdf"
Body = Schema | str  # a media type whose bytes have no schema


@dataclass(frozen=True)
class Call:
    """``takes`` are the kinds of body that it takes, none of a GET; ``answers`` maps a success's status to its body, an
    empty schema is no body at all. ``creates`` of one that takes an ``Idempotency-Key``."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    name: str
    summary: str
    answers: Mapping[int, Body]
    takes: tuple[Body, ...] = ()
    description: str = ""
    creates: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


_PASSWORD = {"Document-Password": "What opens an encrypted document: a byte sequence (RFC 8941, 3.3.5) of its UTF-8."}
_DISPOSITION = {"Content-Disposition": "RFC 6266: the document's name, in filename* or filename."}

CALLS: tuple[Call, ...] = (
    Call(
        *("POST", "/inspections", "inspect", "Whether a document can be signed"),
        {200: ref("Inspection")},
        (PDF,),
        "Nothing is stored.",
        headers=_PASSWORD,
    ),
    Call(
        *("POST", "/repairs", "repair", "Writes a damaged document anew"),
        {200: PDF},
        (PDF,),
        "What inspections names `repairable_pdf`, never one that is signed. The result is another document, for "
        "somebody to read before they sign it. The answer's header Repairs lists what was changed.",
        headers=_PASSWORD,
    ),
    Call(
        *("POST", "/jobs", "open_job", "Uploads a document that is to be signed"),
        {201: ref("Job")},
        (PDF,),
        creates=True,
        headers=_DISPOSITION | _PASSWORD,
    ),
    Call("GET", "/jobs/{job_id}", "show_job", "Where a job stands", {200: ref("Job")}),
    Call("DELETE", "/jobs/{job_id}", "delete_job", "Deletes a job, its documents and their keys", {204: {}}),
    Call(
        *("POST", "/jobs/{job_id}/prepare", "prepare_job", "Fixes certificate, level and digest"),
        {200: ref("Job")},
        (ref("Preparation"),),
        "May be called again until the job is approved. The options are in docs/signatures.md.",
    ),
    Call(
        *("POST", "/jobs/{job_id}/authorization", "authorize_job", "Asks for the signer's approval"),
        {200: ref("Approval")},
        ({"oneOf": [opened(STATE, LINK), RETURNS]},),
        "The browser comes back to the caller, who gives a state, or to this service.",
    ),
    Call(
        *("POST", "/jobs/{job_id}/complete", "complete_job", "Hands over the approval's code"),
        {202: ref("Job")},
        (CODE,),
        "The same again answers with the job as it stands.",
    ),
    Call(
        *("POST", "/jobs/{job_id}/seal", "seal_job", "Seals, with what the signing service opened for this client"),
        {202: ref("Job")},
        (SEAL,),
        "Of a client's own token alone. The same again answers with the job as it stands.",
    ),
    Call(
        *("POST", "/jobs/{job_id}/finish", "finish_job", "Finishes a job that failed after its signature was made"),
        {202: ref("Job")},
        (opened({}, {"best_effort": boolean("Whether a lower level will do.")}),),
    ),
    Call("GET", "/jobs/{job_id}/result", "read_result", "The signed document", {200: PDF}),
    Call(
        *("POST", "/archives", "open_archive", "Keeps a signed document, renewed before its proofs end"),
        {201: ref("Archive")},
        (PDF, opened({"job_id": identifier("A job that is signed.")})),
        creates=True,
        headers=_DISPOSITION | _PASSWORD,
    ),
    Call("GET", "/archives/{archive_id}", "show_archive", "Until when it lasts", {200: ref("Archive")}),
    Call("DELETE", "/archives/{archive_id}", "delete_archive", "Deletes the document and its key", {204: {}}),
    Call("GET", "/archives/{archive_id}/document", "read_archive", "The document as last renewed", {200: PDF}),
    Call(
        *("POST", "/batches", "open_batch", "Puts jobs together for one approval"),
        {201: ref("Batch")},
        (BATCH,),
        creates=True,
    ),
    Call("GET", "/batches/{batch_id}", "show_batch", "How many documents are how far", {200: ref("Batch")}),
    Call(
        *("GET", "/batches/{batch_id}/progress", "follow_batch", "The same, told as it changes"),
        {200: "text/event-stream"},
        description="Server-sent events, each a Batch; they end when nothing moves any more, or after half a minute.",
    ),
    Call("DELETE", "/batches/{batch_id}", "delete_batch", "Deletes it with its jobs and documents", {204: {}}),
    Call("GET", "/batches/{batch_id}/jobs", "list_batch_jobs", "Each document's state", {200: ref("BatchJobs")}),
    Call(
        *("POST", "/jobs/{job_id}/options", "set_own_options", "What one document's signature in a batch says"),
        {200: ref("Job")},
        (OWN_OPTIONS,),
    ),
    Call(
        *("POST", "/batches/{batch_id}/prepare", "prepare_batch", "As for a job, for all of them"),
        {202: ref("Batch")},
        (ref("Preparation"),),
    ),
    Call(
        *("POST", "/batches/{batch_id}/authorization", "authorize_batch", "Asks for one approval of all"),
        {200: ref("Approval")},
        ({"oneOf": [opened(STATE, LINKS), RETURNS]},),
        "As for a job.",
    ),
    Call(
        *("POST", "/batches/{batch_id}/complete", "complete_batch", "Hands over the approval's code"),
        {202: ref("Batch")},
        (CODE,),
    ),
    Call(
        *("POST", "/batches/{batch_id}/seal", "seal_batch", "Seals all of them by one activation"),
        {202: ref("Batch")},
        (SEAL,),
        "As for a job, with one activation for all digests of the batch.",
    ),
    Call("GET", "/credentials", "list_credentials", "The caller's credentials", {200: ref("Credentials")}),
    Call(
        *("POST", "/credential-requests", "request_credential", "Asks for the approval of a new credential"),
        {201: ref("RequestedApproval")},
        (CREDENTIAL_REQUEST,),
        creates=True,
    ),
    Call(
        *("POST", "/credential-requests/{request_id}/complete", "complete_request", "Hands over the approval's code"),
        {201: ref("Credential"), 202: ref("CertificateRequest")},
        (CODE,),
    ),
    Call(
        *("POST", "/identifications", "begin_identification", "Where the owner of a request shows who they are"),
        {201: closed({"authorization_url": string("Another OpenID provider's.", format="uri")})},
        (IDENTIFICATION,),
    ),
    Call(
        *("POST", "/identifications/complete", "complete_identification", "Hands over what came back from there"),
        {200: ref("CertificateRequest")},
        (IDENTIFIED,),
    ),
    Call(
        *("POST", "/passkey-changes", "request_change", "Asks for the approval to bind or unbind a passkey"),
        {201: ref("RequestedApproval")},
        (PASSKEY_CHANGE,),
        creates=True,
    ),
    Call(
        *("POST", "/passkey-changes/{request_id}/complete", "complete_change", "Hands over the approval's code"),
        {200: ref("Passkeys")},
        (CODE,),
    ),
)

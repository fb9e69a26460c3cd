"""The addresses of this role's API (docs/protocols.md, section 6)."""

from django.urls import path

from gateway.views import archives, batches, credentials, identity, jobs, openapi, passkeys, progress, returns
from gateway.views.endpoint import by_method

app_name = "gateway"
urlpatterns = [
    path("gateway/v1", openapi.page, name="api"),
    path("gateway/v1/openapi.json", openapi.description, name="openapi"),
    path("gateway/approval/callback", returns.callback, name="approval-callback"),
    path(".well-known/oauth-protected-resource/gateway", returns.resource_metadata, name="resource-metadata"),
    path("gateway/v1/inspections", jobs.inspections, name="inspections"),
    path("gateway/v1/repairs", jobs.repairs, name="repairs"),
    path("gateway/v1/jobs", jobs.open_job, name="jobs"),
    path("gateway/v1/jobs/<uuid:job_id>", by_method(GET=jobs.show_job, DELETE=jobs.delete_job), name="job"),
    path("gateway/v1/jobs/<uuid:job_id>/prepare", jobs.prepare, name="prepare"),
    path("gateway/v1/jobs/<uuid:job_id>/options", batches.own_options, name="own-options"),
    path("gateway/v1/jobs/<uuid:job_id>/authorization", jobs.authorization, name="authorization"),
    path("gateway/v1/jobs/<uuid:job_id>/complete", jobs.complete, name="complete"),
    path("gateway/v1/jobs/<uuid:job_id>/seal", jobs.seal, name="seal"),
    path("gateway/v1/jobs/<uuid:job_id>/finish", jobs.finish, name="finish"),
    path("gateway/v1/jobs/<uuid:job_id>/result", jobs.result, name="result"),
    path("gateway/v1/archives", archives.create, name="archives"),
    path(
        "gateway/v1/archives/<uuid:archive_id>",
        by_method(GET=archives.show, DELETE=archives.delete),
        name="archive",
    ),
    path("gateway/v1/archives/<uuid:archive_id>/document", archives.document, name="archive-document"),
    path("gateway/v1/batches", batches.open_batch, name="batches"),
    path(
        "gateway/v1/batches/<uuid:batch_id>",
        by_method(GET=batches.show_batch, DELETE=batches.delete_batch),
        name="batch",
    ),
    path("gateway/v1/batches/<uuid:batch_id>/progress", progress.follow_batch, name="batch-progress"),
    path("gateway/v1/batches/<uuid:batch_id>/jobs", batches.list_jobs, name="batch-jobs"),
    path("gateway/v1/batches/<uuid:batch_id>/prepare", batches.prepare, name="batch-prepare"),
    path("gateway/v1/batches/<uuid:batch_id>/authorization", batches.authorization, name="batch-authorization"),
    path("gateway/v1/batches/<uuid:batch_id>/complete", batches.complete, name="batch-complete"),
    path("gateway/v1/batches/<uuid:batch_id>/seal", batches.seal, name="batch-seal"),
    path("gateway/v1/credentials", credentials.list_credentials, name="credentials"),
    path("gateway/v1/credential-requests", credentials.request_credential, name="credential-requests"),
    path("gateway/v1/credential-requests/<uuid:request_id>/complete", credentials.complete, name="credential-complete"),
    path("gateway/v1/identifications", identity.begin, name="identifications"),
    path("gateway/v1/identifications/complete", identity.complete, name="identification-complete"),
    path("gateway/v1/passkey-changes", passkeys.request_change, name="passkey-changes"),
    path("gateway/v1/passkey-changes/<uuid:request_id>/complete", passkeys.complete, name="passkey-complete"),
]

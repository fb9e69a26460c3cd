"""Addresses of this role, from the root. The two callbacks are part of a published protocol."""

from django.urls import path

from signapp.views import (
    account,
    approval,
    certificates,
    documents,
    drafts,
    envelopes,
    files,
    home,
    identity,
    invitations,
    login,
    overview,
    signing,
)

app_name = "signapp"

urlpatterns = [
    path("", home.home, name="home"),
    path("login", login.login, name="login"),
    path("signup", login.signup, name="signup"),
    path("login/callback", login.callback, name="login_callback"),
    path("login/backchannel-logout", login.backchannel_logout, name="backchannel_logout"),
    path("logout", login.logout, name="logout"),
    path("logged-out", login.logged_out, name="logged_out"),
    path("stopped", home.stopped, name="stopped"),
    path("documents", documents.documents, name="documents"),
    path("documents/<uuid:document_id>", documents.document, name="document"),
    path("documents/<uuid:document_id>/state", documents.state, name="state"),
    path("documents/<uuid:document_id>/row", documents.row, name="row"),
    path("documents/<uuid:document_id>/delete", documents.delete, name="delete_document"),
    path("documents/<uuid:document_id>/prepare", signing.prepare, name="prepare"),
    path("documents/<uuid:document_id>/approve", signing.approve, name="approve"),
    path("documents/<uuid:document_id>/cancel", signing.cancel, name="cancel"),
    path("documents/<uuid:document_id>/file", files.file, name="file"),
    path("documents/<uuid:document_id>/download", files.download, name="download"),
    path("approval/callback", approval.callback, name="approval_callback"),
    path("certificates/new", certificates.new, name="new_certificate"),
    path("envelopes", overview.envelopes, name="envelopes"),
    path("envelopes/act", overview.act, name="act_on_envelopes"),
    path("envelopes/new", drafts.new, name="new_envelope"),
    path("envelopes/<uuid:envelope_id>", envelopes.envelope, name="envelope"),
    path("envelopes/<uuid:envelope_id>/edit", drafts.edit, name="edit_envelope"),
    path("envelopes/<uuid:envelope_id>/documents", drafts.add_document, name="add_document"),
    path("envelopes/<uuid:envelope_id>/recipients", drafts.add_recipient, name="add_recipient"),
    path(
        "envelopes/<uuid:envelope_id>/documents/<uuid:part_id>/remove", drafts.remove_document, name="remove_document"
    ),
    path(
        "envelopes/<uuid:envelope_id>/recipients/<uuid:recipient_id>/remove",
        drafts.remove_recipient,
        name="remove_recipient",
    ),
    path("envelopes/<uuid:envelope_id>/discard", drafts.discard, name="discard_envelope"),
    path("envelopes/<uuid:envelope_id>/documents/<uuid:part_id>", files.part, name="part"),
    path("envelopes/<uuid:envelope_id>/approve", envelopes.approve, name="approve_envelope"),
    path("envelopes/<uuid:envelope_id>/decline", envelopes.decline, name="decline_envelope"),
    path("envelopes/<uuid:envelope_id>/cancel", envelopes.cancel, name="cancel_envelope"),
    path("envelopes/<uuid:envelope_id>/delegate", envelopes.delegate, name="delegate"),
    path("envelopes/<uuid:envelope_id>/recipients/<uuid:recipient_id>/resend", envelopes.resend, name="resend"),
    path("envelopes/<uuid:envelope_id>/remind", envelopes.remind, name="remind"),
    path("invitations/<str:secret>", invitations.invitation, name="invitation"),
    path("invitations/<str:secret>/renew", invitations.renew, name="renew_invitation"),
    path("account/identify", identity.identify, name="identify"),
    path("account/identified", identity.identified, name="identified"),
    path("account/passkeys", account.change_passkeys, name="change_passkeys"),
    path("account", account.account, name="account"),
]

"""The one table from this role's errors to a status and to words: what happened, what it means, what to do.

A failed document keeps its error's code, so the same table explains it when its page is opened again.
"""

import logging
from dataclasses import dataclass
from http import HTTPStatus

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from signapp import errors

logger = logging.getLogger(__name__)
Words = str | Promise


@dataclass(frozen=True)
class Explanation:
    """What a page says about one error."""

    status: HTTPStatus
    title: str
    sentence: str
    code: str


TABLE: dict[str, tuple[HTTPStatus, Words, Words]] = {
    # Log in again.
    "login_required": (
        HTTPStatus.UNAUTHORIZED,
        gettext_lazy("You are not logged in any more"),
        gettext_lazy("Your documents are still here. Log in to go on."),
    ),
    "login_failed": (
        HTTPStatus.BAD_REQUEST,
        gettext_lazy("You were not logged in"),
        gettext_lazy("The login did not come about. Nothing was changed; try again."),
    ),
    "login_declined": (
        HTTPStatus.FORBIDDEN,
        gettext_lazy("You stopped the login"),
        gettext_lazy("So you are not logged in. Nothing was changed."),
    ),
    "login_stale": (
        HTTPStatus.BAD_REQUEST,
        gettext_lazy("This login is over"),
        gettext_lazy("It began in another browser, took too long or was finished already. Log in again."),
    ),
    "login_not_verified": (
        HTTPStatus.BAD_REQUEST,
        gettext_lazy("You were not logged in"),
        gettext_lazy("The login service's answer could not be verified, so it was not believed. Log in again."),
    ),
    "logout_not_verified": (
        HTTPStatus.BAD_REQUEST,
        gettext_lazy("Nobody was logged out"),
        gettext_lazy("What asked for it is not the login service's word, or came before."),
    ),
    "login_server_away": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        gettext_lazy("The login service does not answer"),
        gettext_lazy("You are not logged in, and nothing was changed. Try again in a minute."),
    ),
    # The document must be another one.
    "not_a_pdf": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("This is not a PDF"),
        gettext_lazy("This file is not a PDF. Save it as PDF from the program that made it, then upload that."),
    ),
    "empty_document": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("There is nothing in this file"),
        gettext_lazy("This file is empty or has no pages. Choose another one."),
    ),
    "password_required": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("This PDF is protected by a password"),
        gettext_lazy("This PDF is protected by a password. Type it below, and send the file again."),
    ),
    "password_wrong": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("This is not the password"),
        gettext_lazy("This PDF has another password. Type it again: large and small letters count."),
    ),
    "too_many_passwords": (
        HTTPStatus.TOO_MANY_REQUESTS,
        gettext_lazy("Too many passwords were tried"),
        gettext_lazy("Wait ten minutes, then try again. Nothing was kept."),
    ),
    "library_full": (
        HTTPStatus.CONFLICT,
        gettext_lazy("Your library is full"),
        gettext_lazy("You have as many documents here as one person may. Delete some, then upload this one."),
    ),
    "encryption_unsupported": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("This PDF is encrypted in an unusual way"),
        gettext_lazy(
            "It opens by no password, or is sealed. Ask who made it for a copy that opens by one, or by none."
        ),
    ),
    "signing_not_permitted": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("This PDF may not be signed"),
        gettext_lazy(
            "Its owner permits no signature. If you have the owner's password, type it below and send the file again."
        ),
    ),
    "certified_no_changes": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("This PDF may not be changed"),
        gettext_lazy(
            "Its author certified this PDF and allows no further change, not even a signature. "
            "Ask for a copy that may be signed."
        ),
    ),
    "damaged_pdf": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("This PDF is damaged or unusually built"),
        gettext_lazy(
            "This PDF is damaged or unusually built, so what you read might not be what you sign. "
            "Save it anew from the program that made it, or print it to a PDF."
        ),
    ),
    "xfa_form": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("This PDF is a form of two kinds"),
        gettext_lazy(
            "It holds a second form of itself (XFA), so others might see something else than you sign. "
            "Print it to a PDF, and upload that."
        ),
    ),
    "repairable_pdf": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("This PDF has to be repaired first"),
        gettext_lazy(
            "This PDF is damaged, or holds a second form of itself, so programs may disagree on what it says."
        ),
    ),
    "nothing_to_repair": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("This PDF needs no repair"),
        gettext_lazy("It can be signed as it is. Upload it without repairing it."),
    ),
    "repair_breaks_signatures": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("This PDF is signed already"),
        gettext_lazy("Repairing it would take its signatures away, so it was left alone. Ask for another copy."),
    ),
    "hostile_pdf": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("This PDF asks for too much"),
        gettext_lazy(
            "This PDF takes far more time or memory to read than its size explains, so it was not kept. "
            "Print it to a new PDF, and upload that."
        ),
    ),
    "too_many_pages": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("This PDF has too many pages"),
        gettext_lazy("This PDF has more pages than can be signed here. Divide it, and upload the parts."),
    ),
    "document_too_large": (
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        gettext_lazy("This file is too large"),
        gettext_lazy("This file is larger than can be signed here. Choose a smaller one."),
    ),
    # The request must be another one.
    "document_not_found": (
        HTTPStatus.NOT_FOUND,
        gettext_lazy("There is no such document"),
        gettext_lazy("It may have been deleted, or the address may be mistyped."),
    ),
    "wrong_state": (
        HTTPStatus.CONFLICT,
        gettext_lazy("That is no longer possible"),
        gettext_lazy("The document has moved on since this page was opened. Look at it again, and go on from there."),
    ),
    "document_busy": (
        HTTPStatus.CONFLICT,
        gettext_lazy("The document is being signed"),
        gettext_lazy("Nothing was changed. Wait until it is signed, then try again."),
    ),
    "credential_not_usable": (
        HTTPStatus.CONFLICT,
        gettext_lazy("This certificate cannot sign now"),
        gettext_lazy("It is disabled, expired or revoked. Nothing was signed. Choose or get another one."),
    ),
    "too_many_prepared": (
        HTTPStatus.TOO_MANY_REQUESTS,
        gettext_lazy("Too many signatures wait for your approval"),
        gettext_lazy(
            "A certificate is made for each of them, and it waits for an hour. "
            "Approve those that are prepared, or come back later. Nothing was signed."
        ),
    ),
    # The signer must approve again.
    "approval_failed": (
        HTTPStatus.BAD_REQUEST,
        gettext_lazy("The approval did not come about"),
        gettext_lazy("Nothing was signed. Your document is still here: approve again."),
    ),
    "approval_stale": (
        HTTPStatus.BAD_REQUEST,
        gettext_lazy("This approval is over"),
        gettext_lazy(
            "It began in another browser or too long ago, so nothing was signed by it. "
            "Your document is still here: open it, and approve again."
        ),
    ),
    "approval_not_verified": (
        HTTPStatus.BAD_REQUEST,
        gettext_lazy("This approval cannot be trusted"),
        gettext_lazy(
            "It came from elsewhere or is incomplete, so nothing was signed by it. "
            "Your document is still here: open it, and approve again."
        ),
    ),
    # Who asks for a certificate.
    "identity_failed": (
        HTTPStatus.BAD_REQUEST,
        gettext_lazy("Nothing was learnt of who you are"),
        gettext_lazy("Your request is as it was. Try again from your account."),
    ),
    "identity_stale": (
        HTTPStatus.BAD_REQUEST,
        gettext_lazy("This is over"),
        gettext_lazy(
            "It began in another browser or too long ago. Your request is as it was: try again from your account."
        ),
    ),
    "identity_denied": (
        HTTPStatus.FORBIDDEN,
        gettext_lazy("You did not show who you are"),
        gettext_lazy("Your request is as it was. Somebody checks who you are, or you can try again from your account."),
    ),
    "identity_refused": (
        HTTPStatus.FORBIDDEN,
        gettext_lazy("That did not show who you are"),
        gettext_lazy(
            "The provider did not look closely enough, or its answer does not fit. Your request is as it was: "
            "somebody checks who you are, or you can try again from your account."
        ),
    ),
    "job_lost": (
        HTTPStatus.GONE,
        gettext_lazy("The preparation has ended"),
        gettext_lazy("Nothing was signed. Your document is still here: prepare it again."),
    ),
    "job_expired": (
        HTTPStatus.GONE,
        gettext_lazy("The approval did not come in time"),
        gettext_lazy("Nothing was signed. Your document is still here: prepare it again."),
    ),
    "approval_denied": (
        HTTPStatus.FORBIDDEN,
        gettext_lazy("You declined"),
        gettext_lazy("Nothing was signed. Your document is still here, and you can go on whenever you like."),
    ),
    "approval_expired": (
        HTTPStatus.GONE,
        gettext_lazy("The approval came too late"),
        gettext_lazy(
            "It had expired or was used already, so it signed nothing now. Your document is still here: approve again."
        ),
    ),
    "approval_refused": (
        HTTPStatus.FORBIDDEN,
        gettext_lazy("The approval was refused"),
        gettext_lazy(
            "It did not fit this document, certificate and signer. Nothing was signed. "
            "Use the passkey that the certificate was made with, and approve again."
        ),
    ),
    "outcome_unknown": (
        HTTPStatus.INTERNAL_SERVER_ERROR,
        gettext_lazy("The outcome is not known"),
        gettext_lazy(
            "The signing service's answer was lost, so there is no signed document. "
            "That approval is spent. Your document is still here: approve again."
        ),
    ),
    "invalid_signature": (
        HTTPStatus.INTERNAL_SERVER_ERROR,
        gettext_lazy("The signature did not verify"),
        gettext_lazy(
            "What came back was not a good signature, so it was thrown away. Your document is still here: try again."
        ),
    ),
    "timestamp_failed": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        gettext_lazy("No time-stamp could be had"),
        gettext_lazy("So no signed document was handed out. Your document is still here: sign it again later."),
    ),
    "revocation_data_failed": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        gettext_lazy("Not every certificate could be checked"),
        gettext_lazy("So no signed document was handed out. Your document is still here: sign it again later."),
    ),
    "certificate_revoked": (
        HTTPStatus.CONFLICT,
        gettext_lazy("A certificate was revoked meanwhile"),
        gettext_lazy("So no signed document was handed out. Your document is still here: choose another certificate."),
    ),
    "result_damaged": (
        HTTPStatus.INTERNAL_SERVER_ERROR,
        gettext_lazy("The signed document did not arrive intact"),
        gettext_lazy("So it was not kept. Your document is still here: sign it again."),
    ),
    # Envelopes and invitations.
    "envelope_not_found": (
        HTTPStatus.NOT_FOUND,
        gettext_lazy("There is no such envelope"),
        gettext_lazy("It may have been deleted, or it was sent to another account. Open the link in the e-mail."),
    ),
    "envelope_incomplete": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("This envelope cannot be sent yet"),
        gettext_lazy("It needs a document, and somebody who signs or approves it."),
    ),
    "envelope_full": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("No more fits into one envelope"),
        gettext_lazy("This envelope holds as much as one may. Send a second one."),
    ),
    "recipient_twice": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("This address is in the envelope already"),
        gettext_lazy("This address is in the envelope already. One person needs to be named only once."),
    ),
    "field_refused": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("These fields cannot be kept"),
        gettext_lazy("What arrived are no fields. Load the page again, and place them anew."),
    ),
    "field_off_page": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("A field does not lie on its page"),
        gettext_lazy("A field lies outside its page, or is too small to be used. Move it, and it is saved."),
    ),
    "field_of_nobody": (
        HTTPStatus.NOT_FOUND,
        gettext_lazy("A field is for nobody"),
        gettext_lazy("A field is for somebody who does not sign this envelope. Load the page again."),
    ),
    "too_many_fields": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("No more fields fit into this document"),
        gettext_lazy("This document has as many fields as it can have. Remove some, or divide the document."),
    ),
    "signed_before": (
        HTTPStatus.CONFLICT,
        gettext_lazy("This document is signed already"),
        gettext_lazy(
            "It was signed before it came here, and a field that is added now would make that signature look broken. "
            "It can be signed without fields."
        ),
    ),
    "too_many_templates": (
        HTTPStatus.CONFLICT,
        gettext_lazy("There is no room for another template"),
        gettext_lazy("You have as many templates as one account can have. Delete one that you do not need."),
    ),
    "several_roles": (
        HTTPStatus.CONFLICT,
        gettext_lazy("This template has no link"),
        gettext_lazy("A link is for a template with one person, who signs. Make one of a draft that has one signer."),
    ),
    "direct_link_unknown": (
        HTTPStatus.NOT_FOUND,
        gettext_lazy("This link opens nothing"),
        gettext_lazy("It may be cut short, or it was switched off. Ask whoever gave it to you for another one."),
    ),
    "direct_link_over": (
        HTTPStatus.GONE,
        gettext_lazy("This link is over"),
        gettext_lazy("Its time is over, or it was used as often as it may be. Ask whoever gave it to you."),
    ),
    "direct_link_busy": (
        HTTPStatus.TOO_MANY_REQUESTS,
        gettext_lazy("Many people use this link just now"),
        gettext_lazy("Nothing was sent to you yet. Try again in an hour."),
    ),
    "field_not_found": (
        HTTPStatus.NOT_FOUND,
        gettext_lazy("There is no such field"),
        gettext_lazy("It is somebody else’s, or the page is old. Load it again; nothing was signed or changed."),
    ),
    "value_missing": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("Something is not filled in yet"),
        gettext_lazy("A field that is required is empty. Fill it in, then go on. Nothing was signed."),
    ),
    "look_not_found": (
        HTTPStatus.NOT_FOUND,
        gettext_lazy("There is no such picture"),
        gettext_lazy("You have not made one, or it was deleted. Nothing was changed."),
    ),
    "picture_unreadable": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("This picture cannot be used"),
        gettext_lazy("This picture cannot be read. Choose a PNG or JPEG."),
    ),
    "picture_empty": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("There is nothing to be seen"),
        gettext_lazy("There is nothing to be seen in this picture. Draw, type or choose it again."),
    ),
    "picture_too_large": (
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        gettext_lazy("This picture is too large"),
        gettext_lazy("This picture is larger than 2 MB or 16 million pixels. Make it smaller, and choose it again."),
    ),
    "field_not_fillable": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("A field does not take what was filled in"),
        gettext_lazy("Nothing was signed. Go back to the fields, and fill them in again."),
    ),
    "field_locked": (
        HTTPStatus.CONFLICT,
        gettext_lazy("A field was locked by an earlier signature"),
        gettext_lazy("So it cannot be filled in any more, and nothing was signed. Ask the sender for a new envelope."),
    ),
    "font_missing": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("A character cannot be written"),
        gettext_lazy(
            "No font here has all characters of what you filled in. Write it with others. Nothing was signed."
        ),
    ),
    "image_unreadable": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("Your signature’s picture cannot be used"),
        gettext_lazy("Nothing was signed. Make its appearance anew in your account, and try again."),
    ),
    "page_changed": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("Signing would change what a page shows"),
        gettext_lazy("So nothing was signed. Ask for a copy that was saved anew by the program that made it."),
    ),
    "batch_not_found": (
        HTTPStatus.NOT_FOUND,
        gettext_lazy("There is nothing of yours here"),
        gettext_lazy("These documents are not there any more, or they are somebody else’s."),
    ),
    "signed_together": (
        HTTPStatus.CONFLICT,
        gettext_lazy("This document is signed together with others"),
        gettext_lazy("Go on with all of them, or stop that first. Nothing was signed or changed by this step."),
    ),
    "nothing_to_sign": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("No document is chosen"),
        gettext_lazy("Choose the documents that you want to sign."),
    ),
    "too_many_together": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        gettext_lazy("These are too many for one approval"),
        gettext_lazy("One approval can be for 200 documents. Choose fewer, and sign the others afterwards."),
    ),
    "envelope_sent": (
        HTTPStatus.CONFLICT,
        gettext_lazy("The envelope is sent"),
        gettext_lazy("What was sent cannot be changed, so that everybody signs the same. Cancel it, and send another."),
    ),
    "envelope_over": (
        HTTPStatus.CONFLICT,
        gettext_lazy("There is nothing to do here any more"),
        gettext_lazy("The envelope has ended, or your part in it is done. Nothing was signed or changed by this step."),
    ),
    "turn_taken": (
        HTTPStatus.CONFLICT,
        gettext_lazy("Somebody else is signing this document now"),
        gettext_lazy("Signatures are made one after another. Nothing was lost: try again in a few minutes."),
    ),
    "revision_moved": (
        HTTPStatus.CONFLICT,
        gettext_lazy("Somebody else signed this document first"),
        gettext_lazy("Yours goes over theirs, so it has to be prepared again. Nothing was signed by you yet."),
    ),
    "delegation_refused": (
        HTTPStatus.CONFLICT,
        gettext_lazy("Your place cannot be handed over"),
        gettext_lazy("The sender does not allow it, or you have signed a document of it already."),
    ),
    "envelope_open": (
        HTTPStatus.CONFLICT,
        gettext_lazy("This envelope is still under way"),
        gettext_lazy("It cannot be deleted while people are asked to sign. Cancel or decline it first."),
    ),
    "bulk_not_found": (
        HTTPStatus.NOT_FOUND,
        gettext_lazy("There is no such list"),
        gettext_lazy("It may belong to another account, or the address may be mistyped."),
    ),
    "wrong_bulk_state": (
        HTTPStatus.CONFLICT,
        gettext_lazy("That is no longer possible"),
        gettext_lazy("The list was sent or stopped already. Nobody was written to twice."),
    ),
    "download_too_large": (
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        gettext_lazy("This is too much for one download"),
        gettext_lazy("Choose fewer envelopes, and download the others afterwards."),
    ),
    "reminded_lately": (
        HTTPStatus.TOO_MANY_REQUESTS,
        gettext_lazy("They were written to a short while ago"),
        gettext_lazy("A message went out within the last hour. Remind them later."),
    ),
    "invitation_unknown": (
        HTTPStatus.NOT_FOUND,
        gettext_lazy("This link opens nothing"),
        gettext_lazy("It may be cut short. Open it from the e-mail again, or copy the whole address."),
    ),
    "invitation_expired": (
        HTTPStatus.GONE,
        gettext_lazy("This link is too old"),
        gettext_lazy("Links work for a limited time, and a new one ends the old. Have a new one sent to your address."),
    ),
    "invitation_used": (
        HTTPStatus.FORBIDDEN,
        gettext_lazy("Another account has taken this invitation up"),
        gettext_lazy(
            "A link is good for one account. If that account is yours, log in with it and open the link again."
        ),
    ),
    "invitation_elsewhere": (
        HTTPStatus.FORBIDDEN,
        gettext_lazy("This invitation went to another address"),
        gettext_lazy(
            "It opens only for the account of the address that was invited. Log out and use that account, "
            "or ask the sender to invite the address that you use here."
        ),
    ),
    "invitation_unverified": (
        HTTPStatus.FORBIDDEN,
        gettext_lazy("Confirm your address first"),
        gettext_lazy(
            "You signed up with the invited address, and a second e-mail is on its way to it. "
            "Open the link in that one, press the button there, and come back to this page."
        ),
    ),
    "invitation_addressless": (
        HTTPStatus.FORBIDDEN,
        gettext_lazy("Your address is not known here"),
        gettext_lazy(
            "The provider you log in with has not said that it verified your e-mail address, so this link cannot be "
            "opened with your account. Verify the address there, log out here and log in again."
        ),
    ),
    "invitation_over": (
        HTTPStatus.GONE,
        gettext_lazy("This envelope is over"),
        gettext_lazy(
            "It was cancelled, declined or handed to somebody else, or it has expired. There is nothing to sign."
        ),
    ),
    # Another service: try later.
    "signing_service_unavailable": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        gettext_lazy("The signing service does not answer"),
        gettext_lazy("Nothing was changed, and your documents are still here. Try again in a minute."),
    ),
    "authorization_server_unavailable": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        gettext_lazy("The login and approval service does not answer"),
        gettext_lazy("Nothing was signed or changed by this step. Try again in a minute."),
    ),
    "storage_error": (
        HTTPStatus.INTERNAL_SERVER_ERROR,
        gettext_lazy("This document cannot be read back"),
        gettext_lazy("Its file in storage is gone or altered. Nothing was signed; upload it again."),
    ),
    "storage_unavailable": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        gettext_lazy("Documents cannot be reached now"),
        gettext_lazy("Nothing is lost, and nothing new was kept. Try again in a minute."),
    ),
    "export_not_ready": (
        HTTPStatus.NOT_FOUND,
        gettext_lazy("There is no export here"),
        gettext_lazy("It may not be ready yet, or its days are over. Ask for one on your account’s page."),
    ),
    "storage_full": (
        HTTPStatus.INSUFFICIENT_STORAGE,
        gettext_lazy("There is no room for this document now"),
        gettext_lazy("There is no room for this document now, so nothing of it was kept. Try again later."),
    ),
}

_UNKNOWN = (
    HTTPStatus.INTERNAL_SERVER_ERROR,
    gettext_lazy("Something went wrong on our side"),
    gettext_lazy(
        "Nothing was signed by this step. Try again; if it happens again, tell the operator the reference below."
    ),
)


# What to do about it where another provider stands in authz's place.
_ELSEWHERE = {
    "approval_refused": gettext_lazy(
        "It did not fit this document, certificate and signer. Nothing was signed. "
        "Log in once more for this signature, with the account that you are logged in with here."
    ),
}


def explain(error: errors.SignappError) -> Explanation:
    """The error's words. One that is not in the table is told without detail and logged."""
    if error.code not in TABLE:
        logger.error("unmapped error %s", type(error).__name__)
    return explanation_of(error.code)


def explanation_of(code: str) -> Explanation:
    """The words for a code that was kept: in a failed document, or in the session."""
    status, title, sentence = TABLE.get(code, _UNKNOWN)
    if settings.EXTERNAL_ISSUER:
        sentence = _ELSEWHERE.get(code, sentence)
    return Explanation(status, str(title), str(sentence), code if code in TABLE else "server_error")

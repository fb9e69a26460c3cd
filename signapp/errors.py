"""What can go wrong for a person at these pages, told apart by what they can do about it.

``str(error)`` is a sentence for a person: it never holds a secret, a path or anything a stranger typed. ``code`` is for
logs, rows and tests; where the gateway has a name for the fault it is that one (docs/protocols.md, section 6).
"""

from typing import ClassVar


class SignappError(Exception):
    """Root of this role's errors."""

    code: str = "server_error"
    sentence: ClassVar[str] = "Something went wrong on our side."

    def __init__(self, sentence: str | None = None) -> None:
        super().__init__(sentence or self.sentence)


# --- Log in, or log in again --------------------------------------------------------------------------------


class LoginRequiredError(SignappError):
    """Nobody is logged in, or the login has ended."""

    code = "login_required"
    sentence = "You are not logged in any more. Log in to go on."


class LoginError(SignappError):
    """A login that did not come about; nobody is logged in by it."""

    code = "login_failed"
    sentence = "You were not logged in. Try again."


class LoginDeclinedError(LoginError):
    code = "login_declined"
    sentence = "You stopped the login, so you are not logged in."


class LoginStaleError(LoginError):
    """Unknown state: another browser's, an old one, or one that was used."""

    code = "login_stale"
    sentence = "This login began in another browser, took too long or was finished already. Log in again."


class LoginNotVerifiedError(LoginError):
    code = "login_not_verified"
    sentence = "The login service's answer could not be verified, so you are not logged in. Try again."


class LogoutNotVerifiedError(LoginError):
    """What should end logins is not the authorization server's word, or came twice."""

    code = "logout_not_verified"
    sentence = "The logout token is not accepted. Nobody was logged out."


class LoginServerAwayError(LoginError):
    code = "login_server_away"
    sentence = "The login service does not answer now. Try again in a moment."


# --- The document must be another one -----------------------------------------------------------------------

REFUSALS: dict[str, str] = {
    "not_a_pdf": "This file is not a PDF.",
    "empty_document": "This file is empty or has no pages.",
    "password_required": "This PDF is protected by a password. Give its password along with it.",
    "password_wrong": "This is not the password of this PDF.",
    "encryption_unsupported": "This PDF is encrypted in a way in which it cannot be signed here.",
    "signing_not_permitted": "The owner of this PDF does not permit signing it.",
    "certified_no_changes": "The author certified this PDF and allows no further changes, not even a signature.",
    "damaged_pdf": "This PDF is damaged or unusually built, so what you read might not be what you sign. "
    "Save it anew from the program that made it.",
    "xfa_form": "This PDF holds a second form of itself, so what you read might not be what others see.",
    "repairable_pdf": "This PDF cannot be signed as it is. It can be written anew.",
    "nothing_to_repair": "This PDF can be signed as it is.",
    "repair_breaks_signatures": "This PDF is signed already, and writing it anew would take its signatures away.",
    "hostile_pdf": "This PDF takes far more time or memory to read than its size explains. It was not accepted.",
    "too_many_pages": "This PDF has more pages than can be signed here.",
    "document_too_large": "This file is larger than can be signed here.",
    # Said when it is prepared, of what was filled in.
    "field_not_fillable": "A field does not take what was filled in. Nothing was signed.",
    "field_locked": "A field was locked by an earlier signature, so it cannot be filled in any more.",
    "font_missing": "No font here has all characters of what was filled in. Nothing was signed.",
    "image_unreadable": "The picture of your signature cannot be used. Nothing was signed.",
    "page_changed": "Signing would change what a page of this PDF shows. Nothing was signed.",
}


class DocumentRefusedError(SignappError):
    """This file cannot be signed as it is; nothing of it was kept. ``code`` is a key of `REFUSALS`."""

    def __init__(self, code: str) -> None:
        super().__init__(REFUSALS[code])
        self.code = code


class DocumentTooLargeError(DocumentRefusedError):
    """Known before the gateway is asked."""

    code = "document_too_large"

    def __init__(self) -> None:
        super().__init__("document_too_large")


class TooManyPasswordsError(SignappError):
    """Nobody finds a password out by having it tried here."""

    code = "too_many_passwords"
    sentence = "Too many passwords were tried. Wait ten minutes, then try again."


class LibraryFullError(SignappError):
    """One person has as many documents as they may; nothing of this one was kept."""

    code = "library_full"
    sentence = "You have as many documents here as one person may. Delete some, then upload this one."


class DocumentNotFoundError(SignappError):
    """There is none, or it is somebody else's: the answer is the same."""

    code = "document_not_found"
    sentence = "There is no such document."


class WrongStateError(SignappError):
    """The document is at another step: being signed, or signed already."""

    code = "wrong_state"
    sentence = "The document is at another step now, so this cannot be done."


class DocumentBusyError(SignappError):
    """The document is being signed at this moment."""

    code = "document_busy"
    sentence = "The document is being signed. Nothing was changed."


class CertificateNotUsableError(SignappError):
    code = "credential_not_usable"
    sentence = "This certificate cannot sign now. Choose another one."


class TooManyPreparedError(SignappError):
    code = "too_many_prepared"
    sentence = "Too many signatures wait for your approval. Approve or leave them, and try again later."


# --- Approve again ------------------------------------------------------------------------------------------


class ApprovalError(SignappError):
    """Nothing was signed or made; the document is still there."""

    code = "approval_failed"
    sentence = "The approval did not come about. Nothing was signed."


class ApprovalStaleError(ApprovalError):
    """Unknown state: another browser's, another account's, or an old one."""

    code = "approval_stale"
    sentence = "This approval began in another browser or too long ago. Nothing was signed by it."


class ApprovalNotVerifiedError(ApprovalError):
    code = "approval_not_verified"
    sentence = "The approval came from elsewhere or is incomplete. Nothing was signed by it."


class ApprovalDeniedError(ApprovalError):
    code = "approval_denied"
    sentence = "You did not approve, so nothing was signed."


class ApprovalExpiredError(ApprovalError):
    code = "approval_expired"
    sentence = "The approval came too late or was used already. Nothing was signed; approve again."


class ApprovalRefusedError(ApprovalError):
    code = "approval_refused"
    sentence = "The approval does not fit this document, certificate and signer. Nothing was signed."


class IdentityError(SignappError):
    """Who asks for a certificate was not shown; the request is as it was."""

    code = "identity_failed"
    sentence = "Nothing was learnt of who you are. The request is as it was."


class IdentityStaleError(IdentityError):
    """Unknown state: another browser's, another account's, or an old one."""

    code = "identity_stale"
    sentence = "This began in another browser or too long ago. The request is as it was."


class IdentityDeniedError(IdentityError):
    code = "identity_denied"
    sentence = "You did not let the provider say who you are. The request is as it was."


class IdentityRefusedError(IdentityError):
    code = "identity_refused"
    sentence = "That did not show who you are. The request is as it was."


class JobLostError(ApprovalError):
    """The gateway does not have its copy any more; preparing again gives it a new one."""

    code = "job_lost"
    sentence = "The preparation of this document has ended. Nothing was signed; prepare it again."


# What a document that failed says, by the code that its row keeps: the gateway's, or one of our own.
FAILURES: dict[str, str] = {
    **{error.code: error.sentence for error in (JobLostError, ApprovalDeniedError, ApprovalExpiredError)},
    ApprovalRefusedError.code: ApprovalRefusedError.sentence,
    CertificateNotUsableError.code: CertificateNotUsableError.sentence,
    "job_expired": "The approval did not come in time. Nothing was signed; prepare the document again.",
    "outcome_unknown": "The signing service's answer was lost. No signed document was made; approve again.",
    "invalid_signature": "The signature that came back does not verify, so nothing was handed out.",
    "timestamp_failed": "No time-stamp could be had for the signature, so nothing was handed out. Sign again later.",
    "revocation_data_failed": "A certificate could not be checked, so nothing was handed out. Sign again later.",
    "certificate_revoked": "A certificate was revoked before the signature was complete. Nothing was handed out.",
    "revision_moved": "Somebody else signed this document first. Nothing was signed by you; prepare it again.",
    "result_damaged": "The signed document did not arrive intact, so it was not kept. Sign it again.",
}

# --- Several at once ----------------------------------------------------------------------------------------


class BatchNotFoundError(SignappError):
    """There is none, or it is none of this account's: the answer is the same."""

    code = "batch_not_found"
    sentence = "There is nothing of yours to be signed together here."


class SignedTogetherError(WrongStateError):
    """A step with one document that is signed together with others, or not at all."""

    code = "signed_together"
    sentence = "This document is being signed together with others."


class NothingToSignError(SignappError):
    code = "nothing_to_sign"
    sentence = "No document is chosen. Choose those that you want to sign."


class TooManyTogetherError(SignappError):
    code = "too_many_together"
    sentence = "These are more documents than one approval can be for."


# --- Envelopes ----------------------------------------------------------------------------------------------


class EnvelopeNotFoundError(SignappError):
    """There is none, or it is none of this account's: the answer is the same."""

    code = "envelope_not_found"
    sentence = "There is no such envelope."


class EnvelopeIncompleteError(SignappError):
    """It cannot be sent: no document, or nobody who acts."""

    code = "envelope_incomplete"
    sentence = "An envelope needs a document and somebody who signs or approves it."


class EnvelopeFullError(SignappError):
    code = "envelope_full"
    sentence = "No more fits into one envelope."


class RecipientTwiceError(SignappError):
    code = "recipient_twice"
    sentence = "This address is in the envelope already."


class EnvelopeSentError(SignappError):
    """Documents and people are fixed once it is sent."""

    code = "envelope_sent"
    sentence = "The envelope is sent, so it cannot be changed any more."


class EnvelopeOverError(SignappError):
    """Completed, declined, cancelled or expired, or this person's part in it is over."""

    code = "envelope_over"
    sentence = "This envelope is over, or it is not your turn. Nothing was signed or changed."


class TurnTakenError(SignappError):
    """Another signer is about to sign the same document."""

    code = "turn_taken"
    sentence = "Somebody else is signing this document at this moment. Nothing was lost; try again in a few minutes."


class RevisionMovedError(SignappError):
    """Another signer signed first, so what was prepared is not the last revision any more."""

    code = "revision_moved"
    sentence = "Somebody else signed this document meanwhile. Nothing was signed by you; prepare it again."


class DelegationRefusedError(SignappError):
    """The sender does not allow it, or this person has signed part of it already."""

    code = "delegation_refused"
    sentence = "Your place in this envelope cannot be handed to somebody else."


class EnvelopeOpenError(SignappError):
    """It is under way: whoever wants to be rid of it cancels or declines first."""

    code = "envelope_open"
    sentence = "This envelope is still under way, so it cannot be deleted."


class BulkNotFoundError(SignappError):
    """There is none, or it is somebody else's: the answer is the same."""

    code = "bulk_not_found"
    sentence = "There is no such list."


class WrongBulkStateError(SignappError):
    """Begun already, or over."""

    code = "wrong_bulk_state"
    sentence = "This list was sent or stopped already."


class DownloadTooLargeError(SignappError):
    """More than one ZIP may hold."""

    code = "download_too_large"
    sentence = "These documents are too large for one download."


class RemindedLatelyError(SignappError):
    code = "reminded_lately"
    sentence = "They were written to within the last hour."


class FieldError(SignappError):
    """Fields that cannot be placed so, or are none. ``index`` is the one of the list that is refused, if it is one."""

    code = "field_refused"
    sentence = "This field cannot be placed."

    def __init__(self, index: int | None = None) -> None:
        super().__init__()
        self.index = index


class FieldOffPageError(FieldError):
    code = "field_off_page"
    sentence = "A field lies outside its page, or is too small."


class FieldOfNobodyError(FieldError):
    """For somebody who is not in the envelope, or who signs nothing there."""

    code = "field_of_nobody"
    sentence = "A field is for somebody who does not sign this envelope."


class TooManyFieldsError(FieldError):
    code = "too_many_fields"
    sentence = "This document has as many fields as it can have."


class DocumentSignedBeforeError(FieldError):
    """Fields that are added after a signature would make it look broken."""

    code = "signed_before"
    sentence = "This document was signed before it came here, so no fields can be added to it."


class TooManyTemplatesError(SignappError):
    code = "too_many_templates"
    sentence = "There are as many templates as one account can have."


class SeveralRolesError(SignappError):
    """A direct link was asked for a template that needs more than one person, or nobody who signs."""

    code = "several_roles"
    sentence = "A direct link is for a template with one person, who signs."


class DirectLinkUnknownError(SignappError):
    code = "direct_link_unknown"
    sentence = "There is no such link."


class DirectLinkOverError(SignappError):
    """Its days are over, or it was used as often as it may be."""

    code = "direct_link_over"
    sentence = "This link is over."


class DirectLinkBusyError(SignappError):
    code = "direct_link_busy"
    sentence = "Very many people have used this link in the last hour."


class FieldNotFoundError(SignappError):
    """A value for a field that there is not, or that is somebody else's: the answer is the same."""

    code = "field_not_found"
    sentence = "There is no such field of yours."


class ValueMissingError(SignappError):
    """A required field is empty."""

    code = "value_missing"
    sentence = "Something that is required is not filled in yet. Nothing was signed."


class LookNotFoundError(SignappError):
    code = "look_not_found"
    sentence = "There is no such picture."


class PictureError(SignappError):
    """A picture of a signature that cannot be used; the former one is kept."""

    code = "picture_unreadable"
    sentence = "This picture cannot be read. Choose a PNG or JPEG."


class PictureEmptyError(PictureError):
    code = "picture_empty"
    sentence = "There is nothing to be seen in this picture."


class PictureTooLargeError(PictureError):
    code = "picture_too_large"
    sentence = "This picture is too large."


class InvitationError(SignappError):
    """A mailed link that opens nothing for whoever opens it now."""

    code = "invitation_unknown"
    sentence = "There is no such invitation."


class InvitationExpiredError(InvitationError):
    """Too old, or a later link took its place."""

    code = "invitation_expired"
    sentence = "This link is too old."


class InvitationUsedError(InvitationError):
    code = "invitation_used"
    sentence = "Another account has taken this invitation up."


class InvitationElsewhereError(InvitationError):
    """The account has another address than the one that was invited."""

    code = "invitation_elsewhere"
    sentence = "This invitation went to another address."


class InvitationUnverifiedError(InvitationError):
    """The right address, but nobody has shown yet that it is this account's."""

    code = "invitation_unverified"
    sentence = "Your address is not confirmed yet."


class InvitationAddresslessError(InvitationError):
    """Another provider's account, for which it has verified no address."""

    code = "invitation_addressless"
    sentence = "No e-mail address of yours is known."


class InvitationOverError(InvitationError):
    code = "invitation_over"
    sentence = "What this invitation was for is over."


class ExportNotReadyError(SignappError):
    """There is no export of this account to download."""

    code = "export_not_ready"
    sentence = "There is no export to download. Its days may be over."


# --- Try later ----------------------------------------------------------------------------------------------


class ServiceUnavailableError(SignappError):
    """Another service did not answer, or not as agreed. Trying again is harmless."""

    code = "signing_service_unavailable"
    sentence = "The signing service does not answer now. Try again in a moment."


class AuthorizationServerUnavailableError(ServiceUnavailableError):
    code = "authorization_server_unavailable"
    sentence = "The login service does not answer now. Try again in a moment."


class StorageFullError(SignappError):
    """There is no room for this document now; nothing of it was kept."""

    code = "storage_full"
    sentence = "There is no room for this document now. Try again later."


class StorageUnavailableError(StorageFullError):
    """Where documents lie cannot be reached; nothing was kept, and nothing is lost."""

    code = "storage_unavailable"
    sentence = "Documents cannot be stored or read now. Try again in a moment."


class StorageError(SignappError):
    """A stored document or secret cannot be read back: its file or key is gone or altered."""

    code = "storage_error"
    sentence = "This document cannot be read back from storage."

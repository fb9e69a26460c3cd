"""What can go wrong in signature creation, told apart by what the caller can do about it.

``code`` is the published name of docs/protocols.md, section 6; it also stands in a failed job. ``str(error)`` is a
sentence for a person: it never holds a secret, a path or anything a stranger typed.
"""

from typing import ClassVar, Self


class GatewayError(Exception):
    """Root of this role's errors."""

    code: ClassVar[str] = "server_error"
    sentence: ClassVar[str] = "Something went wrong on our side."

    def __init__(self, sentence: str | None = None) -> None:
        super().__init__(sentence or self.sentence)


# --- The document must be another one -----------------------------------------------------------------------


class DocumentError(GatewayError):
    """This file cannot be signed as it is."""


class NotAPdfError(DocumentError):
    code = "not_a_pdf"
    sentence = "This file is not a PDF."


class EmptyDocumentError(DocumentError):
    code = "empty_document"
    sentence = "This file is empty or has no pages."


class PasswordRequiredError(DocumentError):
    code = "password_required"
    sentence = "This PDF is protected by a password. Give its password along with it."


class PasswordWrongError(DocumentError):
    code = "password_wrong"
    sentence = "This is not the password of this PDF."


class EncryptionUnsupportedError(DocumentError):
    """By certificates (PubSec), by a handler of somebody's own, or with an integrity code (ISO/TS 32004)."""

    code = "encryption_unsupported"
    sentence = "This PDF is encrypted in a way in which it cannot be signed here: not by a password, or with a seal."


class SigningNotPermittedError(DocumentError):
    code = "signing_not_permitted"
    sentence = "The owner of this PDF does not permit signing it. Give the owner's password, if you have it."


class CertifiedNoChangesError(DocumentError):
    code = "certified_no_changes"
    sentence = "The author certified this PDF and allows no further changes, not even a signature."


class DamagedPdfError(DocumentError):
    code = "damaged_pdf"
    sentence = (
        "This PDF is damaged or unusually built, so what you read might not be what you sign. "
        "Save it anew from the program that made it."
    )


class XfaFormError(DocumentError):
    """ISO 32000-1, 12.7.8: some programs show the second form, others the pages."""

    code = "xfa_form"
    sentence = "This PDF holds a second form of itself (XFA), so what you read might not be what others see."


class RepairablePdfError(DocumentError):
    code = "repairable_pdf"
    sentence = (
        "This PDF cannot be signed as it is: it is damaged, or holds a second form of itself. "
        "It can be written anew; read the result before you sign it."
    )


class NothingToRepairError(DocumentError):
    code = "nothing_to_repair"
    sentence = "This PDF can be signed as it is."


class RepairBreaksSignaturesError(DocumentError):
    code = "repair_breaks_signatures"
    sentence = "This PDF is signed already. Writing it anew would take its signatures away, so it was not done."


class HostilePdfError(DocumentError):
    code = "hostile_pdf"
    sentence = "This PDF takes far more time or memory to read than its size explains. It was not accepted."


class TooManyPagesError(DocumentError):
    code = "too_many_pages"
    sentence = "This PDF has more pages than can be signed here."


class DocumentTooLargeError(DocumentError):
    code = "document_too_large"
    sentence = "This file is larger than can be signed here."


class NotSignedError(DocumentError):
    code = "not_signed"
    sentence = "This PDF holds no signature that could be kept."


class BrokenSignatureError(DocumentError):
    code = "broken_signature"
    sentence = "A signature in this PDF is not over what the file holds."


class PageChangedError(DocumentError):
    code = "page_changed"
    sentence = "Signing would change what a page of this PDF shows. Save it anew from the program that made it."


class OptionError(DocumentError):
    """The document does not take the signature as it was asked for."""


class FieldLockedError(OptionError):
    code = "field_locked"
    sentence = "An earlier signature locked this field, or all fields."


class FieldNameTakenError(OptionError):
    code = "field_name_taken"
    sentence = "There is a field of this name already, signed or of another kind."


class FieldNotFillableError(OptionError):
    code = "field_not_fillable"
    sentence = "There is no field of this name on a page that takes such a value."


class FieldConstrainedError(OptionError):
    code = "field_constrained"
    sentence = "The field that was to be signed sets conditions that this signature does not meet."


class CertificationNotFirstError(OptionError):
    code = "certification_not_first"
    sentence = "Only the first signature of a document can certify it."


class PageOutOfRangeError(OptionError):
    code = "page_out_of_range"
    sentence = "The document has no such page."


class BoxOffPageError(OptionError):
    code = "box_off_page"
    sentence = "The place for the signature does not lie on the page, or is empty."


class ImageUnreadableError(OptionError):
    code = "image_unreadable"
    sentence = "The picture for the signature cannot be read."


class FontMissingError(OptionError):
    code = "font_missing"
    sentence = "No font here has all characters of the signature's text."


OPTION_ERRORS = (
    FieldLockedError,
    FieldNameTakenError,
    FieldNotFillableError,
    FieldConstrainedError,
    CertificationNotFirstError,
    PageOutOfRangeError,
    BoxOffPageError,
    ImageUnreadableError,
    FontMissingError,
)

DOCUMENT_ERRORS: dict[str, type[DocumentError]] = {
    error.code: error
    for error in (
        NotAPdfError,
        EmptyDocumentError,
        PasswordRequiredError,
        PasswordWrongError,
        EncryptionUnsupportedError,
        SigningNotPermittedError,
        CertifiedNoChangesError,
        DamagedPdfError,
        XfaFormError,
        RepairablePdfError,
        NothingToRepairError,
        RepairBreaksSignaturesError,
        HostilePdfError,
        TooManyPagesError,
        DocumentTooLargeError,
        NotSignedError,
        BrokenSignatureError,
        PageChangedError,
        *OPTION_ERRORS,
    )
}

# --- The request must be another one ------------------------------------------------------------------------


class InvalidRequestError(GatewayError):
    code = "invalid_request"
    sentence = "The request could not be understood."


class InvalidTokenError(GatewayError):
    code = "invalid_token"
    sentence = "The access token is missing, has ended or is not meant for this service."


class InvalidProofError(InvalidTokenError):
    """The token is bound to a key, and the proof that its holder has it is missing, wrong or used (RFC 9449, 7)."""

    sentence = "The access token is bound to a key that was not proven."


class TooManyPasswordsError(GatewayError):
    """Nobody finds a password out by having it tried here."""

    code = "too_many_passwords"
    sentence = "Too many passwords were tried. Wait ten minutes, then try again."


class ClientNotAllowedError(GatewayError):
    """By an operator's policy, which allows nothing that it does not name."""

    code = "client_not_allowed"
    sentence = "This client may not do that here."


class KeyReusedError(GatewayError):
    code = "idempotency_key_reused"
    sentence = "This Idempotency-Key was used for another request."


class CallUnderWayError(GatewayError):
    code = "call_under_way"
    sentence = "The first call with this Idempotency-Key is still being answered. Ask again in a moment."


class JobNotFoundError(GatewayError):
    """There is none, or it is somebody else's: the answer is the same."""

    code = "job_not_found"
    sentence = "There is no such job."


class BatchNotFoundError(JobNotFoundError):
    code = "batch_not_found"
    sentence = "There is no such batch."


class BatchIncompleteError(GatewayError):
    """Of a batch of which all or none is wanted."""

    code = "batch_incomplete"
    sentence = "One of the documents could not be signed, and all or none of them was asked for."


class WrongStateError(GatewayError):
    code = "wrong_state"
    sentence = "The job is not in a state that allows this."


class NotSignedYetError(WrongStateError):
    code = "not_signed_yet"
    sentence = "The document is not signed yet."


class DocumentBusyError(GatewayError):
    code = "document_busy"
    sentence = "This document is being signed by another job."


class CredentialNotUsableError(GatewayError):
    code = "credential_not_usable"
    sentence = "This certificate cannot sign now: it is disabled, expired or revoked, or not yours."


class TooManyPreparedError(GatewayError):
    """The signing service makes no further certificate until some of those that it made are approved or have ended."""

    code = "too_many_prepared"
    sentence = "Too many signatures wait for your approval. Approve or leave them, and try again later."


class TooManyDocumentsError(GatewayError):
    """Of one caller, who decides which of them go."""

    code = "too_many_documents"
    sentence = "So many of your documents are here that no more are taken. Sign or delete some, then try again."


class TooManyFollowersError(GatewayError):
    """Each that follows a batch takes a thread."""

    code = "too_many_followers"
    sentence = "Too many follow batches now: ask where it stands instead, or try again later."


# --- The signer must approve again --------------------------------------------------------------------------


class ApprovalError(GatewayError):
    """Nothing was signed; the document is still there."""


class ApprovalDeniedError(ApprovalError):
    code = "approval_denied"
    sentence = "The approval was denied. Nothing was signed."


class ApprovalNotOfferedError(ApprovalError):
    """Another provider stands in authz's place: its approvals are for one signature each, and for nothing else."""

    code = "approval_not_offered"
    sentence = "The login service of this installation approves one signature at a time, and nothing else."


class ApprovalExpiredError(ApprovalError):
    code = "approval_expired"
    sentence = "The approval came too late or was used already. Nothing was signed; approve again."


class ApprovalRefusedError(ApprovalError):
    code = "approval_refused"
    sentence = "The approval does not fit this document, certificate and signer. Nothing was signed."


class IdentityRefusedError(GatewayError):
    """What came back from an OpenID provider proves nothing of who asks for a certificate."""

    code = "identity_refused"
    sentence = "That did not show who you are. The request is as it was."


# --- Another service: try later -----------------------------------------------------------------------------


class SigningServiceUnavailableError(GatewayError):
    """The signing service did nothing with the request, so it may be sent again."""

    code = "signing_service_unavailable"
    sentence = "The signing service does not answer now. Try again in a moment."


class AuthorizationServerUnavailableError(GatewayError):
    code = "authorization_server_unavailable"
    sentence = "The approval service does not answer now. Try again in a moment."


class AuthorizationServerNotReachedError(AuthorizationServerUnavailableError):
    """No byte of the request left: what it would have spent is not spent."""


class OutboundError(GatewayError):
    """An address that a setting, a certificate or a caller named did not answer as it should."""

    # Seconds after which a server that was asked too often wants to be asked again.
    retry_after: int | None = None
    code = "outbound_failed"
    sentence = "Another server did not answer as it should."


class OutboundStatusError(OutboundError):
    """It answered, with another status than a success."""

    def __init__(self, status: int) -> None:
        super().__init__(f"The server answered {status}.")
        self.status = status


class OutboundRefusedError(OutboundError):
    """An address that may not be called: no packet left."""

    code = "outbound_refused"
    sentence = "This address may not be called from here."


# --- A job's end --------------------------------------------------------------------------------------------


class OutcomeUnknownError(GatewayError):
    """The signing call's answer was lost; it is never sent again."""

    code = "outcome_unknown"
    sentence = "The signing service's answer was lost. No signed document was made; approve again."


class InvalidSignatureError(GatewayError):
    code = "invalid_signature"
    sentence = "The signature that came back does not verify, so nothing was handed out."


class StorageFullError(GatewayError):
    """There is no room for this document now; nothing of it was kept."""

    code = "storage_full"
    sentence = "There is no room for this document now. Try again later."


class StorageUnavailableError(StorageFullError):
    """Where documents lie cannot be reached; nothing was kept, and nothing is lost."""

    code = "storage_unavailable"
    sentence = "Documents cannot be stored or read now. Try again in a moment."


class StorageError(GatewayError):
    """A stored document cannot be read back: its file or key is gone or altered."""


# --- The signature is made, the level is not reached ----------------------------------------------------------


class LevelError(GatewayError):
    """The signature value is kept, and finishing may be tried again. ``below`` is the level (EN 319 142-1, 6) that can
    be reached without what is missing."""

    below: str = "B-B"
    # Seconds, where whoever did not do their part says that they will then.
    retry_after: int | None = None

    def reachable(self, level: str) -> Self:
        self.below = level
        return self


class TimestampError(LevelError):
    code = "timestamp_failed"
    sentence = "No time-stamp could be had."


class RevocationDataError(LevelError):
    code = "revocation_data_failed"
    below = "B-T"
    sentence = "It could not be shown that every certificate is good."


class CertificateRevokedError(LevelError):
    code = "certificate_revoked"
    below = "B-T"
    sentence = "A certificate was revoked before the signature was complete."


LEVEL_ERRORS: dict[str, type[LevelError]] = {
    error.code: error for error in (TimestampError, RevocationDataError, CertificateRevokedError)
}


# --- Trust: what an operator asks for, in the admin or by a command -----------------------------------------


class TrustError(GatewayError):
    """Root of certificates and lists that are not taken as anchors; nothing was changed."""


class NotAnAnchorError(TrustError):
    code = "not_an_anchor"
    sentence = "This certificate cannot be a trust anchor."


class TrustedListNotFetchedError(TrustError):
    code = "trusted_list_not_fetched"
    sentence = "The trusted list could not be fetched."


class TrustedListMalformedError(TrustError):
    code = "trusted_list_malformed"
    sentence = "This is no trusted list (ETSI TS 119 612) that can be read."


class TrustedListSignatureError(TrustError):
    code = "trusted_list_signature"
    sentence = "The list's signature does not verify with any of the scheme operator's certificates given."


class TrustedListExpiredError(TrustError):
    code = "trusted_list_expired"
    sentence = "The list is not in force now: its next update is due, or it is of the future."


class TrustedListOutdatedError(TrustError):
    code = "trusted_list_outdated"
    sentence = "A newer list of this territory was imported already."


TRUSTED_LIST_ERRORS: dict[str, type[TrustError]] = {
    error.code: error for error in (TrustedListMalformedError, TrustedListSignatureError, TrustedListExpiredError)
}

"""``credentials/authorize``: from the factors that a client collected to a SAD of our own (explicit and implicit mode).

What is wrong with the request is told before a factor is looked at, so that it costs no try and no one-time password.
"""

from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings

from rssp.clients.introspection import VerifiedToken
from rssp.errors import (
    ActivationError,
    AuthModeError,
    CredentialError,
    FactorError,
    InvalidParameterError,
    MissingParameterError,
    SignatureCountError,
)
from rssp.models import AuditEvent, AuthenticationObject, Credential
from rssp.services.approving import ask_signer, wait_for_signer, waiting_slot
from rssp.services.auditing import Origin, record_refusal
from rssp.services.authorising import Sad, authorise, verify_authorisable
from rssp.services.credentials import find_credential
from rssp.services.factors import verify_factors
from rssp.services.objects import find_version_1, list_objects, read_expression
from rssp.wire import Version, decode_hashes
from rssp.wire.explicit import AuthorizeRequest, Word

Kind = AuthenticationObject.Kind
# The audit's words.
_NAMES = {
    Kind.PIN: "PIN",
    Kind.TOTP: "TOTP",
    Kind.EMAIL: "e-mail OTP",
    Kind.OCRA: "OCRA",
    Kind.PASSKEY: "password, passkey",
}


@dataclass(frozen=True)
class Pending:
    """The signer is being asked out of band; the client polls with the handle."""

    handle: str = field(repr=False)


def authorize_credential(
    *, token: VerifiedToken, request: AuthorizeRequest, version: Version, origin: Origin
) -> Sad | Pending:
    """In version 1 a SAD, however long the signer takes to answer; in version 2 perhaps a handle.

    Raises `CredentialError`, `InvalidRequestError`, `AlgorithmError`, `FactorError`, `TooManyWaitsError` or
    `AuthorizationServerUnavailableError`; what a known caller got wrong about a credential or its factors is in the
    audit.
    """
    try:
        return _authorize(token, request, version, origin)
    except (CredentialError, FactorError, ActivationError) as error:
        record_refusal(
            action=AuditEvent.Action.AUTHORISE,
            error=error,
            token=token,
            credential_id=request.credential_id,
            origin=origin,
        )
        raise


def _authorize(token: VerifiedToken, request: AuthorizeRequest, version: Version, origin: Origin) -> Sad | Pending:
    credential = find_credential(token=token, credential_id=request.credential_id)
    if credential.is_opened_by_oauth:
        raise AuthModeError("the credential is opened by OAuth alone")
    digests = None if request.hashes is None else decode_hashes(request.hashes)
    verify_authorisable(
        credential=credential,
        token=token,
        hash_algorithm_oid=request.hash_algorithm_oid,
        digests=digests,
        num_signatures=request.num_signatures,
    )
    given, is_asked = _read_given(credential, request, version)
    if is_asked:
        return _ask(credential, token, request, version, digests, given, origin)
    factors = verify_factors(credential=credential, given=given, client_id=token.client_id)
    _activation, sad = authorise(
        credential=credential,
        token=token,
        factors=name_factors(factors),
        hash_algorithm_oid=request.hash_algorithm_oid,
        digests=digests,
        num_signatures=request.num_signatures,
        lifetime=timedelta(seconds=settings.RSSP_SAD_SECONDS),
        origin=origin,
    )
    return Sad(sad, settings.RSSP_SAD_SECONDS)


def _ask(
    credential: Credential,
    token: VerifiedToken,
    request: AuthorizeRequest,
    version: Version,
    digests: tuple[bytes, ...] | None,
    given: dict[str, str | None],
    origin: Origin,
) -> Sad | Pending:
    """A passkey approves digests, so all of them must be there from the start, whatever the SCAL."""
    if digests is None:
        raise MissingParameterError("hash", kind="array")
    if len(digests) != request.num_signatures:
        raise SignatureCountError("numSignatures")
    with waiting_slot() if version == 1 else nullcontext():
        factors = verify_factors(credential=credential, given=given, client_id=token.client_id)
        handle = ask_signer(
            credential=credential,
            token=token,
            factors=name_factors(factors),
            digests=digests,
            hash_algorithm_oid=request.hash_algorithm_oid,
            description=request.description,
        )
        return wait_for_signer(token=token, handle=handle, origin=origin) if version == 1 else Pending(handle)


def name_factors(factors: list[AuthenticationObject]) -> str:
    """The audit's words for what was verified."""
    return ", ".join(dict.fromkeys(_NAMES[Kind(each.kind)] for each in factors))


def _read_given(
    credential: Credential, request: AuthorizeRequest, version: Version
) -> tuple[dict[str, str | None], bool]:
    """The values by object, and whether the signer is to be asked out of band.

    Version 2 names what is asked for there; version 1 has no word for it, and an implicit credential names nothing.
    """
    objects = list_objects(credential=credential)
    given = dict(request.auth_data)
    if version == 1:
        given = _place(objects, request.pin, "PIN") | _place(objects, request.otp, "OTP")
    passkeys: dict[str, str | None] = {each.identifier: None for each in objects if each.kind == Kind.PASSKEY}
    if credential.auth_mode == Credential.AuthMode.IMPLICIT or version == 1:
        expression = read_expression(credential=credential, objects=objects)
        if not expression.evaluate(given):
            given |= passkeys
    return given, bool(set(given) & set(passkeys))


def _place(objects: list[AuthenticationObject], value: str | None, word: Word) -> dict[str, str | None]:
    if value is None:
        return {}
    found = find_version_1(objects=objects, word=word)
    if found is None:
        raise InvalidParameterError(word)
    return {found.identifier: value}

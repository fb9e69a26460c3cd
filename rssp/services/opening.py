"""``credentials/authorize``: from the factors that a client collected to a SAD of our own (explicit and implicit mode).

What is wrong with the request is told before a factor is looked at, so that it costs no try and no one-time password.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from rssp.clients.introspection import VerifiedToken
from rssp.errors import (
    ActivationError,
    AuthModeError,
    CredentialError,
    FactorError,
    InvalidParameterError,
    WrongFactorsError,
)
from rssp.models import AuditEvent, AuthenticationObject, Credential
from rssp.services.auditing import Origin, record_refusal
from rssp.services.authorising import authorise, verify_authorisable
from rssp.services.credentials import find_credential
from rssp.services.factors import verify_factors
from rssp.services.objects import find_version_1, list_objects, read_expression
from rssp.wire import Version, decode_hashes
from rssp.wire_explicit import AuthorizeRequest, Word

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
class Sad:
    """Good for what was authorised, with the client that asked for it; ``expires_in`` in seconds."""

    value: str
    expires_in: int

    def __repr__(self) -> str:
        return f"Sad({self.expires_in!r})"


def authorize_credential(*, token: VerifiedToken, request: AuthorizeRequest, version: Version, origin: Origin) -> Sad:
    """Raises `CredentialError`, `InvalidRequestError`, `AlgorithmError` or `FactorError`; what a known caller got wrong
    about a credential or its factors is in the audit."""
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


def _authorize(token: VerifiedToken, request: AuthorizeRequest, version: Version, origin: Origin) -> Sad:
    credential = find_credential(token=token, credential_id=request.credential_id)
    if credential.auth_mode == Credential.AuthMode.OAUTH2CODE:
        raise AuthModeError("the credential is opened by OAuth alone")
    digests = None if request.hashes is None else decode_hashes(request.hashes)
    verify_authorisable(
        credential=credential,
        token=token,
        hash_algorithm_oid=request.hash_algorithm_oid,
        digests=digests,
        num_signatures=request.num_signatures,
    )
    given = _read_given(credential, request, version)
    factors = verify_factors(credential=credential, given=given, client_id=token.client_id)
    if any(each.kind == Kind.PASSKEY for each in factors):
        raise WrongFactorsError("nobody is asked out of band")
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


def name_factors(factors: list[AuthenticationObject]) -> str:
    """The audit's words for what was verified."""
    return ", ".join(dict.fromkeys(_NAMES[Kind(each.kind)] for each in factors))


def _read_given(credential: Credential, request: AuthorizeRequest, version: Version) -> dict[str, str | None]:
    """The values by object. What is asked for out of band is named by the client in version 2 alone; version 1 has no
    word for it, and an implicit credential names nothing."""
    objects = list_objects(credential=credential)
    given = dict(request.auth_data)
    if version == 1:
        given = _place(objects, request.pin, "PIN") | _place(objects, request.otp, "OTP")
    is_implicit = credential.auth_mode == Credential.AuthMode.IMPLICIT
    if is_implicit or (
        version == 1 and objects and not read_expression(credential=credential, objects=objects).evaluate(given)
    ):
        given |= {each.identifier: None for each in objects if each.kind == Kind.PASSKEY}
    return given


def _place(objects: list[AuthenticationObject], value: str | None, word: Word) -> dict[str, str | None]:
    if value is None:
        return {}
    found = find_version_1(objects=objects, word=word)
    if found is None:
        raise InvalidParameterError(word)
    return {found.identifier: value}

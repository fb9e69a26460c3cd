"""``signatures/signHash``: the one way to a signer's key (docs/signing-cycle.md, step 7).

No transaction is open while the authorization server or the HSM works. What is certain before `C_Sign` is entered is
answered as certain; from then on a digest is spent, and an outcome that is not known is never tried again.
"""

import hmac
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from rssp.algorithms import (
    HASH_OIDS,
    DigestSigner,
    SigningOperation,
    choose_operation,
    verify_digest_length,
    verify_signature,
)
from rssp.clients import introspection
from rssp.clients.introspection import VerifiedToken
from rssp.errors import (
    ActivationError,
    ActivationExpiredError,
    ActivationRefusedError,
    CredentialError,
    HsmError,
    InvalidTokenError,
    KeyBindingError,
    ReservationLostError,
    SigningFailedError,
)
from rssp.hsm.interface import Epoch
from rssp.models import Activation, AuditEvent, Credential
from rssp.services.activating import activate_credential
from rssp.services.auditing import Origin, record_refusal
from rssp.services.authorising import find_activation
from rssp.services.credentials import find_credential, read_public_key, verify_usable
from rssp.services.external import activate_external
from rssp.services.hsm import get_hsm
from rssp.services.keys import open_key
from rssp.services.ledger import SIGNABLE_HASH_TYPE, Reservation, record_intent, record_outcomes, reserve_digests
from rssp.services.macs import verify_credential
from rssp.services.one_time import close_used
from rssp.wire import SignHashRequest, decode_hashes


@dataclass(frozen=True)
class SigningCall:
    """A call that was found in order and may now take its digests."""

    credential: Credential
    activation: Activation
    sad_checksum: str
    epoch: Epoch
    operation: SigningOperation
    digests: tuple[bytes, ...]
    bearer: VerifiedToken
    origin: Origin


def sign_hashes(*, bearer: VerifiedToken, request: SignHashRequest, origin: Origin) -> list[bytes]:
    """The signatures in the order of the request's hashes: all of them, verified and recorded, or an error."""
    return perform(call=verify_call(bearer=bearer, request=request, origin=origin))


def verify_call(*, bearer: VerifiedToken, request: SignHashRequest, origin: Origin) -> SigningCall:
    """Everything that can be refused before a digest is taken."""
    with _refusals_recorded(bearer, request.credential_id, origin):
        credential = find_credential(token=bearer, credential_id=request.credential_id)
        verify_usable(credential=credential)
        verify_credential(credential)
        operation, digests = _read_operation(credential, request)
        epoch = get_hsm().read_epoch()
        activation = _find_activation(bearer, credential, request.sad, epoch)
        sad_checksum = bearer.checksum if request.sad is None else introspection.checksum_of(request.sad)
        return SigningCall(credential, activation, sad_checksum, epoch, operation, digests, bearer, origin)


def perform(
    *, call: SigningCall, hash_type: str = SIGNABLE_HASH_TYPE, to_be_signed: tuple[bytes, ...] | None = None
) -> list[bytes]:
    """Takes the digests, signs them and answers the signatures.

    ``to_be_signed`` are other digests of the same number, which this service computed over what it found to be about
    the digests that are taken (`signing_attributes`).
    """
    with _refusals_recorded(call.bearer, call.credential.credential_id, call.origin):
        return _sign(call, hash_type, to_be_signed or call.digests)


@contextmanager
def _refusals_recorded(bearer: VerifiedToken, credential_id: str, origin: Origin) -> Iterator[None]:
    try:
        yield
    except SigningFailedError:
        raise  # the outcome of each digest is in the audit already
    except (CredentialError, ActivationError, HsmError, ReservationLostError) as error:
        action = AuditEvent.Action.SIGN
        record_refusal(action=action, error=error, token=bearer, credential_id=credential_id, origin=origin)
        raise


def _read_operation(credential: Credential, request: SignHashRequest) -> tuple[SigningOperation, tuple[bytes, ...]]:
    operation = choose_operation(
        key_algorithm=credential.key.key_algorithm,
        sign_algo=request.sign_algo,
        sign_algo_params=request.sign_algo_params,
        hash_algorithm_oid=request.hash_algorithm_oid,
    )
    digests = decode_hashes(request.hashes)
    for digest in digests:
        verify_digest_length(operation=operation, digest=digest)
    return operation, digests


def _find_activation(bearer: VerifiedToken, credential: Credential, sad: str | None, epoch: Epoch) -> Activation:
    """Behind a token of scope ``credential``, which is the bearer or the SAD, or behind a SAD of our own making.

    The SAD is of the service token's user and client.
    """
    if credential.auth_mode == Credential.AuthMode.EXTERNAL:
        return _find_external(bearer, credential, sad, epoch)
    if "credential" in bearer.scopes:
        if sad is not None and not _is_same(introspection.checksum_of(sad), bearer.checksum):
            raise ActivationRefusedError("the SAD is another token than the bearer")
        return activate_credential(token=bearer, credential=credential, epoch=epoch)
    if sad is None:
        raise ActivationRefusedError("there is no SAD")
    if credential.auth_mode != Credential.AuthMode.OAUTH2CODE:
        return find_activation(sad=sad, bearer=bearer, credential=credential)
    return activate_credential(token=_read_token(sad, bearer), credential=credential, epoch=epoch)


def _find_external(bearer: VerifiedToken, credential: Credential, sad: str | None, epoch: Epoch) -> Activation:
    if "credential" in bearer.scopes:
        if sad is not None and not _is_same(introspection.checksum_of(sad), bearer.checksum):
            raise ActivationRefusedError("the SAD is another token than the bearer")
        return activate_external(token=bearer, credential=credential, epoch=epoch)
    if sad is None:
        raise ActivationRefusedError("there is no SAD")
    return activate_external(token=_read_token(sad, bearer), credential=credential, epoch=epoch)


def _read_token(sad: str, bearer: VerifiedToken) -> VerifiedToken:
    try:
        token = introspection.verify_token(sad)
    except InvalidTokenError:
        raise _ended(sad) from None
    if "credential" not in token.scopes:
        raise ActivationRefusedError("the SAD is a token for something else")
    if (token.subject, token.client_id) != (bearer.subject, bearer.client_id):
        raise ActivationRefusedError("the SAD is another user's or another client's")
    if token.confirmation not in (None, bearer.confirmation):
        # The call's one proof is for the bearer's key.
        raise ActivationRefusedError("the SAD is bound to a key that was not proven")
    return token


def _ended(sad: str) -> ActivationError:
    """A token that we saw alive has expired; any other is refused without a reason."""
    known = Activation.objects.filter(sad_checksum=introspection.checksum_of(sad)).first()
    if known is not None and known.expires <= datetime.now(UTC):
        return ActivationExpiredError("the SAD has expired")
    return ActivationRefusedError("the SAD is unknown or has ended")


def _is_same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())


def _sign(call: SigningCall, hash_type: str, to_be_signed: tuple[bytes, ...]) -> list[bytes]:
    key, public_key = call.credential.key, read_public_key(credential=call.credential)
    if public_key != bytes(key.public_key):
        raise KeyBindingError("the credential's key is not its certificate's")
    with ExitStack() as afterwards, open_key(key=key) as signer:
        reservation = reserve_digests(
            activation=call.activation,
            sad_checksum=call.sad_checksum,
            epoch=call.epoch,
            hash_algorithm_oid=HASH_OIDS[call.operation.hash_name],
            digests=call.digests,
            hash_type=hash_type,
        )
        record_intent(reservation=reservation)
        if key.one_time:
            afterwards.callback(close_used, credential=call.credential, origin=call.origin)
        return _use_key(signer, public_key, reservation, to_be_signed, call)


def _use_key(
    signer: DigestSigner,
    public_key: bytes,
    reservation: Reservation,
    to_be_signed: tuple[bytes, ...],
    call: SigningCall,
) -> list[bytes]:
    """Signs each digest once. Whatever ends this, every row gets an outcome, or keeps its intent for the sweep."""
    signatures: list[bytes] = []
    asked = 0
    try:
        for digest in to_be_signed:
            asked += 1
            signature = signer.sign_digest(operation=call.operation, digest=digest)
            verify_signature(public_key=public_key, operation=call.operation, digest=digest, signature=signature)
            signatures.append(signature)
    except HsmError as error:
        # An HSM that is gone now may have signed: this is no longer "try again".
        raise SigningFailedError(str(error)) from error
    finally:
        record_outcomes(reservation=reservation, signatures=signatures, asked=asked, origin=call.origin)
    return signatures

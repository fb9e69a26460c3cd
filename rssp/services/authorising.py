"""Explicit authorisation: this service's own factors were right, so it makes a SAD (CSC API v2, 11.6).

>>> activation, sad = authorise(credential=credential, token=bearer, factors="PIN, OTP", hash_algorithm_oid=None,
...                             digests=[digest], num_signatures=1, lifetime=timedelta(minutes=5), origin=origin)
>>> find_activation(sad=sad, bearer=bearer, credential=credential)

Whoever calls `authorise` has verified the factors. The SAD is 256 random bits, of which the SHA-256 is kept.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, router, transaction
from django.utils import timezone

from rssp.activation import VerifiedActivation
from rssp.algorithms import DIGEST_BYTES, HASH_NAMES, HASH_OIDS
from rssp.clients.introspection import VerifiedToken, checksum_of
from rssp.errors import (
    ActivationRefusedError,
    ActivationReplayedError,
    DigestLengthError,
    HashAlgorithmError,
    MissingParameterError,
    SignatureCountError,
    TooManyHashesError,
)
from rssp.models import ActivatedDigest, Activation, AuditEvent, Credential
from rssp.models.insertion import insert_row, insert_rows
from rssp.models.prepared import Prepared
from rssp.services.activating import verify_approved_since
from rssp.services.auditing import Origin, describe_activation, record_events
from rssp.services.credentials import verify_usable
from rssp.services.hsm import get_hsm
from rssp.services.ledger import ANY_DIGEST, SIGNABLE_HASH_TYPE, verify_current_sad
from rssp.services.macs import authenticate_activation, verify_credential
from rssp.services.seals import verify_bounded, verify_open_to

NONCE_BYTES = 32
_EXPLICIT = Activation.objects.filter(kind=Activation.Kind.EXPLICIT)
_FIND = Prepared(lambda checksum: _EXPLICIT.filter(sad_checksum=checksum), str)
_FIND_EXTENDED = Prepared(lambda checksum: _EXPLICIT.filter(extensions__sad_checksum=checksum), str)


@dataclass(frozen=True)
class Sad:
    """What the client is given; ``expires_in`` in seconds."""

    value: str
    expires_in: int

    def __repr__(self) -> str:
        return f"Sad({self.expires_in!r})"


def authorise(
    *,
    credential: Credential,
    token: VerifiedToken,
    factors: str,
    hash_algorithm_oid: str | None,
    digests: Sequence[bytes] | None,
    num_signatures: int,
    lifetime: timedelta,
    origin: Origin,
    approval: VerifiedActivation | None = None,
) -> tuple[Activation, str]:
    """``num_signatures`` signatures with ``credential`` for the token's user and client; returns the SAD beside it.

    At SCAL 1 what ``digests`` leave open may be any digest. At SCAL 2 there must be digests, and what they leave open
    signs nothing until an extension names it. Without ``hash_algorithm_oid`` the digests' length names the algorithm.
    ``approval`` is the passkey's, where one was asked for out of band: it is good for one authorisation.

    Raises what `verify_authorisable` raises, or `ActivationReplayedError`.
    """
    slots = verify_authorisable(
        credential=credential,
        token=token,
        hash_algorithm_oid=hash_algorithm_oid,
        digests=digests,
        num_signatures=num_signatures,
    )
    epoch = get_hsm().read_epoch()
    if approval is not None:
        verify_approved_since(verified=approval, epoch=epoch)
    sad = secrets.token_urlsafe(32)
    activation = Activation(
        nonce=secrets.token_bytes(NONCE_BYTES).hex(),
        sad_checksum=checksum_of(sad),
        kind=Activation.Kind.EXPLICIT,
        issuer=token.issuer,
        client_id=token.client_id,
        subject=token.subject,
        factors=factors,
        credential=credential,
        num_signatures=num_signatures,
        expires=timezone.now() + lifetime,
        epoch=epoch.number,
    )
    if approval is not None:
        _keep_evidence(activation, approval)
    rows = make_slots(activation=activation, slots=slots, first_position=0)
    authenticate_activation(activation, rows)
    try:
        with transaction.atomic(using=router.db_for_write(Activation), durable=True):
            insert_row(activation)
            insert_rows(rows)
            record_events([_event(activation, credential, len(slots), origin)])
    except IntegrityError:
        if not Activation.objects.filter(nonce=activation.nonce).exists():
            raise
        raise ActivationReplayedError("the approval was used before") from None
    return activation, sad


def verify_authorisable(
    *,
    credential: Credential,
    token: VerifiedToken,
    hash_algorithm_oid: str | None,
    digests: Sequence[bytes] | None,
    num_signatures: int,
) -> list[tuple[str, str]]:
    """What can be known before a factor is looked at; the slots that the authorisation will have.

    Raises `ActivationRefusedError` for a credential that passkeys activate, `UnknownCredentialError` for one that is
    not open to the token, what `verify_usable` and `verify_credential` raise, `SignatureCountError`,
    `TooManyHashesError`, `MissingParameterError`, `HashAlgorithmError`,
    `DigestLengthError` or `HsmError`.
    """
    verify_explicit(credential=credential)
    verify_open_to(credential=credential, token=token)
    verify_usable(credential=credential)
    verify_credential(credential)
    if num_signatures < 1:
        raise SignatureCountError("numSignatures")
    verify_bounded(credential=credential, token=token, num_signatures=num_signatures)
    if num_signatures > credential.multisign or len(digests or ()) > num_signatures:
        raise TooManyHashesError("hash")
    if credential.scal != "1" and not digests:
        raise MissingParameterError("hash", kind="array")
    slots = bind_digests(hash_algorithm_oid=hash_algorithm_oid, digests=digests or ())
    if credential.scal == "1":
        slots += [("", ANY_DIGEST)] * (num_signatures - len(slots))
    return slots


def _keep_evidence(activation: Activation, approval: VerifiedActivation) -> None:
    activation.nonce = approval.nonce.hex()
    activation.passkey_id = approval.passkey_id
    activation.authenticator_data = approval.assertion.authenticator_data
    activation.client_data_json = approval.assertion.client_data_json
    activation.signature = approval.assertion.signature


def find_activation(*, sad: str, bearer: VerifiedToken, credential: Credential) -> Activation:
    """The live authorisation behind a SAD of this service, for the bearer's user and client and this credential.

    Raises `ActivationRefusedError`, whichever of them it is not for, or what `verify_current_sad` raises.
    """
    checksum = checksum_of(sad)
    found = _FIND.first(checksum) or _FIND_EXTENDED.first(checksum)
    if found is None:
        raise ActivationRefusedError("the SAD is unknown or has ended")
    if found.credential_id != credential.pk:
        raise ActivationRefusedError("the SAD is for another credential")
    if (found.issuer, found.subject, found.client_id) != (bearer.issuer, bearer.subject, bearer.client_id):
        raise ActivationRefusedError("the SAD is another user's or another client's")
    verify_current_sad(activation=found, sad_checksum=checksum)
    found.credential = credential
    return found


def bind_digests(*, hash_algorithm_oid: str | None, digests: Sequence[bytes]) -> list[tuple[str, str]]:
    """(hash algorithm, hexadecimal digest) of each; raises `HashAlgorithmError` or `DigestLengthError`."""
    if hash_algorithm_oid is None:
        by_length = {DIGEST_BYTES[name]: oid for name, oid in HASH_OIDS.items()}
        hash_algorithm_oid = by_length.get(len(digests[0]), "") if digests else ""
        if digests and not hash_algorithm_oid:
            raise DigestLengthError("no hash algorithm has digests of this length")
    elif hash_algorithm_oid not in HASH_NAMES:
        raise HashAlgorithmError("the hash algorithm is unknown or weak")
    if any(len(digest) != DIGEST_BYTES[HASH_NAMES[hash_algorithm_oid]] for digest in digests):
        raise DigestLengthError("a digest's length is not its algorithm's")
    return [(hash_algorithm_oid, digest.hex()) for digest in digests]


def make_slots(
    *, activation: Activation, slots: Sequence[tuple[str, str]], first_position: int
) -> list[ActivatedDigest]:
    """Ledger rows for what `bind_digests` gave, not saved."""
    return [
        ActivatedDigest(
            activation=activation,
            position=position,
            hash_type=SIGNABLE_HASH_TYPE,
            hash_algorithm_oid=hash_algorithm_oid,
            digest=digest,
        )
        for position, (hash_algorithm_oid, digest) in enumerate(slots, start=first_position)
    ]


def verify_explicit(*, credential: Credential) -> None:
    """Raises `ActivationRefusedError` for a credential that passkeys activate: its tokens are SADs, made elsewhere."""
    if credential.is_opened_by_oauth:
        raise ActivationRefusedError("the credential is activated by tokens of the authorization server alone")


def _event(activation: Activation, credential: Credential, bound: int, origin: Origin) -> AuditEvent:
    return AuditEvent(
        action=AuditEvent.Action.AUTHORISE,
        result=AuditEvent.Result.DONE,
        credential_id=credential.credential_id,
        reason=f"numSignatures {activation.num_signatures}, {bound} slots",
        **describe_activation(activation, call=None, origin=origin),
    )

"""From a token to an activation: verified, then recorded under a nonce that is unique for ever."""

import hmac
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from django.conf import settings
from django.db import IntegrityError, router, transaction
from django.db.models import Q

from rssp.activation import (
    BINDING,
    CREATION,
    DELETION,
    LONGEST_SECONDS,
    SIGNING,
    VerifiedActivation,
    VerifiedBinding,
    VerifiedCreation,
    VerifiedDeletion,
    parse_binding_approval,
    parse_creation_approval,
    parse_deletion_approval,
    parse_signing_approval,
    verify_activation,
    verify_binding_approval,
    verify_creation,
    verify_deletion,
)
from rssp.clients.introspection import VerifiedToken
from rssp.errors import ActivationRefusedError, ActivationReplayedError, OldEpochError
from rssp.hsm.interface import Epoch
from rssp.models import ActivatedDigest, Activation, Credential, OneTimeCredential
from rssp.services.macs import authenticate_activation, verify_binding

# What an approval proves: authz saw the password, the passkey verified its owner, and we verified the passkey.
FACTORS = "password, passkey"


def activate_credential(*, token: VerifiedToken, credential: Credential, epoch: Epoch) -> Activation:
    """The activation that this token stands for: made at its first use, found again later.

    Raises children of `ActivationError`; a second token around the same approval is `ActivationReplayedError`.
    """
    if credential.auth_mode != Credential.AuthMode.OAUTH2CODE:
        raise ActivationRefusedError("the credential is opened by credentials/authorize alone")
    verified = verify_signing_token(token=token, credential=credential)
    verify_approved_since(verified=verified, epoch=epoch)
    return _record_signing(verified, token, credential, epoch)


def verify_approved_since(*, verified: VerifiedActivation | VerifiedDeletion | VerifiedBinding, epoch: Epoch) -> None:
    """Raises `OldEpochError` for an approval of before a restore: it may have been used since the backup, and the
    ledger would not know. The first minute's approvals go with them, because clocks differ."""
    if verified.expires_at <= epoch.begun + LONGEST_SECONDS:
        raise OldEpochError("it was approved before a restore")


def verify_signing_token(*, token: VerifiedToken, credential: Credential, on_behalf_of: str = "") -> VerifiedActivation:
    """What the signer approved with a passkey bound to this credential; ``on_behalf_of`` is the client for which this
    service asked. Raises `ActivationRefusedError` or `ActivationExpiredError`; records nothing."""
    given = parse_signing_approval(
        client_id=token.client_id, subject=token.subject, details=token.details, approval=token.approval
    )
    bindings = credential.bindings.select_related("credential")
    binding = bindings.filter(passkey_id=given.passkey_id, unbound=None).first()
    if binding is None:
        raise ActivationRefusedError("the passkey is not bound to this credential")
    verify_binding(binding)
    verified = verify_activation(
        given=given,
        expected_credential_id=credential.credential_id,
        expected_subject=credential.subject,
        expected_passkey_id=bytes(binding.passkey_id),
        expected_public_key=bytes(binding.public_key),
        expected_rp_id=settings.APPROVAL_RP_ID,
        expected_origin=settings.APPROVAL_ORIGIN,
        now=int(time.time()),
        expected_on_behalf_of=on_behalf_of,
        expected_qualifier=settings.SIGNATURE_QUALIFIERS.get(credential.certificate_policy, ""),
    )
    if len(verified.digests) > credential.multisign:
        raise ActivationRefusedError("the approval holds more digests than the credential's multisign")
    return verified


def verify_creation_token(*, token: VerifiedToken) -> VerifiedCreation:
    """Raises `ActivationRefusedError` or `ActivationExpiredError`."""
    given = parse_creation_approval(
        client_id=token.client_id, subject=token.subject, details=token.details, approval=token.approval
    )
    return verify_creation(
        given=given,
        expected_rp_id=settings.APPROVAL_RP_ID,
        expected_origin=settings.APPROVAL_ORIGIN,
        now=int(time.time()),
    )


def verify_deletion_token(
    *, token: VerifiedToken, credential_id: str, passkeys: Mapping[bytes, bytes]
) -> VerifiedDeletion:
    """``passkeys`` are those bound to what is to be ended: identifiers and our own copies of their COSE keys.

    Raises `ActivationRefusedError` or `ActivationExpiredError`; records nothing.
    """
    given = parse_deletion_approval(
        client_id=token.client_id, subject=token.subject, details=token.details, approval=token.approval
    )
    public_key = passkeys.get(given.passkey_id)
    if public_key is None:
        raise ActivationRefusedError("the passkey is not bound to this credential")
    return verify_deletion(
        given=given,
        expected_credential_id=credential_id,
        expected_subject=token.subject,
        expected_passkey_id=given.passkey_id,
        expected_public_key=public_key,
        expected_rp_id=settings.APPROVAL_RP_ID,
        expected_origin=settings.APPROVAL_ORIGIN,
        now=int(time.time()),
    )


def verify_binding_token(
    *, token: VerifiedToken, credential_id: str, passkeys: Mapping[bytes, bytes]
) -> VerifiedBinding:
    """``passkeys`` are those bound to the credential: identifiers and our own copies of their COSE keys.

    Raises `ActivationRefusedError` or `ActivationExpiredError`; records nothing.
    """
    given = parse_binding_approval(
        client_id=token.client_id, subject=token.subject, details=token.details, approval=token.approval
    )
    public_key = passkeys.get(given.passkey_id)
    if public_key is None:
        raise ActivationRefusedError("the passkey is not bound to this credential")
    return verify_binding_approval(
        given=given,
        expected_credential_id=credential_id,
        expected_subject=token.subject,
        expected_passkey_id=given.passkey_id,
        expected_public_key=public_key,
        expected_rp_id=settings.APPROVAL_RP_ID,
        expected_origin=settings.APPROVAL_ORIGIN,
        now=int(time.time()),
    )


def record_creation(*, verified: VerifiedCreation, token: VerifiedToken, epoch: Epoch) -> Activation:
    """Spends the approval: it is good for one credential. Raises `ActivationReplayedError` the second time."""
    with transaction.atomic(using=router.db_for_write(Activation), durable=True):
        return _record_once(CREATION, verified, token, epoch)


def record_deletion(*, verified: VerifiedDeletion, token: VerifiedToken, epoch: Epoch) -> Activation:
    """The same in the caller's transaction, which ends the credential."""
    return _record_once(DELETION, verified, token, epoch)


def record_binding(*, verified: VerifiedBinding, token: VerifiedToken, epoch: Epoch) -> Activation:
    """The same in the caller's transaction, which changes the credential's passkeys."""
    return _record_once(BINDING, verified, token, epoch)


def _record_once(
    kind: str, verified: VerifiedCreation | VerifiedDeletion | VerifiedBinding, token: VerifiedToken, epoch: Epoch
) -> Activation:
    row = _new_activation(kind, verified, token, epoch)
    authenticate_activation(row, [])
    try:
        with transaction.atomic(using=router.db_for_write(Activation)):
            row.save(force_insert=True)
    except IntegrityError:
        if not _is_known(row):
            raise
        raise ActivationReplayedError("the approval was used before") from None
    return row


def _is_known(row: Activation) -> bool:
    """Whether it was the nonce or the token that the database refused, and nothing else."""
    same = Q(nonce=row.nonce) | Q(sad_checksum=row.sad_checksum)
    return Activation.objects.filter(same).exists()


def _record_signing(
    verified: VerifiedActivation, token: VerifiedToken, credential: Credential, epoch: Epoch
) -> Activation:
    known = Activation.objects.filter(nonce=verified.nonce.hex()).first()
    if known is None:
        row = _new_activation(SIGNING, verified, token, epoch)
        row.credential = credential
        try:
            return _insert_signing(row, verified)
        except IntegrityError:
            # A parallel call with the same token was first, or this token came with another approval before.
            if not _is_known(row):
                raise
            known = Activation.objects.filter(nonce=verified.nonce.hex()).first()
    if known is None or not hmac.compare_digest(known.sad_checksum, token.checksum):
        raise ActivationReplayedError("the approval stands behind another token")
    if (known.kind, known.credential_id) != (SIGNING, credential.pk):
        # Two approvals under one nonce: the first one's digests are not for this key.
        raise ActivationReplayedError("the nonce stands for another approval")
    return known


def _insert_signing(row: Activation, verified: VerifiedActivation) -> Activation:
    slots = [
        ActivatedDigest(
            activation=row,
            position=position,
            hash_type=hash_type,
            hash_algorithm_oid=verified.hash_algorithm_oid,
            digest=digest.hex(),
        )
        for position, (hash_type, digest) in enumerate(verified.digests)
    ]
    authenticate_activation(row, slots)
    with transaction.atomic(using=router.db_for_write(Activation), durable=True):
        row.save(force_insert=True)
        ActivatedDigest.objects.bulk_create(slots)
        _take_one_time(row)
    return row


def _take_one_time(row: Activation) -> None:
    """A credential for one signature is the first approval's."""
    mine = OneTimeCredential.objects.filter(credential=row.credential)
    if not mine.filter(activation=None, closed=None).update(activation=row) and mine.exists():
        raise ActivationReplayedError("the credential is another approval's")


def _new_activation(
    kind: str,
    verified: VerifiedActivation | VerifiedCreation | VerifiedDeletion | VerifiedBinding,
    token: VerifiedToken,
    epoch: Epoch,
) -> Activation:
    return Activation(
        nonce=verified.nonce.hex(),
        sad_checksum=token.checksum,
        kind=kind,
        issuer=token.issuer,
        client_id=verified.client_id,
        subject=verified.subject,
        factors=FACTORS,
        num_signatures=len(verified.digests) if isinstance(verified, VerifiedActivation) else 0,
        epoch=epoch.number,
        expires=datetime.fromtimestamp(verified.expires_at, UTC),
        passkey_id=verified.passkey_id,
        authenticator_data=verified.assertion.authenticator_data,
        client_data_json=verified.assertion.client_data_json,
        signature=verified.assertion.signature,
    )

"""Whether a passkey that this service knows approved exactly this."""

from hashlib import sha256

from rssp.activation.approvals import (
    MAX_DIGESTS,
    MAX_PASSKEY_ID,
    BindingApproval,
    CreationApproval,
    DeletionApproval,
    SigningApproval,
)
from rssp.activation.assertions import refuse_unless, verify_assertion, verify_public_key, verify_time
from rssp.activation.layout import (
    write_binding_approval,
    write_creation_approval,
    write_deletion_approval,
    write_signing_approval,
)
from rssp.activation.verified import VerifiedActivation, VerifiedBinding, VerifiedCreation, VerifiedDeletion

_DIGEST_BYTES = {"2.16.840.1.101.3.4.2.1": 32, "2.16.840.1.101.3.4.2.2": 48, "2.16.840.1.101.3.4.2.3": 64}


def verify_activation(
    *,
    given: SigningApproval,
    expected_credential_id: str,
    expected_subject: str,
    expected_passkey_id: bytes,
    expected_public_key: bytes,
    expected_rp_id: str,
    expected_origin: str,
    now: int,
    expected_on_behalf_of: str = "",
    expected_qualifier: str = "",
) -> VerifiedActivation:
    """Whether the passkey bound to this credential approved exactly this.

    ``expected_public_key`` is the passkey's COSE key from our own binding, ``expected_on_behalf_of`` the client for
    which this service asked out of band (empty: it did not ask), ``expected_qualifier`` what its credential is called
    where a client named that in the credential's place. Raises `ActivationRefusedError` or `ActivationExpiredError`.
    """
    refuse_unless(given.on_behalf_of == expected_on_behalf_of, "approved for another client")
    refuse_unless(given.signature_qualifier in ("", expected_qualifier), "approved for another kind of signature")
    refuse_unless(not (given.on_behalf_of and given.signature_qualifier), "asked for in two ways at once")
    refuse_unless(given.credential_id == expected_credential_id, "approved for another credential")
    refuse_unless(given.subject == expected_subject, "approved by another user")
    refuse_unless(given.passkey_id == expected_passkey_id, "approved with another passkey")
    refuse_unless(1 <= len(given.digests) <= MAX_DIGESTS, "no digest, or too many")
    refuse_unless(given.num_signatures == len(given.digests), "numSignatures is not the number of digests")
    length = _DIGEST_BYTES.get(given.hash_algorithm_oid)
    refuse_unless(all(len(item.digest) == length for item in given.digests), "a digest's length is not its algorithm's")
    verify_assertion(
        given=given.assertion,
        expected_challenge=sha256(write_signing_approval(given, expected_rp_id, expected_origin)).digest(),
        expected_passkey_id=expected_passkey_id,
        expected_public_key=expected_public_key,
        expected_rp_id=expected_rp_id,
        expected_origin=expected_origin,
    )
    verify_time(nonce=given.nonce, expires_at=given.expires_at, now=now)
    return VerifiedActivation(
        nonce=given.nonce,
        client_id=given.client_id,
        subject=given.subject,
        credential_id=given.credential_id,
        hash_algorithm_oid=given.hash_algorithm_oid,
        digests=tuple((item.hash_type, item.digest) for item in given.digests),
        expires_at=given.expires_at,
        passkey_id=given.passkey_id,
        assertion=given.assertion,
    )


def verify_creation(
    *, given: CreationApproval, expected_rp_id: str, expected_origin: str, now: int
) -> VerifiedCreation:
    """Whether the passkey whose hash the challenge commits to approved exactly this.

    There is no binding yet: this makes the first one. Raises `ActivationRefusedError` or `ActivationExpiredError`.
    """
    verify_assertion(
        given=given.assertion,
        expected_challenge=sha256(write_creation_approval(given, expected_rp_id, expected_origin)).digest(),
        expected_passkey_id=given.passkey_id,
        expected_public_key=given.passkey_public_key,
        expected_rp_id=expected_rp_id,
        expected_origin=expected_origin,
    )
    verify_time(nonce=given.nonce, expires_at=given.expires_at, now=now)
    return VerifiedCreation(**vars(given))


def verify_deletion(
    *,
    given: DeletionApproval,
    expected_credential_id: str,
    expected_subject: str,
    expected_passkey_id: bytes,
    expected_public_key: bytes,
    expected_rp_id: str,
    expected_origin: str,
    now: int,
) -> VerifiedDeletion:
    """Whether a passkey bound to this credential approved its end. Raises `ActivationRefusedError` or
    `ActivationExpiredError`."""
    refuse_unless(given.credential_id == expected_credential_id, "approved for another credential")
    refuse_unless(given.subject == expected_subject, "approved by another user")
    refuse_unless(given.passkey_id == expected_passkey_id, "approved with another passkey")
    verify_assertion(
        given=given.assertion,
        expected_challenge=sha256(write_deletion_approval(given, expected_rp_id, expected_origin)).digest(),
        expected_passkey_id=expected_passkey_id,
        expected_public_key=expected_public_key,
        expected_rp_id=expected_rp_id,
        expected_origin=expected_origin,
    )
    verify_time(nonce=given.nonce, expires_at=given.expires_at, now=now)
    return VerifiedDeletion(**vars(given))


def verify_binding_approval(
    *,
    given: BindingApproval,
    expected_credential_id: str,
    expected_subject: str,
    expected_passkey_id: bytes,
    expected_public_key: bytes,
    expected_rp_id: str,
    expected_origin: str,
    now: int,
) -> VerifiedBinding:
    """Whether a passkey bound to this credential approved that another one is bound to it, or unbound from it.

    A passkey says nothing about itself: what is bound was vouched for, and what is left after an unbinding is at least
    the one that approved. Raises `ActivationRefusedError` or `ActivationExpiredError`.
    """
    refuse_unless(given.credential_id == expected_credential_id, "approved for another credential")
    refuse_unless(given.subject == expected_subject, "approved by another user")
    refuse_unless(given.passkey_id == expected_passkey_id, "approved with another passkey")
    refuse_unless(given.bound_id != expected_passkey_id, "a passkey approved its own binding")
    refuse_unless(1 <= len(given.bound_id) <= MAX_PASSKEY_ID, "the passkey's identifier has no known length")
    verify_public_key(given.bound_public_key)
    verify_assertion(
        given=given.assertion,
        expected_challenge=sha256(write_binding_approval(given, expected_rp_id, expected_origin)).digest(),
        expected_passkey_id=expected_passkey_id,
        expected_public_key=expected_public_key,
        expected_rp_id=expected_rp_id,
        expected_origin=expected_origin,
    )
    verify_time(nonce=given.nonce, expires_at=given.expires_at, now=now)
    return VerifiedBinding(**vars(given))

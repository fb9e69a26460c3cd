"""What an approval permits once it is verified."""

from dataclasses import dataclass

from rssp.activation.approvals import Assertion


@dataclass(frozen=True)
class VerifiedActivation:
    """These digests, once for each time they stand here, may be signed with this credential until ``expires_at``."""

    nonce: bytes
    client_id: str
    subject: str
    credential_id: str
    hash_algorithm_oid: str
    digests: tuple[tuple[str, bytes], ...]  # (hash type, digest); labels are none of this role's business any more
    expires_at: int
    passkey_id: bytes
    assertion: Assertion


@dataclass(frozen=True)
class VerifiedCreation:
    """One credential may be made for this subject and bound to this passkey. The authorization server says whether it
    verified the address."""

    nonce: bytes
    client_id: str
    subject: str
    certificate_policy: str
    key_algorithm: str
    common_name: str
    email: str
    expires_at: int
    passkey_id: bytes
    passkey_public_key: bytes
    assertion: Assertion
    email_verified: bool = False  # the authorization server's word, beside the challenge


@dataclass(frozen=True)
class VerifiedDeletion:
    """This credential may be ended, and its certificate revoked if there is a reason for it."""

    nonce: bytes
    client_id: str
    subject: str
    credential_id: str
    revocation_reason: str
    expires_at: int
    passkey_id: bytes
    assertion: Assertion


@dataclass(frozen=True)
class VerifiedBinding:
    """This passkey may be bound to this credential, or unbound from it."""

    nonce: bytes
    client_id: str
    subject: str
    credential_id: str
    action: str
    bound_id: bytes
    bound_public_key: bytes
    expires_at: int
    passkey_id: bytes
    assertion: Assertion

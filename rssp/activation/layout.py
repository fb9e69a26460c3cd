"""The bytes that a challenge is the hash of: docs/approval-layout.md, layout version 1."""

from hashlib import sha256

from rssp.activation.approvals import (
    BINDING,
    BY_QUALIFIER,
    CREATION,
    DELETION,
    ON_BEHALF,
    SIGNING,
    VERSION,
    BindingApproval,
    CreationApproval,
    DeletionApproval,
    SigningApproval,
)


def _part(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


def _string(value: str) -> bytes:
    return _part(value.encode())


def _u64(value: int) -> bytes:
    return value.to_bytes(8, "big")


def write_signing_approval(given: SigningApproval, rp_id: str, origin: str) -> bytes:
    kind = ON_BEHALF if given.on_behalf_of else BY_QUALIFIER if given.signature_qualifier else SIGNING
    digests = (_string(item.hash_type) + _part(item.digest) + _string(item.label) for item in given.digests)
    return b"".join(
        (
            _string(VERSION),
            _string(kind),
            _part(given.nonce),
            _string(given.client_id),
            *([_string(given.on_behalf_of)] if given.on_behalf_of else []),
            _string(given.subject),
            _string(given.credential_id),
            *([_string(given.signature_qualifier)] if given.signature_qualifier else []),
            _u64(given.num_signatures),
            _string(given.hash_algorithm_oid),
            _u64(len(given.digests)),
            *digests,
            _string(rp_id),
            _string(origin),
            _u64(given.expires_at),
        )
    )


def write_creation_approval(given: CreationApproval, rp_id: str, origin: str) -> bytes:
    return b"".join(
        (
            _string(VERSION),
            _string(CREATION),
            _part(given.nonce),
            _string(given.client_id),
            _string(given.subject),
            _string(given.certificate_policy),
            _string(given.key_algorithm),
            _string(given.common_name),
            _string(given.email),
            _part(sha256(given.passkey_public_key).digest()),
            _string(rp_id),
            _string(origin),
            _u64(given.expires_at),
        )
    )


def write_deletion_approval(given: DeletionApproval, rp_id: str, origin: str) -> bytes:
    return b"".join(
        (
            _string(VERSION),
            _string(DELETION),
            _part(given.nonce),
            _string(given.client_id),
            _string(given.subject),
            _string(given.credential_id),
            _string(given.revocation_reason),
            _string(rp_id),
            _string(origin),
            _u64(given.expires_at),
        )
    )


def write_binding_approval(given: BindingApproval, rp_id: str, origin: str) -> bytes:
    return b"".join(
        (
            _string(VERSION),
            _string(BINDING),
            _part(given.nonce),
            _string(given.client_id),
            _string(given.subject),
            _string(given.credential_id),
            _string(given.action),
            _part(given.bound_id),
            _part(sha256(given.bound_public_key).digest()),
            _string(rp_id),
            _string(origin),
            _u64(given.expires_at),
        )
    )

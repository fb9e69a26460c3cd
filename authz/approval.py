"""The approval: the bytes that a passkey's challenge commits to (docs/approval-layout.md), layout version 1.

Plain Python. Every field is length-prefixed and none is left out, so two different approvals never share bytes.
"""

from collections.abc import Sequence
from hashlib import sha256

VERSION = "paraph-approval/1"
NONCE_BYTES = 32


def _part(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


def _text(value: str) -> bytes:
    return _part(value.encode())


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def build_signing_approval(
    *,
    nonce: bytes,
    client_id: str,
    on_behalf_of: str = "",
    sub: str,
    credential_id: str,
    signature_qualifier: str = "",
    num_signatures: int,
    hash_algorithm_oid: str,
    document_digests: Sequence[tuple[str, bytes, str]],
    rp_id: str,
    origin: str,
    expires_at: int,
) -> bytes:
    """The approval of signatures. ``document_digests`` are (hash type in lower case, digest, label), in order.

    With ``on_behalf_of`` it is one that was asked for out of band, and with ``signature_qualifier`` one whose
    credential the user chose: each is another kind, and nobody asks for both at once.
    """
    chosen = "credential-by-qualifier" if signature_qualifier else "credential"
    kind = "credential-on-behalf" if on_behalf_of else chosen
    asking = _text(client_id) + (_text(on_behalf_of) if on_behalf_of else b"")
    digests = b"".join(_text(hash_type) + _part(digest) + _text(label) for hash_type, digest, label in document_digests)
    return (
        _text(VERSION)
        + _text(kind)
        + _part(nonce)
        + asking
        + _text(sub)
        + _text(credential_id)
        + (_text(signature_qualifier) if signature_qualifier else b"")
        + _number(num_signatures)
        + _text(hash_algorithm_oid)
        + _number(len(document_digests))
        + digests
        + _text(rp_id)
        + _text(origin)
        + _number(expires_at)
    )


def build_creation_approval(
    *,
    nonce: bytes,
    client_id: str,
    sub: str,
    certificate_policy: str,
    key_algorithm: str,
    common_name: str,
    email: str,
    passkey_public_key: bytes,
    rp_id: str,
    origin: str,
    expires_at: int,
) -> bytes:
    """The approval of a new credential. ``passkey_public_key`` is the COSE key that the credential is bound to."""
    return (
        _text(VERSION)
        + _text("credential-creation")
        + _part(nonce)
        + _text(client_id)
        + _text(sub)
        + _text(certificate_policy)
        + _text(key_algorithm)
        + _text(common_name)
        + _text(email)
        + _part(sha256(passkey_public_key).digest())
        + _text(rp_id)
        + _text(origin)
        + _number(expires_at)
    )


def build_deletion_approval(
    *,
    nonce: bytes,
    client_id: str,
    sub: str,
    credential_id: str,
    revocation_reason: str,
    rp_id: str,
    origin: str,
    expires_at: int,
) -> bytes:
    """The approval of a credential's end. ``revocation_reason`` is empty where its certificate is not revoked."""
    return (
        _text(VERSION)
        + _text("credential-deletion")
        + _part(nonce)
        + _text(client_id)
        + _text(sub)
        + _text(credential_id)
        + _text(revocation_reason)
        + _text(rp_id)
        + _text(origin)
        + _number(expires_at)
    )


def build_binding_approval(
    *,
    nonce: bytes,
    client_id: str,
    sub: str,
    credential_id: str,
    action: str,
    passkey_id: bytes,
    passkey_public_key: bytes,
    rp_id: str,
    origin: str,
    expires_at: int,
) -> bytes:
    """The approval of a further passkey for a credential, or of its end there (``action``, bind or unbind)."""
    return (
        _text(VERSION)
        + _text("passkey-binding")
        + _part(nonce)
        + _text(client_id)
        + _text(sub)
        + _text(credential_id)
        + _text(action)
        + _part(passkey_id)
        + _part(sha256(passkey_public_key).digest())
        + _text(rp_id)
        + _text(origin)
        + _number(expires_at)
    )


def compute_challenge(approval: bytes) -> bytes:
    """The WebAuthn challenge for an approval: its SHA-256."""
    return sha256(approval).digest()


def format_fingerprint(digest: bytes) -> str:
    """The approval fingerprint: the first 16 bytes as upper-case hexadecimal in eight groups of four."""
    text = digest[:16].hex().upper()
    return " ".join(text[index : index + 4] for index in range(0, len(text), 4))

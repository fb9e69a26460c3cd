"""Secrets that are handed out once and kept as a checksum."""

import secrets
from hashlib import sha256


def create_secret() -> str:
    """256 random bits, base64url."""
    return secrets.token_urlsafe(32)


def checksum(secret: str) -> str:
    """What is kept: with 256 random bits behind it, a plain SHA-256 cannot be turned round."""
    return sha256(secret.encode()).hexdigest()


def seal_client_secret(secret: str) -> str:
    """A client secret as `Application.client_secret` keeps it."""
    return f"sha256${checksum(secret)}"


def is_client_secret(secret: str, sealed: str) -> bool:
    """Constant-time comparison; a client without a secret has none that fits."""
    return bool(sealed) and secrets.compare_digest(seal_client_secret(secret), sealed)


def unseal_key(sealed: str) -> bytes | None:
    """The SHA-256 of a client's secret, which the CSC API makes a key of; None of a client without a secret."""
    return bytes.fromhex(sealed.removeprefix("sha256$")) if sealed else None

"""What an HSM does for this role. The real one is `rssp.hsm.pkcs11`."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from rssp.algorithms import DigestSigner


@dataclass(frozen=True)
class TokenDescription:
    """What the token says of itself (PKCS#11, CK_TOKEN_INFO)."""

    label: str
    serial: str
    manufacturer: str
    model: str


@dataclass(frozen=True)
class Epoch:
    """A restore epoch: its number from 1, and when it began, in seconds since 1970-01-01 UTC."""

    number: int
    begun: int


class Hsm(Protocol):
    """Keys by ``key_id`` (CKA_ID, 16 random bytes). Everything raises `HsmUnavailableError` when the token is gone."""

    def generate_key(self, *, key_id: bytes, label: str, key_algorithm: str) -> bytes:
        """A key pair in the token, never extractable; returns the public key as DER SubjectPublicKeyInfo."""
        ...

    def open_key(self, *, key_id: bytes) -> AbstractContextManager[DigestSigner]:
        """A logged-in session with the key's handle in hand. Entering may raise `HsmUnavailableError` or
        `KeyNotFoundError`, and certainly did not sign; signing itself raises `SigningFailedError`."""
        ...

    def list_key_ids(self) -> Sequence[bytes]:
        """The ids of all private keys."""
        ...

    def destroy_key(self, *, key_id: bytes) -> None:
        """Removes private and public key; a missing key is no error."""
        ...

    def describe_token(self) -> TokenDescription: ...

    def read_epoch(self) -> Epoch:
        """The token's restore epoch; (0, 0) as long as none was begun."""
        ...

    def raise_epoch(self, *, epoch: Epoch) -> None:
        """Puts a higher epoch in the place of the token's."""
        ...

    def verify_available(self) -> None:
        """Raises `HsmUnavailableError` unless a session can be had now."""
        ...

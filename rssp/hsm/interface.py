"""What an HSM does for this role. The real one is `rssp.hsm.pkcs11`."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from rssp.algorithms import DigestSigner, WrappedKey

# CKA_ID of the secret behind `Hsm.make_code`, the same in every token.
CODE_KEY_ID = b"paraph codes 1\x00\x00"


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

    def read_public_key(self, *, key_id: bytes, key_algorithm: str) -> bytes:
        """The token's own word on a key in it, as DER SubjectPublicKeyInfo; raises `KeyNotFoundError`."""
        ...

    def list_key_ids(self) -> Sequence[bytes]:
        """The ids of all private and secret keys, each once."""
        ...

    def destroy_key(self, *, key_id: bytes) -> None:
        """Removes every key of that id; a missing key is no error."""
        ...

    def generate_kek(self, *, key_id: bytes, label: str) -> None:
        """A key-encryption key in the token, never extractable."""
        ...

    def generate_wrapped_key(self, *, kek_id: bytes, key_id: bytes, key_algorithm: str) -> WrappedKey:
        """A key pair that leaves nothing in the token; raises `KeyNotFoundError` if there is no such KEK."""
        ...

    def open_wrapped_key(self, *, key: WrappedKey) -> AbstractContextManager[DigestSigner]:
        """As `open_key`; entering may also raise `KeyBindingError`."""
        ...

    def verify_wrapped_key(self, *, key: WrappedKey) -> None:
        """Raises `KeyBindingError` unless the key is as it was wrapped, or `KeyNotFoundError` without its KEK."""
        ...

    def rewrap_key(self, *, key: WrappedKey, kek_id: bytes) -> WrappedKey:
        """The same key under another KEK; raises `KeyBindingError` or `KeyNotFoundError`."""
        ...

    def verify_signing(self) -> None:
        """Makes a key of its own, signs with it, verifies and destroys it. Raises `SigningFailedError`."""
        ...

    def describe_token(self) -> TokenDescription: ...

    def read_epoch(self) -> Epoch:
        """The token's restore epoch; (0, 0) as long as none was begun."""
        ...

    def raise_epoch(self, *, epoch: Epoch) -> None:
        """Puts a higher epoch in the place of the token's."""
        ...

    def make_code(self, *, data: bytes) -> bytes:
        """An HMAC by a secret of the token's that never leaves it."""
        ...

    def verify_code(self, *, data: bytes, code: bytes) -> bool:
        """Whether `make_code` of this token made it over these data."""
        ...

    def verify_available(self) -> None:
        """Raises `HsmUnavailableError` unless a session can be had now."""
        ...

"""What a possession factor gives once it is verified. The next step takes only these values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class KnownKey:
    """An enrolled key, as this server's own record has it."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: tuple[str, ...]
    backup_eligible: bool | None = None  # None: not known, as of keys that no ceremony enrolled


@dataclass(frozen=True)
class VerifiedRegistration:
    """A new key that its holder proved to have, with the user verified. ``public_key`` is a COSE key, ``aaguid`` the
    kind of authenticator (a UUID; zeros where it is not told)."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    backup_eligible: bool
    backed_up: bool
    transports: tuple[str, ...]
    aaguid: str = ""


@dataclass(frozen=True)
class VerifiedAssertion:
    """An answer to one challenge by one known key, with the user present and verified."""

    credential_id: bytes
    sign_count: int
    backed_up: bool
    authenticator_data: bytes
    client_data_json: bytes
    signature: bytes


class PossessionFactor(Protocol):
    """Enrolment and use of a key that the user holds. ``verify_…`` raises `FactorError` or returns a verified value."""

    def write_registration_options(
        self,
        *,
        challenge: bytes,
        rp_name: str,
        user_handle: bytes,
        user_name: str,
        display_name: str,
        known: Sequence[KnownKey],
    ) -> dict[str, Any]: ...

    def verify_registration(self, *, response: str, challenge: bytes) -> VerifiedRegistration: ...

    def write_assertion_options(self, *, challenge: bytes, known: Sequence[KnownKey]) -> dict[str, Any]: ...

    def read_credential_id(self, *, response: str) -> bytes: ...

    def read_user_handle(self, *, response: str) -> bytes | None: ...

    def verify_assertion(self, *, response: str, challenge: bytes, key: KnownKey) -> VerifiedAssertion: ...


class FactorError(Exception):
    """The answer does not verify. Never shown: whoever asked hears only that the factors did not fit."""


class CounterError(FactorError):
    """The key's signature counter did not rise: it may have been copied."""

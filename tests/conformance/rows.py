"""The words that the tables are written in: a row is one mistake (or one success) and the answer that it must get."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Version = Literal[1, 2]
BOTH: tuple[Version, ...] = (1, 2)
Body = dict[str, Any] | bytes

# What has to be known, or to be there, before a row can be tried. `target` has one way to each.
FACILITIES = {
    "token": "a service token (--token, or --user and --password)",
    "user token": "a service token that names a person (--token, or --user and --password)",
    "seal token": "a service token of a client without a person (--seal-token) and a user it acts for (--user-id)",
    "credential": "a credential of that user (found by credentials/list, or --credential)",
    "explicit": "a credential of mode explicit that a PIN opens (--pin), or a SAD from elsewhere (--sad)",
    "SAD": "an RSA credential with a SAD for one SHA-256 digest (--sad, --sad-credential, --sad-digest)",
    "two-factor": "a credential of mode explicit that wants a PIN and an OTP (--two-factor-credential)",
    "online OTP": "a credential of mode explicit with an OTP that is sent (--online-otp-credential)",
    "implicit": "a credential that is authorised elsewhere (--implicit-credential)",
    "challenge": "a credential with an object that has a challenge (--challenge-credential, --challenge-object)",
    "disabled": "a disabled credential (--disabled-credential)",
    "locked": "a credential whose factors are locked (--locked-credential)",
    "expired certificate": "a credential whose certificate has expired (--expired-credential)",
    "oauth2code": "a credential of mode oauth2code (found by credentials/info)",
    "short SAD": "an expiresIn of at most --patience seconds",
    "basic": "a user name and a password (--user, --password)",
    "client": "a confidential OAuth client (--client-id, --client-secret)",
    "refresh token": "a login that answers with a refresh token (--user, --password)",
}


@dataclass(frozen=True)
class Answer:
    """What must come back. ``description`` None is any; a mapping has one sentence for each version."""

    status: int
    error: str | None = None
    description: str | Mapping[int, str] | Callable[[str], bool] | None = None
    shape: str | None = None  # a check of `shapes`, for a success
    or_status: int | None = None  # where the texts leave two

    def sentence(self, version: Version) -> "str | Callable[[str], bool] | None":
        return self.description[version] if isinstance(self.description, Mapping) else self.description


Change = Callable[[dict[str, Any], Version], Body]


@dataclass(frozen=True)
class Row:
    """``method`` is asked with its good request, changed by ``change``, under ``authorization``.

    ``authorization`` is a facility's name, None for no header at all, or a literal header. ``good`` names the request
    that is changed, where the method has several.
    """

    method: str
    case: str
    answer: Answer
    change: Change = field(default=lambda body, _version: body)
    authorization: str | None = "token"
    good: str = ""
    needs: frozenset[str] = frozenset()
    versions: tuple[Version, ...] = BOTH
    clause: Mapping[int, str] = field(default_factory=dict)

    def name(self, version: Version) -> str:
        return f"v{version} {self.method}: {self.case}"


def without(*names: str) -> Change:
    """The good request without these members; a name that the versions spell apart is `spelled` first."""
    return lambda body, version: {key: value for key, value in body.items() if key not in _spelled(names, version)}


def having(**members: Any) -> Change:
    """The good request with these members instead of, or beside, its own."""
    return lambda body, version: body | {_spell(key, version): value for key, value in members.items()}


def raw(content: bytes) -> Change:
    """These bytes instead of the good request's JSON."""
    return lambda _body, _version: content


def bad(
    description: str | Mapping[int, str] | Callable[[str], bool] | None, *, error: str = "invalid_request"
) -> Answer:
    """400 with CSC's error object."""
    return Answer(400, error, description)


def missing(name: str, kind: str = "string") -> Answer:
    return bad(f"Missing (or invalid type) {kind} parameter {name}")


def invalid(name: str) -> Answer:
    return bad(f"Invalid parameter {name}")


# One name here, two on the wire (csc-contract, the differences of the versions).
_SPELLINGS = {
    "hashes": {1: "hash", 2: "hashes"},
    "hash_algorithm": {1: "hashAlgo", 2: "hashAlgorithmOID"},
}


def _spell(name: str, version: Version) -> str:
    return _SPELLINGS.get(name, {}).get(version, name)


def _spelled(names: tuple[str, ...], version: Version) -> set[str]:
    return {_spell(name, version) for name in names}

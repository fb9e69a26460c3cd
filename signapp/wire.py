"""This role's words on the wire: what it says to and hears from the authorization server and the gateway. No I/O, no
Django.

Parsers are tolerant of members they do not know and strict about those they need; each raises `AnswerError`.
"""

import base64
import binascii
import unicodedata
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

MAX_SECONDS = 24 * 60 * 60
MIN_DIGEST = 32
# ISO 32000-2, Annex C: 14,400 units, each of at most 75,000 points.
MAX_SIDE = 14_400 * 75_000 + 1
_NAME_LIMIT = 120
_DEFAULT_NAME = "document.pdf"


class AnswerError(ValueError):
    """Another role's answer does not have the shape that was agreed on."""


# --- What people send us ------------------------------------------------------------------------------------


def clean_file_name(name: str) -> str:
    """A harmless name: never a path; no control, format (right-to-left and the like) or separator characters;
    shortened in the middle; ``document.pdf`` where nothing is left."""
    name = unicodedata.normalize("NFC", name.replace("\\", "/").rsplit("/", 1)[-1])
    name = "".join(char for char in name if unicodedata.category(char)[0] != "C" and char != "\ufffd")
    name = " ".join(name.split()).lstrip(". ")
    if not name:
        return _DEFAULT_NAME
    if len(name) > _NAME_LIMIT:
        name = f"{name[: _NAME_LIMIT - 21]}…{name[-20:]}"
    return name


def clean_path(path: str) -> str:
    """A path of our own pages to go on to, or the first page: never another host's address."""
    ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if ours else "/"


def write_disposition(name: str) -> str:
    """``Content-Disposition`` with the name as RFC 8187 writes it."""
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"


# --- The authorization server -------------------------------------------------------------------------------


REPAIRS = ("leading_bytes", "trailing_bytes", "cross_references", "objects", "xfa", "usage_rights", "rewritten")


@dataclass(frozen=True)
class Tokens:
    """A token endpoint's answer (RFC 6749, 5.1; OpenID Connect Core, 3.1.3.3)."""

    access_token: str
    expires_in: int
    refresh_token: str
    id_token: str


def parse_tokens(body: dict[str, Any]) -> Tokens:
    """A token that is not a bearer token, or not for the scope ``service``, is of no use here."""
    if _text(body, "token_type").lower() != "bearer" or "service" not in _text(body, "scope").split():
        raise AnswerError("token response")
    expires_in = _number(body, "expires_in")
    if not 0 < expires_in <= MAX_SECONDS:
        raise AnswerError("expires_in")
    return Tokens(
        access_token=_text(body, "access_token"),
        expires_in=expires_in,
        refresh_token=_text(body, "refresh_token"),
        id_token=_text(body, "id_token", required=False),
    )


def parse_external_tokens(body: dict[str, Any], *, refresh_token: str) -> Tokens:
    """Another provider's answer, which may leave out what stays as it was: the scope that was asked for (RFC 6749, 5.1)
    and the refresh token that was used (section 6)."""
    kept = {"scope": "service", "refresh_token": refresh_token}
    given = {name: value for name, value in body.items() if value is not None}
    if _text(kept | given, "token_type").lower() != "bearer" or "service" not in _text(kept | given, "scope").split():
        raise AnswerError("token response")
    lifetime = min(_number(body, "expires_in"), MAX_SECONDS)
    if lifetime <= 0:
        raise AnswerError("expires_in")
    return Tokens(
        access_token=_text(body, "access_token"),
        expires_in=lifetime,
        refresh_token=_text(kept | given, "refresh_token", required=False),
        id_token=_text(body, "id_token", required=False),
    )


@dataclass(frozen=True)
class PushedRequest:
    """Where to send the browser: a request's reference, not the request."""

    request_uri: str


def parse_pushed(body: dict[str, Any]) -> PushedRequest:
    """RFC 9126, 2.2."""
    return PushedRequest(_text(body, "request_uri"))


# --- The gateway: docs/protocols.md, section 6 --------------------------------------------------------------


@dataclass(frozen=True)
class Facts:
    """What an inspection found. ``encryption`` is a cipher such as ``AES-256``, empty if there is none; ``repairs`` is
    what was changed before it, each one of `REPAIRS`."""

    pages: int
    size: int
    sha256: str
    signatures: int
    encryption: str = ""
    repairs: tuple[str, ...] = ()
    page_sizes: tuple[tuple[float, float, int], ...] = ()


def parse_facts(body: dict[str, Any]) -> Facts:
    return Facts(
        pages=_number(body, "pages"),
        size=_number(body, "size"),
        sha256=_text(body, "sha256"),
        signatures=_number(body, "signatures"),
        encryption=(_text(body, "encryption") if body.get("encryption") is not None else "")[:16],
        page_sizes=_page_sizes(body.get("page_sizes")),
    )


def parse_repairs(header: str) -> tuple[str, ...]:
    """A list of tokens (RFC 8941, 3.1); those that have no words here are told as `rewritten`."""
    told = [token.strip() for token in header.split(",")]
    return tuple(dict.fromkeys(token if token in REPAIRS else "rewritten" for token in told))


def write_password(password: str) -> dict[str, str]:
    """The header that goes with a PDF that takes one: a byte sequence (RFC 8941, 3.3.5)."""
    return {"Document-Password": f":{base64.b64encode(password.encode()).decode()}:"} if password else {}


def _page_sizes(value: Any) -> tuple[tuple[float, float, int], ...]:
    """Runs of pages of one size: width, height, how many."""
    try:
        found = tuple((float(width), float(height), int(count)) for width, height, count in value)
    except (TypeError, ValueError):
        raise AnswerError("page_sizes") from None
    if not all(0 <= side < MAX_SIDE and count > 0 for width, height, count in found for side in (width, height)):
        raise AnswerError("page_sizes")
    return found


@dataclass(frozen=True)
class Job:
    """One document on its way to one signature, as the gateway tells it."""

    job_id: uuid.UUID
    state: str
    sha256: str
    credential_id: str
    digest: bytes
    label: str
    signed_size: int
    signed_sha256: str
    signed_level: str
    lasts_until: datetime | None
    error_code: str


_JOB_STATES = frozenset({"open", "prepared", "authorizing", "approved", "signing", "signed", "failed", "expired"})


def parse_job(body: dict[str, Any]) -> Job:
    state = _text(body, "state")
    if state not in _JOB_STATES:
        raise AnswerError("state")
    signed, error = body.get("signed") or {}, body.get("error") or {}
    if not isinstance(signed, dict) or not isinstance(error, dict):
        raise AnswerError("job")
    if state == "signed" and not signed:
        raise AnswerError("signed")
    document = body.get("document")
    if not isinstance(document, dict):
        raise AnswerError("document")
    return Job(
        job_id=_identifier(body, "job_id"),
        state=state,
        sha256=_text(document, "sha256"),
        credential_id=_text(body, "credential_id", required=False),
        digest=_digest(body),
        label=_text(body, "label", required=False),
        signed_size=_number(signed, "size") if signed else 0,
        signed_sha256=_text(signed, "sha256") if signed else "",
        signed_level=_text(signed, "level", required=False) if signed else "",
        lasts_until=_moment(signed, "lasts_until"),
        error_code=_text(error, "code") if error else "",
    )


@dataclass(frozen=True)
class Batch:
    """Jobs that one approval is for, as the gateway tells it."""

    batch_id: uuid.UUID
    state: str
    error_code: str


def parse_batch(body: dict[str, Any]) -> Batch:
    error = body.get("error") or {}
    if not isinstance(error, dict):
        raise AnswerError("error")
    return Batch(_identifier(body, "batch_id"), _text(body, "state"), _text(error, "code") if error else "")


@dataclass(frozen=True)
class BatchJob:
    """One of its jobs, in short."""

    job_id: uuid.UUID
    state: str
    digest: bytes
    error_code: str


def parse_batch_job(body: Any) -> BatchJob:
    if not isinstance(body, dict):
        raise AnswerError("job")
    error = body.get("error") or {}
    state = _text(body, "state")
    if state not in _JOB_STATES or not isinstance(error, dict):
        raise AnswerError("job")
    return BatchJob(_identifier(body, "job_id"), state, _digest(body), _text(error, "code") if error else "")


def _moment(body: dict[str, Any], name: str) -> datetime | None:
    text = _text(body, name, required=False)
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        raise AnswerError(name) from None


def _digest(body: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(_text(body, "digest", required=False), validate=True)
    except binascii.Error:
        raise AnswerError("digest") from None


def write_fingerprint(digest: bytes) -> str:
    """The approval fingerprint (docs/protocols.md, section 5) of a digest of `MIN_DIGEST` bytes at least."""
    text = digest[:16].hex().upper()
    return " ".join(text[start : start + 4] for start in range(0, 32, 4))


@dataclass(frozen=True)
class Certificate:
    """A person's certificate at the signing service. Whether it signs is that service's decision. Of a ``short_lived``
    one the times say how long certificates are made, one for each signature."""

    credential_id: str
    common_name: str
    key_algorithm: str
    status: str
    cert_status: str
    valid_from: datetime
    valid_to: datetime
    issuer: str
    serial_number: str
    certificate_policy: str
    short_lived: bool = False
    email: str = ""  # what the certificate itself carries

    @property
    def is_usable(self) -> bool:
        """Whether it is worth offering."""
        return self.status == "enabled" and self.cert_status == "valid"


def parse_certificate(body: Any) -> Certificate:
    if not isinstance(body, dict):
        raise AnswerError("credential")
    return Certificate(
        credential_id=_text(body, "credential_id"),
        common_name=_text(body, "common_name"),
        key_algorithm=_text(body, "key_algorithm"),
        status=_text(body, "status"),
        cert_status=_text(body, "cert_status"),
        valid_from=_time(body, "valid_from"),
        valid_to=_time(body, "valid_to"),
        issuer=_text(body, "issuer", required=False),
        serial_number=_text(body, "serial_number", required=False),
        certificate_policy=_text(body, "certificate_policy", required=False),
        short_lived=body.get("short_lived") is True,
        email=_text(body, "email", required=False),
    )


@dataclass(frozen=True)
class CertificateRequest:
    """A request for a certificate that has none yet, or gets none. ``state``: waiting, approved, refused or expired."""

    credential_id: str
    description: str
    state: str
    reason: str
    requested_at: datetime
    expires_at: datetime
    identity_provider: str = ""  # where the person may show who they are
    identified_by: str = ""  # where they did


def parse_certificate_request(body: Any) -> CertificateRequest:
    if not isinstance(body, dict):
        raise AnswerError("request")
    return CertificateRequest(
        credential_id=_text(body, "credential_id"),
        description=_text(body, "description", required=False),
        state=_text(body, "state"),
        reason=_text(body, "reason", required=False),
        requested_at=_time(body, "requested_at"),
        expires_at=_time(body, "expires_at"),
        identity_provider=_text(body, "identity_provider", required=False),
        identified_by=_text(body, "identified_by", required=False),
    )


@dataclass(frozen=True)
class Approval:
    """Where the browser goes to approve; ``request_id`` names a request for a certificate."""

    authorization_url: str
    request_id: uuid.UUID | None = None


def parse_approval(body: dict[str, Any], *, endpoint: str) -> Approval:
    """The address must be the login server's own ``endpoint``: nobody else is to ask for a password and a passkey."""
    url = _text(body, "authorization_url")
    if not url.startswith(f"{endpoint}{'&' if '?' in endpoint else '?'}"):
        raise AnswerError("authorization_url")
    return Approval(url, _identifier(body, "request_id") if "request_id" in body else None)


def parse_identification(body: dict[str, Any], *, issuer: str) -> str:
    """The provider's address, of the configured one's origin: nobody is sent anywhere else."""
    url = _text(body, "authorization_url")
    own, given = urlsplit(issuer), urlsplit(url)
    if not issuer or (given.scheme, given.netloc) != (own.scheme, own.netloc):
        raise AnswerError("authorization_url")
    return url


def _text(body: dict[str, Any], name: str, *, required: bool = True) -> str:
    value = body.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value):
        raise AnswerError(name)
    return value


def _number(body: dict[str, Any], name: str) -> int:
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise AnswerError(name)
    return value


def _identifier(body: dict[str, Any], name: str) -> uuid.UUID:
    try:
        return uuid.UUID(_text(body, name))
    except ValueError:
        raise AnswerError(name) from None


def _time(body: dict[str, Any], name: str) -> datetime:
    try:
        value = datetime.fromisoformat(_text(body, name))
    except ValueError:
        raise AnswerError(name) from None
    if value.tzinfo is None:
        raise AnswerError(name)
    return value

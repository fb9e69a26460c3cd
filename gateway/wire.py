"""This role's words on the wire: its own JSON API, and what it says to and hears from other roles. No I/O, no Django.

Parsers are tolerant of members they do not know and strict about those they need; each raises `InvalidRequestError`
or `AnswerError`.
"""

import base64
import binascii
import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from cryptography import x509

from gateway.errors import InvalidRequestError

KEY_ALGORITHMS = ("rsa-2048", "rsa-3072", "rsa-4096", "ec-p256", "ec-p384")
PASSKEY_ACTIONS = ("bind", "unbind")
# Of one batch: what one approval may name.
MOST_JOBS = 1000
HASH_TYPE = "dtbsr"
LONGEST_SAD = 4096
_RSA_OIDS = ("1.2.840.113549.1.1.",)
_CURVES = {"1.2.840.10045.3.1.7": "ec-p256", "1.3.132.0.34": "ec-p384"}
_NAME_LIMIT = 120
_PASSWORD_LIMIT = 127
_BYTE_SEQUENCE = re.compile(r":([A-Za-z0-9+/=]*):")
_DEFAULT_NAME = "document.pdf"


# Of DPoP proofs (RFC 9449, 7.1).
PROOF_ALGORITHMS = ("ES256", "ES384", "PS256", "PS384", "EdDSA", "Ed25519")


class AnswerError(ValueError):
    """Another role's answer does not have the shape that was agreed on."""


# --- Requests to us -----------------------------------------------------------------------------------------


def parse_text(body: dict[str, Any], name: str, *, limit: int, required: bool = True) -> str:
    """A string member of a JSON body, printable, at most ``limit`` characters."""
    value = body.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or len(value) > limit or (required and not value):
        raise InvalidRequestError(f"The member {name} must be a string of at most {limit} characters.")
    if any(unicodedata.category(char) in {"Cc", "Cs"} for char in value):
        raise InvalidRequestError(f"The member {name} holds a control character.")
    return value


def parse_choice(body: dict[str, Any], name: str, choices: Collection[str]) -> str | None:
    """A string member that is one of ``choices``, or absent."""
    value = body.get(name)
    if value is not None and (not isinstance(value, str) or value not in choices):
        raise InvalidRequestError(f"The member {name} must be one of {', '.join(choices)}.")
    return value


def parse_flag(body: dict[str, Any], name: str) -> bool:
    """A boolean member; false if absent."""
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise InvalidRequestError(f"The member {name} must be true or false.")
    return value


def parse_state(body: dict[str, Any]) -> str:
    """The caller's own ``state``: 128 random bits take 22 characters at least."""
    state = parse_text(body, "state", limit=512)
    if len(state) < 22 or not state.isascii():
        raise InvalidRequestError("The member state must hold at least 128 random bits.")
    return state


def parse_password(header: str | None) -> str:
    """The password of a PDF from ``Document-Password``: a byte sequence (RFC 8941, 3.3.5) of its UTF-8."""
    if not header:
        return ""
    encoded = _BYTE_SEQUENCE.fullmatch(header.strip())
    try:
        password = base64.b64decode(encoded[1], validate=True).decode() if encoded else "\0"
    except ValueError:
        password = "\0"
    if len(password) > _PASSWORD_LIMIT or any(unicodedata.category(char) in {"Cc", "Cs"} for char in password):
        raise InvalidRequestError(
            "The header Document-Password must be a byte sequence: UTF-8 of 127 characters at most."
        )
    return password


def returns_here(body: dict[str, Any]) -> bool:
    """Whether the browser is to come back to this role, and so to nobody's ``state`` or ``link``."""
    wanted = parse_choice(body, "returns_to", ("gateway",)) is not None
    if wanted and {"state", "link", "links"} & set(body):
        raise InvalidRequestError("The members state and link are of a caller that the browser comes back to.")
    return wanted


def parse_file_name(content_disposition: str | None) -> str:
    """A harmless name from ``Content-Disposition`` (RFC 6266): ``filename*`` (RFC 8187, UTF-8) before ``filename``.

    Never a path; no control, format (right-to-left and the like) or separator characters; shortened in the middle.
    """
    parameters = _disposition_parameters(content_disposition or "")
    extended = parameters.get("filename*", "")
    if extended.lower().startswith("utf-8'"):
        name = unquote(extended.split("'", 2)[-1], encoding="utf-8", errors="replace")
    else:
        name = parameters.get("filename", "")
    return clean_file_name(name)


def _disposition_parameters(header: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in header.split(";")[1:]:
        key, _, value = part.strip().partition("=")
        found.setdefault(key.strip().lower(), value.strip().strip('"'))
    return found


def clean_file_name(name: str) -> str:
    """See `parse_file_name`; an empty name becomes ``document.pdf``."""
    name = unicodedata.normalize("NFC", name.replace("\\", "/").rsplit("/", 1)[-1])
    name = "".join(char for char in name if unicodedata.category(char)[0] != "C" and char != "\ufffd")
    name = " ".join(name.split()).lstrip(".")
    if not name:
        return _DEFAULT_NAME
    if len(name) > _NAME_LIMIT:
        name = f"{name[: _NAME_LIMIT - 21]}…{name[-20:]}"
    return name


def make_label(*, name: str, pages: int, size: int) -> str:
    """What the signer reads on the consent page: ``Lease.pdf (3 pages, 48 kB)``."""
    return f"{name} ({pages} {'page' if pages == 1 else 'pages'}, {_readable_size(size)})"


def _readable_size(size: int) -> str:
    if size < 1000:
        return f"{size} B"
    if size < 999_500:
        return f"{round(size / 1000)} kB"
    return f"{size / 1_000_000:.1f} MB"


# --- Approvals: docs/protocols.md, section 4 ----------------------------------------------------------------


def signing_details(
    *, credential_id: str, credential_label: str, hash_algorithm_oid: str, documents: Sequence[tuple[str, str]]
) -> list[dict[str, Any]]:
    """``authorization_details`` that ask for one signature of each document: (digest in base64, label)."""
    return [
        {
            "type": "credential",
            "credentialID": credential_id,
            "credentialLabel": credential_label,
            "numSignatures": len(documents),
            "hashAlgorithmOID": hash_algorithm_oid,
            "documentDigests": [{"hash": digest, "label": label, "hashType": HASH_TYPE} for digest, label in documents],
        }
    ]


def with_links(details: list[dict[str, Any]], links: Sequence[str]) -> list[dict[str, Any]]:
    """The same with where each document can be read again, if that is known of all; no part of what is approved."""
    return [details[0] | {"documentLinks": list(links)}] if links and all(links) else details


def creation_details(*, certificate_policy: str, key_algorithm: str) -> list[dict[str, Any]]:
    """``authorization_details`` that ask for a new credential."""
    return [
        {"type": "credential-creation", "certificatePolicy": certificate_policy, "keyAlgorithm": key_algorithm},
    ]


def binding_details(*, credential_id: str, credential_label: str, action: str) -> list[dict[str, Any]]:
    """``authorization_details`` that ask for a change of passkeys; which one, its user says to the server."""
    return [
        {
            "type": "passkey-binding",
            "credentialID": credential_id,
            "credentialLabel": credential_label,
            "action": action,
        },
    ]


def parse_passkeys(body: dict[str, Any]) -> list[dict[str, str]]:
    """The members ``passkeyID`` and ``boundAt`` of ``credentials/changePasskeys``, in this API's spelling."""
    try:
        return [
            {"passkey_id": _text(item["passkeyID"]), "bound_at": _parse_time(item["boundAt"]).isoformat()}
            for item in body["passkeys"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise AnswerError(f"passkeys: {type(error).__name__}") from None


def is_same_approval(asked: list[dict[str, Any]], granted: Any) -> bool:
    """Whether every member that was asked for was granted unchanged, and no second detail beside it.

    The server may add members (the subject of a new credential); digests are compared exactly.
    """
    if not isinstance(granted, list) or len(granted) != len(asked):
        return False
    return all(
        isinstance(given, dict) and all(given.get(name) == value for name, value in wanted.items())
        for wanted, given in zip(asked, granted, strict=True)
    )


@dataclass(frozen=True)
class TokenAnswer:
    """A token endpoint's answer (RFC 6749, 5.1) with the members that docs/protocols.md, section 3 adds."""

    access_token: str
    expires_in: int
    scope: str
    sub: str
    authorization_details: Any


def parse_token_answer(body: dict[str, Any]) -> TokenAnswer:
    """Raises `AnswerError` on a missing or misshapen member."""
    token, scope, sub, lifetime = (body.get(name) for name in ("access_token", "scope", "sub", "expires_in"))
    if not isinstance(token, str) or not token or not isinstance(scope, str) or not isinstance(sub, str):
        raise AnswerError("token response")
    if str(body.get("token_type", "")).lower() != "bearer" or not isinstance(lifetime, int) or lifetime <= 0:
        raise AnswerError("token response")
    return TokenAnswer(token, lifetime, scope, sub, body.get("authorization_details"))


@dataclass(frozen=True)
class ExternalTokenAnswer:
    """The same of another provider, which says who it is by an ID token alone."""

    access_token: str
    expires_in: int
    id_token: str


def parse_external_token_answer(body: dict[str, Any]) -> ExternalTokenAnswer:
    """Raises `AnswerError` on a missing or misshapen member. A scope that is left out is the one that was asked for."""
    token, id_token, lifetime = (body.get(name) for name in ("access_token", "id_token", "expires_in"))
    scope = body.get("scope", "credential")
    if not isinstance(token, str) or not token or not isinstance(id_token, str) or not isinstance(scope, str):
        raise AnswerError("token response")
    if str(body.get("token_type", "")).lower() != "bearer" or type(lifetime) is not int or lifetime <= 0:
        raise AnswerError("token response")
    if "credential" not in scope.split():
        raise AnswerError("another scope than was asked for")
    return ExternalTokenAnswer(token, lifetime, id_token)


# --- Credentials: CSC API v2.0.0.2, 11.5 --------------------------------------------------------------------


@dataclass(frozen=True)
class Credential:
    """What signature creation needs to know of a credential. ``chain`` is DER, the signer's certificate first.

    A ``short_lived`` one has no chain: for each signature the signing service makes a credential of it that has.
    """

    credential_id: str
    description: str
    key_status: str
    key_algorithms: tuple[str, ...]
    key_name: str
    cert_status: str
    chain: tuple[bytes, ...]
    subject: str
    issuer: str
    serial_number: str
    valid_from: datetime
    valid_to: datetime
    certificate_policy: str
    short_lived: bool = False

    @property
    def email(self) -> str:
        """The address that the signer's certificate carries, empty if it has none or cannot be read."""
        try:
            extensions = x509.load_der_x509_certificate(self.chain[0]).extensions
            names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (x509.ExtensionNotFound, ValueError, IndexError):
            return ""
        return next(iter(names.get_values_for_type(x509.RFC822Name)), "")

    @property
    def common_name(self) -> str:
        """The first CN of the subject, as RFC 4514 writes it."""
        for part in self.subject.replace("\\,", "\0").split(","):
            key, _, value = part.strip().partition("=")
            if key.upper() == "CN":
                return value.replace("\0", ",").replace("\\", "")
        return self.subject

    @property
    def label(self) -> str:
        """What the consent page shows beside the identifier."""
        kind = self.key_name.upper().replace("-", " ")
        return f"{self.common_name}, {kind}, valid until {self.valid_to:%Y-%m-%d}"[:255]


# What opens a credential (CSC API v2, ``auth.mode``): an approval at the authorization server, or what a client itself
# sends to the signing service. Of a person's credentials those that want a PIN are not for this service.
OAUTH = "oauth2code"
SEAL = "explicit"


def is_opened_by(mode: str, body: Any) -> bool:
    auth = body.get("auth") if isinstance(body, dict) else None
    return isinstance(auth, dict) and auth.get("mode") == mode


def parse_credential(body: dict[str, Any], credential_id: str | None = None, *, mode: str = OAUTH) -> Credential:
    """From ``credentials/info`` or an element of ``credentialInfos``; raises `AnswerError`."""
    if not is_opened_by(mode, body):
        raise AnswerError("a credential that is opened in another way")
    try:
        key, cert = body["key"], body["cert"]
        chain = tuple(base64.b64decode(item, validate=True) for item in cert["certificates"])
        short_lived = isinstance(body.get("shortLived"), dict)
        if not chain and not short_lived:
            raise AnswerError("credential without a certificate")
        return Credential(
            credential_id=_text(credential_id or body["credentialID"]),
            description=_text(body.get("description") or ""),
            key_status=_text(key["status"]),
            key_algorithms=tuple(_text(item) for item in key["algo"]),
            key_name=_key_name(key),
            cert_status=_text(cert.get("status") or "valid"),
            chain=chain,
            subject=_text(cert.get("subjectDN") or ""),
            issuer=_text(cert.get("issuerDN") or ""),
            serial_number=_text(cert.get("serialNumber") or ""),
            valid_from=_parse_time(cert["validFrom"]),
            valid_to=_parse_time(cert["validTo"]),
            certificate_policy=_text(body.get("certificatePolicy") or ""),
            short_lived=short_lived,
        )
    except (KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise AnswerError(f"credential: {type(error).__name__}") from None


@dataclass(frozen=True)
class CertificateRequest:
    """A credential that has no certificate yet, or gets none (docs/protocols.md, section 7)."""

    credential_id: str
    description: str
    key_name: str
    certificate_policy: str
    state: str
    reason: str
    requested: datetime
    expires: datetime
    identity_provider: str = ""  # where its owner may show who they are
    identified_by: str = ""  # where they did


def parse_certificate_request(body: dict[str, Any]) -> CertificateRequest:
    """From an element of ``certificateRequests``, or ``credentials/create`` with 202; raises `AnswerError`."""
    try:
        stands = body["certificateRequest"]
        return CertificateRequest(
            credential_id=_text(body["credentialID"]),
            description=_text(body.get("description") or ""),
            key_name=_key_name(body["key"]),
            certificate_policy=_text(body.get("certificatePolicy") or ""),
            state=_text(stands["state"]),
            reason=_text(stands.get("reason") or ""),
            requested=_parse_time(stands["requestedAt"]),
            expires=_parse_time(stands["expiresAt"]),
            identity_provider=_text(stands.get("identityProvider") or ""),
            identified_by=_text(stands.get("identifiedBy") or ""),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AnswerError(f"request for a certificate: {type(error).__name__}") from None


def certificate_request_to_json(request: CertificateRequest) -> dict[str, Any]:
    return {
        "credential_id": request.credential_id,
        "description": request.description,
        "key_algorithm": request.key_name,
        "certificate_policy": request.certificate_policy,
        "state": request.state,
        "reason": request.reason,
        "requested_at": request.requested.isoformat(),
        "expires_at": request.expires.isoformat(),
        "identity_provider": request.identity_provider,
        "identified_by": request.identified_by,
    }


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise AnswerError("not a string")
    return value


def _key_name(key: dict[str, Any]) -> str:
    if curve := key.get("curve"):
        return _CURVES.get(curve, "ec")
    return f"rsa-{int(key['len'])}"


def _parse_time(value: str) -> datetime:
    try:
        return datetime.strptime(value, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise AnswerError("time") from None


def credential_to_json(credential: Credential) -> dict[str, Any]:
    return {
        "credential_id": credential.credential_id,
        "description": credential.description,
        "status": credential.key_status,
        "cert_status": credential.cert_status,
        "key_algorithm": credential.key_name,
        "subject": credential.subject,
        "common_name": credential.common_name,
        "email": credential.email,
        "issuer": credential.issuer,
        "serial_number": credential.serial_number,
        "valid_from": credential.valid_from.isoformat(),
        "valid_to": credential.valid_to.isoformat(),
        "certificate_policy": credential.certificate_policy,
        "short_lived": credential.short_lived,
    }

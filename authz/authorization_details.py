"""Authorization details (RFC 9396) of the CSC API, and the same asked for by plain parameters, in one frozen form.

Plain Python. docs/protocols.md, section 4, gives the wire form.

    >>> parse_authorization_details('[{"type": "credential-creation", "certificatePolicy": "demonstration", '
    ...                             '"keyAlgorithm": "ec-p256"}]')
    CredentialCreation(certificate_policy='demonstration', key_algorithm='ec-p256', subject=None)
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from authz.errors import InvalidAuthorizationDetailsError

CREDENTIAL_TYPES = ("credential", "https://cloudsignatureconsortium.org/2025/credential")
SERVICE_TYPE = "service"
CREATION_TYPE = "credential-creation"
DELETION_TYPE = "credential-deletion"
BINDING_TYPE = "passkey-binding"
BINDING_ACTIONS = ("bind", "unbind")
# Why a certificate is revoked, as far as its own subject can say (RFC 5280, 5.3.1).
REVOCATION_REASONS = ("unspecified", "keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation")
DIGEST_BYTES = {"2.16.840.1.101.3.4.2.1": 32, "2.16.840.1.101.3.4.2.2": 48, "2.16.840.1.101.3.4.2.3": 64}
HASH_TYPES = ("dtbsr", "sdr")
KEY_ALGORITHMS = ("rsa-2048", "rsa-3072", "rsa-4096", "ec-p256", "ec-p384")
MAX_DIGESTS = 1000
MAX_LABEL = 500
MAX_IDENTIFIER = 255
MAX_JSON = 1_000_000
MAX_LINK = 2048


@dataclass(frozen=True)
class DocumentDigest:
    """One approved digest occurrence. ``hash_type`` is in lower case."""

    hash_type: str
    digest: bytes
    label: str
    asked_hash_type: str | None = None


@dataclass(frozen=True)
class CredentialAuthorization:
    """Signatures with one credential: as many as there are digests. ``on_behalf_of`` is the client_id of the CSC client
    for which the signing service asks out of band, else empty.

    With ``signature_qualifier`` the client left the credential to its user: ``credential_id`` is empty until it is
    chosen."""

    type: str
    credential_id: str
    hash_algorithm_oid: str
    document_digests: tuple[DocumentDigest, ...]
    credential_label: str = ""
    locations: tuple[str, ...] = ()
    on_behalf_of: str = ""
    signature_qualifier: str = ""
    # Where each document can be read again at the client, or empty; shown, and not part of what is approved.
    document_links: tuple[str, ...] = ()

    @property
    def links(self) -> tuple[str, ...]:
        """One for each digest, empty where there is none."""
        return self.document_links or ("",) * len(self.document_digests)

    @property
    def num_signatures(self) -> int:
        return len(self.document_digests)

    @property
    def needs_choice(self) -> bool:
        """Whether its user has to choose a credential before there is anything to approve."""
        return not self.credential_id

    def with_credential(self, *, credential_id: str, label: str) -> "CredentialAuthorization":
        """Empty ones take the choice back."""
        return replace(self, credential_id=credential_id, credential_label=label)


@dataclass(frozen=True)
class Subject:
    """Whom a certificate is about, as the user's record says; ``email_verified`` is this server's word."""

    common_name: str
    email: str
    email_verified: bool = False


@dataclass(frozen=True)
class CredentialCreation:
    """A new credential. ``subject`` is what this server adds when it grants."""

    certificate_policy: str
    key_algorithm: str
    subject: Subject | None = None

    def with_subject(self, *, common_name: str, email: str, email_verified: bool) -> "CredentialCreation":
        return replace(self, subject=Subject(common_name, email, email_verified))


@dataclass(frozen=True)
class CredentialDeletion:
    """The end of a credential. ``revocation_reason`` is empty where its certificate is not revoked."""

    credential_id: str
    revocation_reason: str = ""


@dataclass(frozen=True)
class ServiceAccess:
    """Access to an account, which scope ``service`` asks for too; at the resources of ``locations``, or wherever the
    client may. Nothing is approved by it, so it is none of `AuthorizationDetails`."""

    locations: tuple[str, ...] = ()


@dataclass(frozen=True)
class NamedPasskey:
    """A passkey of the user's: its credential id and its COSE key."""

    id: bytes
    public_key: bytes


@dataclass(frozen=True)
class PasskeyBinding:
    """Whether a further passkey may sign with a credential. ``passkey`` is what its user chooses when it is granted."""

    credential_id: str
    action: str
    credential_label: str = ""
    passkey: NamedPasskey | None = None

    def with_passkey(self, *, id: bytes, public_key: bytes) -> "PasskeyBinding":  # noqa: A002  (the wire's name)
        return replace(self, passkey=NamedPasskey(id, public_key))


AuthorizationDetails = CredentialAuthorization | CredentialCreation | CredentialDeletion | PasskeyBinding


def parse_authorization_details(text: str, *, is_out_of_band: bool = False) -> AuthorizationDetails:
    """The one object of the array ``text``; raises `InvalidAuthorizationDetailsError` for all else.

    ``onBehalfOf`` stands where the signing service asks out of band, and nowhere else.
    """
    value = _load(text)
    if any(isinstance(entry, dict) and "subject" in entry for entry in (value if isinstance(value, list) else [])):
        raise InvalidAuthorizationDetailsError("The subject comes from the user's own record, not from the client.")
    if any(isinstance(entry, dict) and "passkey" in entry for entry in (value if isinstance(value, list) else [])):
        raise InvalidAuthorizationDetailsError("The passkey is its user's choice, not the client's.")
    details = read_authorization_details(value)
    if isinstance(details, CredentialAuthorization) and details.signature_qualifier:
        _refuse_named_credential(details, is_out_of_band=is_out_of_band)
    if is_out_of_band and isinstance(details, CredentialAuthorization) and details.document_links:
        raise InvalidAuthorizationDetailsError("documentLinks lead back to a page of the client's: there is none here.")
    if is_out_of_band != (isinstance(details, CredentialAuthorization) and details.on_behalf_of != ""):
        raise InvalidAuthorizationDetailsError("onBehalfOf belongs to requests out of band, each of which needs it.")
    return details


def parse_service_access(text: str) -> ServiceAccess | None:
    """The access that ``text`` asks for, or None where it asks for something that has to be approved."""
    value = _load(text)
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
        return None
    entry: dict[str, Any] = value[0]
    if entry.get("type") != SERVICE_TYPE:
        return None
    _known(entry, "type", "locations")
    return ServiceAccess(_locations(entry))


def write_service_access(access: ServiceAccess) -> list[dict[str, Any]]:
    """The wire form, as it was asked for."""
    return [{"type": SERVICE_TYPE} | ({"locations": list(access.locations)} if access.locations else {})]


def _load(text: str) -> Any:
    if len(text) > MAX_JSON:
        raise InvalidAuthorizationDetailsError("authorization_details is too long.")
    try:
        return json.loads(text, object_pairs_hook=_members, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise InvalidAuthorizationDetailsError("authorization_details is not JSON.") from None


def _locations(entry: dict[str, Any]) -> tuple[str, ...]:
    locations = entry.get("locations", [])
    if not isinstance(locations, list) or not all(isinstance(item, str) and _is_text(item) for item in locations):
        raise InvalidAuthorizationDetailsError("locations must be an array of strings.")
    return tuple(locations)


def read_authorization_details(value: Any) -> AuthorizationDetails:
    """The same from decoded JSON as it is stored with a consent, where a ``subject`` may stand."""
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
        raise InvalidAuthorizationDetailsError("authorization_details must be an array of one object.")
    entry: dict[str, Any] = value[0]
    kind = entry.get("type")
    if kind in CREDENTIAL_TYPES:
        return _read_credential(entry)
    if kind == CREATION_TYPE:
        return _read_creation(entry)
    if kind == DELETION_TYPE:
        return _read_deletion(entry)
    if kind == BINDING_TYPE:
        return _read_binding(entry)
    raise InvalidAuthorizationDetailsError("The type of authorization_details is not one of this server's.")


def parse_credential_parameters(parameters: Mapping[str, str]) -> CredentialAuthorization:
    """The form that CSC's plain parameters of scope ``credential`` stand for (v2 ``hashes``, v1 ``hash``)."""
    if "hashes" in parameters and "hash" in parameters:
        raise InvalidAuthorizationDetailsError("Give hashes or hash, not both.")
    if "signatureQualifier" in parameters and "credentialID" in parameters:
        raise InvalidAuthorizationDetailsError("Give credentialID or signatureQualifier, not both.")
    encoded = parameters.get("hashes", parameters.get("hash", ""))
    digests = [_decode_either_alphabet(item) for item in encoded.split(",")] if encoded else []
    oid = parameters.get("hashAlgorithmOID") or _oid_by_length(digests)
    label = _label(parameters.get("description", ""))
    return _credential(
        kind=CREDENTIAL_TYPES[0],
        credential=_which(parameters),
        oid=oid,
        digests=[DocumentDigest("dtbsr", digest, label) for digest in digests],
        count=_count_parameter(parameters.get("numSignatures")),
        credential_label="",
        locations=(),
    )


def write_authorization_details(details: AuthorizationDetails) -> list[dict[str, Any]]:
    """The wire form: what was asked for, with defaults filled in and what this server added."""
    if isinstance(details, CredentialCreation):
        entry: dict[str, Any] = {
            "type": CREATION_TYPE,
            "certificatePolicy": details.certificate_policy,
            "keyAlgorithm": details.key_algorithm,
        }
        if details.subject is not None:
            entry["subject"] = {
                "commonName": details.subject.common_name,
                "email": details.subject.email,
                "emailVerified": details.subject.email_verified,
            }
        return [entry]
    if isinstance(details, CredentialDeletion):
        reason = details.revocation_reason
        entry = {"type": DELETION_TYPE, "credentialID": details.credential_id, "revoke": reason != ""}
        return [entry | ({"revocationReason": reason} if reason else {})]
    if isinstance(details, PasskeyBinding):
        return [_write_binding(details)]
    entry = {
        "type": details.type,
        **({"credentialID": details.credential_id} if details.credential_id else {}),
        **({"signatureQualifier": details.signature_qualifier} if details.signature_qualifier else {}),
        "numSignatures": details.num_signatures,
        "hashAlgorithmOID": details.hash_algorithm_oid,
        "documentDigests": [
            {
                "hash": base64.b64encode(item.digest).decode(),
                "label": item.label,
                "hashType": item.asked_hash_type or item.hash_type,
            }
            for item in details.document_digests
        ],
    }
    if details.credential_label:
        entry["credentialLabel"] = details.credential_label
    if details.locations:
        entry["locations"] = list(details.locations)
    if any(details.document_links):
        entry["documentLinks"] = list(details.document_links)
    if details.on_behalf_of:
        entry["onBehalfOf"] = details.on_behalf_of
    return [entry]


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _known(entry: dict[str, Any], *names: str) -> None:
    """RFC 9396, section 5: unknown members make the whole request invalid."""
    unknown = sorted(set(entry) - set(names))
    if unknown:
        raise InvalidAuthorizationDetailsError("authorization_details holds a member that this server does not know.")


def _refuse_named_credential(details: CredentialAuthorization, *, is_out_of_band: bool) -> None:
    """Which one it becomes is the user's choice, and its label the signing service's word; out of band the signing
    service asks, which knows them all."""
    if is_out_of_band or details.credential_id or details.credential_label:
        raise InvalidAuthorizationDetailsError("Give credentialID or signatureQualifier, not both.")


def _which(asked: Mapping[str, Any]) -> tuple[str, str]:
    """The credential and the qualifier. The second may stand alone, and then its user chooses among the credentials
    that it names; both are there once that was done."""
    if "signatureQualifier" not in asked:
        return _identifier(asked.get("credentialID"), "credentialID"), ""
    qualifier = _identifier(asked["signatureQualifier"], "signatureQualifier")
    return _identifier(asked["credentialID"], "credentialID") if "credentialID" in asked else "", qualifier


def _read_credential(entry: dict[str, Any]) -> CredentialAuthorization:
    _known(
        entry,
        "type",
        "credentialID",
        "signatureQualifier",
        "numSignatures",
        "hashAlgorithmOID",
        "documentDigests",
        "credentialLabel",
        "locations",
        "onBehalfOf",
        "documentLinks",
    )
    digests = entry.get("documentDigests")
    if not isinstance(digests, list):
        raise InvalidAuthorizationDetailsError("documentDigests must be an array.")
    if len(digests) > MAX_DIGESTS:
        raise InvalidAuthorizationDetailsError(f"documentDigests may hold at most {MAX_DIGESTS} digests.")
    count = entry.get("numSignatures")
    if count is not None and type(count) is not int:
        raise InvalidAuthorizationDetailsError("numSignatures must be a whole number.")
    read = _credential(
        kind=entry["type"],
        credential=_which(entry),
        oid=entry.get("hashAlgorithmOID"),
        digests=[_read_digest(item) for item in digests],
        count=count,
        credential_label=_label(entry.get("credentialLabel", "")),
        locations=_locations(entry),
    )
    if "documentLinks" in entry:
        read = replace(read, document_links=_read_links(entry["documentLinks"], len(digests)))
    if "onBehalfOf" not in entry:
        return read
    return replace(read, on_behalf_of=_identifier(entry["onBehalfOf"], "onBehalfOf"))


def _read_links(value: Any, count: int) -> tuple[str, ...]:
    """One for each digest, in order. Whose addresses they are is looked at where the client is known."""
    if not isinstance(value, list) or len(value) != count or not all(isinstance(item, str) for item in value):
        raise InvalidAuthorizationDetailsError("documentLinks must hold one string for each of documentDigests.")
    if any(len(item) > MAX_LINK or not item.isprintable() or " " in item for item in value):
        raise InvalidAuthorizationDetailsError("A link is malformed.")
    return tuple(value)


def _credential(
    *,
    kind: str,
    credential: tuple[str, str],
    oid: Any,
    digests: list[DocumentDigest],
    count: int | None,
    credential_label: str,
    locations: tuple[str, ...],
) -> CredentialAuthorization:
    """The rules that both ways of asking share."""
    if not isinstance(oid, str) or oid not in DIGEST_BYTES:
        raise InvalidAuthorizationDetailsError("hashAlgorithmOID must name SHA-256, SHA-384 or SHA-512.")
    if not 1 <= len(digests) <= MAX_DIGESTS:
        raise InvalidAuthorizationDetailsError(f"Between 1 and {MAX_DIGESTS} digests can be approved at once.")
    if any(len(item.digest) != DIGEST_BYTES[oid] for item in digests):
        raise InvalidAuthorizationDetailsError("A digest's length does not fit hashAlgorithmOID.")
    if count is not None and count != len(digests):
        raise InvalidAuthorizationDetailsError("numSignatures must be the number of digests.")
    credential_id, qualifier = credential
    return CredentialAuthorization(
        kind, credential_id, oid, tuple(digests), credential_label, locations, signature_qualifier=qualifier
    )


def _read_digest(item: Any) -> DocumentDigest:
    if not isinstance(item, dict):
        raise InvalidAuthorizationDetailsError("documentDigests must hold objects.")
    _known(item, "hash", "label", "hashType")
    encoded = item.get("hash")
    try:
        if not isinstance(encoded, str):
            raise ValueError  # noqa: TRY004, TRY301  (one answer for every malformed hash)
        digest = base64.b64decode(encoded, validate=True)
        if base64.b64encode(digest).decode() != encoded:
            raise ValueError  # noqa: TRY301
    except (ValueError, binascii.Error):
        raise InvalidAuthorizationDetailsError("A hash is not base64.") from None
    asked = item.get("hashType")
    if asked is None:
        return DocumentDigest("dtbsr", digest, _label(item.get("label", "")))
    if not isinstance(asked, str) or asked.lower() not in HASH_TYPES:
        raise InvalidAuthorizationDetailsError("hashType must be dtbsr or sdr.")
    return DocumentDigest(asked.lower(), digest, _label(item.get("label", "")), asked)


def _read_creation(entry: dict[str, Any]) -> CredentialCreation:
    _known(entry, "type", "certificatePolicy", "keyAlgorithm", "subject")
    policy = _identifier(entry.get("certificatePolicy"), "certificatePolicy")
    algorithm = entry.get("keyAlgorithm")
    if algorithm not in KEY_ALGORITHMS:
        raise InvalidAuthorizationDetailsError("keyAlgorithm is not one of this server's.")
    details = CredentialCreation(policy, algorithm)
    subject = entry.get("subject")
    if subject is None:
        return details
    return details.with_subject(
        common_name=subject["commonName"],
        email=subject["email"],
        email_verified=subject.get("emailVerified", False),
    )


def _read_deletion(entry: dict[str, Any]) -> CredentialDeletion:
    _known(entry, "type", "credentialID", "revoke", "revocationReason")
    credential_id = _identifier(entry.get("credentialID"), "credentialID")
    is_revoked, reason = entry.get("revoke", False), entry.get("revocationReason")
    if not isinstance(is_revoked, bool):
        raise InvalidAuthorizationDetailsError("revoke must be true or false.")
    if reason is not None and (not is_revoked or reason not in REVOCATION_REASONS):
        raise InvalidAuthorizationDetailsError("revocationReason goes with revoke and is one of this server's.")
    return CredentialDeletion(credential_id, (reason or REVOCATION_REASONS[0]) if is_revoked else "")


def _read_binding(entry: dict[str, Any]) -> PasskeyBinding:
    _known(entry, "type", "credentialID", "action", "credentialLabel", "passkey")
    if entry.get("action") not in BINDING_ACTIONS:
        raise InvalidAuthorizationDetailsError("action must be bind or unbind.")
    credential_id = _identifier(entry.get("credentialID"), "credentialID")
    details = PasskeyBinding(credential_id, entry["action"], _label(entry.get("credentialLabel", "")))
    chosen = entry.get("passkey")
    if chosen is None:
        return details
    return details.with_passkey(id=_decode_base64url(chosen["id"]), public_key=_decode_base64url(chosen["publicKey"]))


def _write_binding(details: PasskeyBinding) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": BINDING_TYPE,
        "credentialID": details.credential_id,
        "action": details.action,
    }
    if details.credential_label:
        entry["credentialLabel"] = details.credential_label
    if details.passkey is not None:
        named = details.passkey
        entry["passkey"] = {"id": _base64url(named.id), "publicKey": _base64url(named.public_key)}
    return entry


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _decode_base64url(value: str) -> bytes:
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


def _label(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_LABEL or not _is_text(value):
        raise InvalidAuthorizationDetailsError(f"A label must be text of at most {MAX_LABEL} characters.")
    return value


def _identifier(value: Any, name: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_IDENTIFIER or not value.isprintable():
        raise InvalidAuthorizationDetailsError(f"{name} is missing or malformed.")
    return value


def _is_text(value: str) -> bool:
    """Whether it can be encoded and kept: JSON lets halves of surrogate pairs and NUL through."""
    return not any(char == "\0" or 0xD800 <= ord(char) <= 0xDFFF for char in value)


def _count_parameter(value: str | None) -> int | None:
    if value is None:
        return None
    if not (value.isascii() and value.isdigit()) or len(value) > 4:
        raise InvalidAuthorizationDetailsError("numSignatures must be a whole number.")
    return int(value)


def _decode_either_alphabet(value: str) -> bytes:
    """base64url or standard base64, padded or not: clients send all four."""
    standard = value.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        digest = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (ValueError, binascii.Error):
        raise InvalidAuthorizationDetailsError("A hash is not base64url.") from None
    if base64.b64encode(digest).decode().rstrip("=") != standard:
        raise InvalidAuthorizationDetailsError("A hash is not base64url.")
    return digest


def _oid_by_length(digests: list[bytes]) -> str | None:
    """Version 1 of the API names no hash algorithm: the length tells which of the three it is."""
    return {length: oid for oid, length in DIGEST_BYTES.items()}.get(len(digests[0])) if digests else None

"""The spellings of the wire: what leaves this role in JSON, and base64url."""

import base64
import binascii
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from authz.errors import InvalidRequestError, MalformedAuthenticationError

REQUEST_URI_PREFIX = "urn:ietf:params:oauth:request_uri:"
CLIENT_CREDENTIALS = "client_credentials"
APPROVALS = ("credential", "credential-creation", "credential-deletion", "passkey-binding")
# ``cnf`` (RFC 7800): ``jkt`` (RFC 9449, section 6) or ``x5t#S256`` (RFC 8705, section 3.1), or None of what is unbound.
Confirmation = dict[str, str] | None

# What the FAPI 2.0 security profile allows (5.4.1), with the longer curve and hash of the same kinds.
SIGNING_ALGORITHMS = ("ES256", "ES384", "PS256", "PS384", "EdDSA", "Ed25519")

# Where what is known of a caller is kept beside its request; no header of a client gets these names.
CLIENT = "paraph.client"
CONFIRMATION = "paraph.confirmation"

CIBA = "urn:openid:params:grant-type:ciba"


def encode_base64url(value: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def parse_base64url(value: str) -> bytes:
    """base64url without padding; raises `ValueError` for anything else."""
    try:
        decoded = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("not base64url") from None
    if encode_base64url(decoded) != value:
        raise ValueError("not base64url")
    return decoded


def write_acr(amr: Sequence[str]) -> str:
    """The level of assurance that methods (RFC 8176) come to: ``aal2`` for several factors, ``aal1`` for one."""
    return "aal2" if "mfa" in amr else "aal1"


def write_token_type(confirmation: Confirmation) -> str:
    """RFC 9449, section 5; what is bound to a certificate is presented as a bearer token (RFC 8705, section 3)."""
    return "DPoP" if "jkt" in (confirmation or {}) else "Bearer"


def write_introspection(
    *,
    issuer: str,
    client_id: str,
    sub: str | None,
    amr: Sequence[str],
    scope: str,
    audience: Sequence[str],
    issued_at: int,
    expires_at: int,
    authorization_details: list[dict[str, Any]] | None,
    approval: dict[str, Any] | None,
    confirmation: Confirmation = None,
    username: str = "",
) -> dict[str, Any]:
    """A live token's introspection answer (RFC 7662, section 2.2; docs/protocols.md, section 3). ``username`` is said
    of operators alone, whose acts bear it.

    ``sub`` is None where no person is behind the token: the client is its own subject then, and ``gty`` says so.
    """
    answer: dict[str, Any] = {
        "active": True,
        "iss": issuer,
        "client_id": client_id,
        "sub": client_id if sub is None else sub,
        "scope": scope,
        "token_type": write_token_type(confirmation),
        "aud": list(audience),
        "iat": issued_at,
        "exp": expires_at,
    }
    if confirmation is not None:
        answer["cnf"] = confirmation
    if username:
        answer["username"] = username
    if sub is None:
        answer["gty"] = CLIENT_CREDENTIALS
    if amr:
        answer |= {"amr": list(amr), "acr": write_acr(amr)}
    if authorization_details is not None:
        answer["authorization_details"] = authorization_details
    if approval is not None:
        answer["paraph_approval"] = approval
    return answer


def write_approval(
    *,
    kind: str,
    nonce: bytes,
    rp_id: str,
    origin: str,
    expires_at: int,
    passkey_id: bytes,
    passkey_public_key: bytes | None,
    authenticator_data: bytes,
    client_data_json: bytes,
    signature: bytes,
) -> dict[str, Any]:
    """``paraph_approval``, layout version 1 (docs/protocols.md, section 5)."""
    passkey = {"id": encode_base64url(passkey_id)}
    if passkey_public_key is not None:
        passkey["public_key"] = encode_base64url(passkey_public_key)
    return {
        "version": 1,
        "kind": kind,
        "nonce": encode_base64url(nonce),
        "rp_id": rp_id,
        "origin": origin,
        "expires_at": expires_at,
        "passkey": passkey,
        "assertion": {
            "authenticator_data": encode_base64url(authenticator_data),
            "client_data_json": encode_base64url(client_data_json),
            "signature": encode_base64url(signature),
        },
    }


def write_metadata(issuer: str, languages: Sequence[str]) -> dict[str, Any]:
    """Authorization server metadata (RFC 8414, section 2; RFC 9126, 9207, 9396); ``languages`` are the pages'."""
    endpoint = f"{issuer}/oauth2/"
    authentication = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{endpoint}authorize",
        "pushed_authorization_request_endpoint": f"{endpoint}pushed_authorize",
        "token_endpoint": f"{endpoint}token",
        "introspection_endpoint": f"{endpoint}introspect",
        "revocation_endpoint": f"{endpoint}revoke",
        "jwks_uri": f"{endpoint}jwks",
        "scopes_supported": ["openid", "email", "profile", "service", *APPROVALS, "operator"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", CLIENT_CREDENTIALS, CIBA],
        "backchannel_authentication_endpoint": f"{endpoint}bc-authorize",
        "backchannel_token_delivery_modes_supported": ["poll"],
        "backchannel_user_code_parameter_supported": False,
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": [*authentication, "none"],
        "introspection_endpoint_auth_methods_supported": authentication,
        "revocation_endpoint_auth_methods_supported": [*authentication, "none"],
        "authorization_details_types_supported": [
            "service",
            "credential",
            "https://cloudsignatureconsortium.org/2025/credential",
            "credential-creation",
            "credential-deletion",
            "passkey-binding",
        ],
        "token_endpoint_auth_signing_alg_values_supported": [*SIGNING_ALGORITHMS, "RS256"],
        "introspection_endpoint_auth_signing_alg_values_supported": [*SIGNING_ALGORITHMS, "RS256"],
        "revocation_endpoint_auth_signing_alg_values_supported": [*SIGNING_ALGORITHMS, "RS256"],
        "dpop_signing_alg_values_supported": list(SIGNING_ALGORITHMS),
        "authorization_response_iss_parameter_supported": True,
        "require_pushed_authorization_requests": False,
        "ui_locales_supported": list(languages),
    }


def write_provider_metadata(issuer: str, languages: Sequence[str]) -> dict[str, Any]:
    """OpenID provider metadata (OpenID Connect Discovery 1.0, section 3)."""
    return write_metadata(issuer, languages) | {
        "userinfo_endpoint": f"{issuer}/oauth2/userinfo",
        "end_session_endpoint": f"{issuer}/oauth2/logout",
        "frontchannel_logout_supported": True,
        "frontchannel_logout_session_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "subject_types_supported": ["public"],
        "acr_values_supported": ["aal1", "aal2"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        "claims_supported": [
            *("sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid"),
            *("email", "email_verified", "name"),
        ],
        "prompt_values_supported": ["none", "login", "consent", "create"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": True,
        "require_request_uri_registration": False,
    }


# --- auth/login and auth/revoke of the CSC API ----------------------------------------------------------------

MALFORMED = (
    "The request is missing a required parameter, includes an invalid parameter value, includes a parameter more than "
    "once, or is otherwise malformed."
)
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_LONGEST_TOKEN = 4096


@dataclass(frozen=True)
class LoginRequest:
    """``auth/login``; without ``refresh_token`` name and password are in the header."""

    refresh_token: str | None
    is_remembered: bool


def parse_csc_object(raw: bytes) -> dict[str, Any]:
    """One JSON object in UTF-8 with no member twice, and only numbers and strings that can be kept (RFC 7493); raises
    `InvalidRequestError`."""
    try:
        body = json.loads(
            raw.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite_float
        )
        _refuse_odd_strings(body)
    except (ValueError, RecursionError):
        raise InvalidRequestError(MALFORMED) from None
    if not isinstance(body, dict):
        raise InvalidRequestError(MALFORMED)
    return body


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a member stands twice")
    return dict(pairs)


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _refuse_odd_strings(body: Any) -> None:
    """NUL, which not every database keeps, and halves of surrogate pairs, which have no UTF-8."""
    waiting = [body]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str) and any(char == "\0" or "\ud800" <= char <= "\udfff" for char in value):
            raise ValueError("a string holds a character that cannot be kept")


def parse_login_request(body: dict[str, Any]) -> LoginRequest:
    """CSC API, 11.2; raises `InvalidRequestError`."""
    refresh_token, is_remembered = body.get("refresh_token"), body.get("rememberMe", False)
    if refresh_token is not None and not _is_token(refresh_token):
        raise InvalidRequestError("Invalid string parameter: refresh_token")
    if not isinstance(is_remembered, bool):
        raise InvalidRequestError("Invalid parameter rememberMe")
    _refuse_odd_client_data(body)
    return LoginRequest(refresh_token, is_remembered)


def parse_revoke_request(body: dict[str, Any]) -> str:
    """The token (CSC API, 11.3). A hint must be one of the two, and is none to us: both kinds are looked for."""
    token = body.get("token")
    if not isinstance(token, str) or not token:
        raise InvalidRequestError("Missing (or invalid type) string parameter token")
    if body.get("token_type_hint", "access_token") not in ("access_token", "refresh_token"):
        raise InvalidRequestError("Invalid string parameter token_type_hint")
    _refuse_odd_client_data(body)
    if not _is_token(token):
        raise InvalidRequestError("Invalid string parameter token")
    return token


def _refuse_odd_client_data(body: dict[str, Any]) -> None:
    if not isinstance(body.get("clientData", ""), str):
        raise InvalidRequestError("Invalid parameter clientData")


def _is_token(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_TOKEN and _TOKEN.fullmatch(value) is not None


def parse_basic(authorization: str | None) -> tuple[str, str]:
    """User and password of a Basic header (RFC 7617: UTF-8, the password may hold colons).

    Raises `MalformedAuthenticationError` or `InvalidRequestError`.
    """
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        raise MalformedAuthenticationError("Malformed authentication parameter.")
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        user, colon, password = "", "", ""
    if not colon or not user or "\0" in user + password:
        raise InvalidRequestError("Malformed username-password.")
    return user, password


def parse_bearer(authorization: str | None) -> str | None:
    """The token of a Bearer header (RFC 6750, section 2.1), or None for any other."""
    scheme, _, token = (authorization or "").partition(" ")
    token = token.strip(" ")
    return token if scheme.lower() == "bearer" and _is_token(token) else None


@dataclass(frozen=True)
class OfferedCredential:
    """A credential as its owner chooses it. ``hash_algorithm_oids`` are those that its key is for, or None for any;
    ``is_short_lived``: a certificate is made for each signature."""

    credential_id: str
    label: str
    subject: str
    valid_to: str
    signature_qualifier: str
    is_usable: bool
    most_signatures: int
    hash_algorithm_oids: frozenset[str] | None
    is_short_lived: bool


# What ECDSA keys are offered with, each for one hash (RFC 5758); an RSA key's algorithms leave it open.
_HASH_OF_ECDSA = {
    "1.2.840.10045.4.3.2": "2.16.840.1.101.3.4.2.1",
    "1.2.840.10045.4.3.3": "2.16.840.1.101.3.4.2.2",
    "1.2.840.10045.4.3.4": "2.16.840.1.101.3.4.2.3",
}


def parse_credentials(body: Any) -> list[OfferedCredential]:
    """From the answer of ``credentials/list``; what cannot be read, or is opened otherwise than here, is left out."""
    infos = body.get("credentialInfos") if isinstance(body, dict) else None
    found = (parse_credential(info) for info in (infos if isinstance(infos, list) else []))
    return [credential for credential in found if credential is not None]


def parse_credential(info: Any) -> OfferedCredential | None:
    """From ``credentials/info`` with its identifier; None for one that no approval of this server's opens."""
    try:
        if info["auth"]["mode"] != "oauth2code" or info.get("SCAL") != "2":
            return None
        cert, key = info["cert"], info["key"]
        hashes = [_HASH_OF_ECDSA.get(oid) for oid in key["algo"]]
        return OfferedCredential(
            credential_id=_string(info["credentialID"]),
            label=_string(info.get("description", "")),
            subject=_string(cert.get("subjectDN", "")),
            valid_to=_string(cert.get("validTo", "")),
            signature_qualifier=_string(info.get("signatureQualifier", "")),
            is_usable=key["status"] == "enabled",
            most_signatures=int(info["multisign"]),
            hash_algorithm_oids=None if None in hashes else frozenset(filter(None, hashes)),
            is_short_lived=isinstance(info.get("shortLived"), dict),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value

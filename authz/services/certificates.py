"""The TLS certificate of a client, where the proxy hands it over (RFC 8705)."""

import base64
import binascii
import secrets
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from authz.errors import InvalidClientError, InvalidRequestError
from authz.models import Application, Authentication
from authz.services.client_assertions import read_key_set
from authz.services.signed_tokens import BadTokenError, import_public_key
from authz.wire import encode_base64url

_LONGEST = 16 * 1024


def read_certificate(*, header: str) -> x509.Certificate | None:
    """From what the proxy sends: a PEM certificate, URL-encoded or not, or the DER in base64 between colons (RFC 9440).

    None where the client showed none. Raises `InvalidRequestError` for what cannot be read.
    """
    text = unquote(header).strip()
    if not text:
        return None
    if len(text) > _LONGEST:
        raise InvalidRequestError("The TLS certificate cannot be read.")
    try:
        if text.startswith("-----BEGIN CERTIFICATE-----"):
            # Headers have no line ends; a proxy may have left blanks for them.
            body = text.removeprefix("-----BEGIN CERTIFICATE-----").partition("-----END")[0]
            return x509.load_der_x509_certificate(base64.b64decode("".join(body.split()), validate=True))
        return x509.load_der_x509_certificate(base64.b64decode(text.strip(":"), validate=True))
    except (ValueError, binascii.Error):
        raise InvalidRequestError("The TLS certificate cannot be read.") from None


def compute_thumbprint(certificate: x509.Certificate) -> str:
    """``x5t#S256`` (RFC 8705, section 3.1)."""
    return encode_base64url(sha256(certificate.public_bytes(Encoding.DER)).digest())


def authenticate_by_certificate(*, client_id: str, certificate: x509.Certificate) -> Application:
    """The client that registered this certificate's key (RFC 8705, section 2.2); raises `InvalidClientError`."""
    rows = Application.objects.filter(client_id=client_id, client_type=Application.CLIENT_CONFIDENTIAL)
    application: Application | None = next(iter(rows.filter(authentication=Authentication.TLS)), None)
    shown = _spki(certificate)
    if application is None or not any(
        secrets.compare_digest(shown, registered) for registered in _registered(application)
    ):
        raise InvalidClientError("Client authentication failed.")
    return application


def _registered(application: Application) -> list[bytes]:
    found = []
    for jwk in read_key_set(application.jwks):
        try:
            key: Any = import_public_key(jwk).public_key
        except BadTokenError:
            continue
        found.append(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return found


def _spki(certificate: x509.Certificate) -> bytes:
    try:
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except ValueError:
        raise InvalidClientError("Client authentication failed.") from None

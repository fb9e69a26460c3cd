"""A passkey authenticator in software: what a phone or security key does, on cbor2 and cryptography.

    >>> key = Authenticator(rp_id="localhost", origin="http://localhost:8000")
    >>> made = key.create(options)       # PublicKeyCredentialCreationOptions as JSON, gives RegistrationResponseJSON
    >>> answer = key.get(options)        # PublicKeyCredentialRequestOptions as JSON, gives AuthenticationResponseJSON

Every deviation that an attack needs is a keyword of `create`, `get` or `sign`.
"""

import base64
import json
import os
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40


def b64(value: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def unb64(value: str) -> bytes:
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


@dataclass(frozen=True)
class Assertion:
    """The three byte strings of an answer to a challenge."""

    authenticator_data: bytes
    client_data_json: bytes
    signature: bytes


@dataclass
class Authenticator:
    """One ES256 credential. ``sign_count`` rises with each use unless ``counts`` is False (a synchronised passkey)."""

    rp_id: str
    origin: str
    counts: bool = False
    user_handle: bytes = b""
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))
    private_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    sign_count: int = 0

    @property
    def public_key(self) -> bytes:
        """The COSE key (RFC 9053, section 7.1)."""
        numbers = self.private_key.public_key().public_numbers()
        return cbor2.dumps(
            {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}, canonical=True
        )

    def sign(
        self,
        challenge: bytes,
        *,
        flags: int = UP | UV,
        origin: str | None = None,
        rp_id: str | None = None,
        type_: str = "webauthn.get",
        sign_count: int | None = None,
        extra_client_data: dict[str, Any] | None = None,
        extra_authenticator_data: bytes = b"",
    ) -> Assertion:
        """An assertion over ``challenge``."""
        if self.counts:
            self.sign_count += 1
        count = self.sign_count if sign_count is None else sign_count
        authenticator_data = self._authenticator_data(rp_id, flags, count) + extra_authenticator_data
        client_data_json = self._client_data(type_, challenge, origin, extra_client_data)
        signed = authenticator_data + sha256(client_data_json).digest()
        return Assertion(authenticator_data, client_data_json, self.private_key.sign(signed, ec.ECDSA(hashes.SHA256())))

    def get(self, options: dict[str, Any], **deviations: Any) -> dict[str, Any]:
        """What ``navigator.credentials.get`` answers, as ``toJSON`` gives it."""
        assertion = self.sign(unb64(options["challenge"]), **deviations)
        return self.write_assertion(assertion)

    def write_assertion(self, assertion: Assertion) -> dict[str, Any]:
        return self._credential(
            {
                "authenticatorData": b64(assertion.authenticator_data),
                "clientDataJSON": b64(assertion.client_data_json),
                "signature": b64(assertion.signature),
                "userHandle": b64(self.user_handle),
            }
        )

    def create(
        self, options: dict[str, Any], *, flags: int = UP | UV, origin: str | None = None, **client_data: Any
    ) -> dict[str, Any]:
        """What ``navigator.credentials.create`` answers, with attestation ``none``."""
        self.user_handle = unb64(options["user"]["id"])
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + self.public_key
        data = self._authenticator_data(None, flags | AT, self.sign_count) + attested
        return self._credential(
            {
                "attestationObject": b64(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})),
                "clientDataJSON": b64(
                    self._client_data("webauthn.create", unb64(options["challenge"]), origin, client_data)
                ),
                "transports": ["internal"],
            }
        )

    def export(self) -> dict[str, Any]:
        """The form that Chromium's ``WebAuthn.addCredential`` takes (plain base64 there)."""
        der = self.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return {
            "credentialId": base64.b64encode(self.credential_id).decode(),
            "isResidentCredential": True,
            "rpId": self.rp_id,
            "privateKey": base64.b64encode(der).decode(),
            "userHandle": base64.b64encode(self.user_handle).decode(),
            "signCount": self.sign_count,
        }

    def _authenticator_data(self, rp_id: str | None, flags: int, count: int) -> bytes:
        return sha256((rp_id or self.rp_id).encode()).digest() + bytes([flags]) + count.to_bytes(4, "big")

    def _client_data(self, type_: str, challenge: bytes, origin: str | None, extra: dict[str, Any] | None) -> bytes:
        data = {"type": type_, "challenge": b64(challenge), "origin": origin or self.origin, "crossOrigin": False}
        return json.dumps(data | (extra or {}), separators=(",", ":")).encode()

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": b64(self.credential_id),
            "rawId": b64(self.credential_id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        }

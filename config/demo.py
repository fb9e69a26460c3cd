"""Demonstration people with passkeys in software. Development only: these keys lie in a file.

A passkey here is what `navigator.credentials` would use, with a private key that can be told, so that an automated
browser's virtual authenticator can hold it too.
"""

import base64
import json
import os
import secrets
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from config.env import kept_secret

# Web Authentication, 6.1: user present, user verified.
_PRESENT_AND_VERIFIED = bytes([0x01 | 0x04])


@dataclass(frozen=True)
class DemoPerson:
    """Somebody to try things with; ``keys`` are the key algorithms of the credentials that their passkey opens,
    ``pin_keys`` of those that a PIN does."""

    handle: str
    name: str
    keys: tuple[str, ...] = ()
    pin_keys: tuple[str, ...] = ()
    is_operator: bool = False

    @property
    def email(self) -> str:
        return f"{self.handle}@example.org"


PEOPLE = (
    DemoPerson("alice", "Alice Example", keys=("rsa-2048", "ec-p256"), pin_keys=("rsa-2048", "ec-p256")),
    DemoPerson("bob", "Bob Example", keys=("ec-p256",)),
    DemoPerson("operator", "Demo Operator", is_operator=True),
)


@dataclass(frozen=True)
class SoftwarePasskey:
    """One ES256 passkey (Web Authentication, 6.3.3) without a device around it."""

    credential_id: bytes
    private_key: ec.EllipticCurvePrivateKey

    def sign(self, *, challenge: bytes, rp_id: str, origin: str) -> tuple[bytes, bytes, bytes]:
        """Authenticator data, client data and signature over ``challenge``."""
        client_data = {
            "type": "webauthn.get",
            "challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "origin": origin,
            "crossOrigin": False,
        }
        written = json.dumps(client_data, separators=(",", ":")).encode()
        authenticator_data = sha256(rp_id.encode()).digest() + _PRESENT_AND_VERIFIED + bytes(4)
        signed = authenticator_data + sha256(written).digest()
        return authenticator_data, written, self.private_key.sign(signed, ec.ECDSA(hashes.SHA256()))

    def export(self, *, rp_id: str, user_handle: bytes, sign_count: int) -> dict[str, Any]:
        """The form that Chromium's ``WebAuthn.addCredential`` takes. ``sign_count`` is where its counter goes on."""
        return {
            "credentialId": base64.b64encode(self.credential_id).decode(),
            "isResidentCredential": True,
            "rpId": rp_id,
            "privateKey": base64.b64encode(_private_bytes(self.private_key)).decode(),
            "userHandle": base64.b64encode(user_handle).decode(),
            "signCount": sign_count,
        }


@dataclass(frozen=True)
class DemoSecrets:
    """What a demo person knows and has."""

    password: str
    passkey: SoftwarePasskey


def _private_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _make_secrets() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return json.dumps(
        {
            "password": secrets.token_urlsafe(12),
            "passkey_id": os.urandom(32).hex(),
            "private_key": _private_bytes(key).hex(),
        }
    )


def read_demo_secrets(*, person: DemoPerson, folder: Path) -> DemoSecrets:
    """Made once for each person and kept below ``folder``, for its owner's eyes."""
    kept = json.loads(kept_secret(folder / f"demo_{person.handle}", _make_secrets))
    key = load_der_private_key(bytes.fromhex(kept["private_key"]), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("a demo passkey is an ES256 key")
    return DemoSecrets(kept["password"], SoftwarePasskey(bytes.fromhex(kept["passkey_id"]), key))


def read_demo_pin(*, person: DemoPerson, folder: Path) -> str | None:
    """Of a person with credentials in explicit mode; made and kept as the rest is."""
    return kept_secret(folder / f"demo_{person.handle}_pin", _make_pin) if person.pin_keys else None


def _make_pin() -> str:
    """Eight different digits that are no sequence."""
    digits = list("0123456789")
    while True:
        secrets.SystemRandom().shuffle(digits)
        if len({int(right) - int(left) for left, right in pairwise(digits[:8])}) > 1:
            return "".join(digits[:8])

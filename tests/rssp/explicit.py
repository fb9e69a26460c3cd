"""Explicit credentials for tests, with everything that their signer knows, has and reads."""

import base64
import os
import re
import time
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.core import mail

from rssp.models import AuthenticationObject, Credential
from rssp.services.explicit import NewObject, add_objects, verify_objects
from tests.rssp.conftest import Signer

PIN, WRONG_PIN = "739164", "739165"
DEVICE = os.urandom(20)
ADDRESS = "alice@example.org"
HASHES = {1: "hash", 2: "hashes"}
OBJECTS = {
    "PIN": NewObject("PIN", "pin", PIN),
    "TOTP": NewObject("TOTP", "totp", base64.b32encode(DEVICE).decode()),
    "MAIL": NewObject("MAIL", "email", ADDRESS),
    "OCRA": NewObject("OCRA", "ocra", base64.b32encode(DEVICE).decode()),
    "KEY": NewObject("KEY", "passkey"),
}


def make_explicit(
    signer: Signer, *names: str, expression: str = "", scal: str = "2", mode: str = "explicit", **members: Any
) -> Credential:
    """The signer's newest credential, opened by these objects from now on."""
    objects = [OBJECTS[name] for name in names]
    credential = signer.credential
    written = verify_objects(objects=objects, expression=expression)
    signer.change(auth_mode=mode, scal=scal, auth_expression=written, **members)
    add_objects(credential=credential, objects=objects)
    return credential


def factor(credential: Credential, name: str) -> AuthenticationObject:
    return credential.authentication_objects.get(identifier=name)


def show_totp(*, steps: int = 0) -> str:
    """What the signer's authenticator shows, or will show so many steps later."""
    totp = TOTP(DEVICE, 6, SHA1(), 30)  # noqa: S303  (RFC 6238)
    return totp.generate(int(time.time()) + 30 * steps).decode()


def read_mail() -> str:
    """The one-time password of the last mail."""
    last = mail.outbox[-1]
    assert last.to == [ADDRESS]
    found = re.search(r"(?m)^\d{6}\b", str(last.body))
    assert found is not None, last.body
    return found[0]


def authorize_body(signer: Signer, *digests: bytes, version: int, **members: Any) -> dict[str, Any]:
    body = {
        "credentialID": signer.credential.credential_id,
        "numSignatures": max(1, len(digests)),
        HASHES[version]: [base64.b64encode(item).decode() for item in digests] or None,
    }
    return {name: value for name, value in (body | members).items() if value is not None}


def data(**values: str | None) -> list[dict[str, str]]:
    """``authData``."""
    return [{"id": name} | ({} if value is None else {"value": value}) for name, value in values.items()]

"""Alice has a credential whose key lies in a SoftHSM token; Bob has another; Mallory attacks."""

import base64
import hashlib
import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_public_key
from django.conf import settings as django_settings
from django.test import Client

from rssp.algorithms import SigningOperation
from rssp.hsm.softhsm import ensure_token
from rssp.models import Certificate, Credential, PasskeyBinding
from rssp.services.hsm import get_hsm
from tests.rssp import remote as remote_side
from tests.support.authenticator import Authenticator
from tests.support.authority import Authority, _name

ALIAS = "rssp" if "rssp" in django_settings.DATABASES else "default"
RSA_SHA256, ECDSA_SHA256 = "1.2.840.113549.1.1.11", "1.2.840.10045.4.3.2"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("django_db") is None:
            item.add_marker(pytest.mark.django_db(databases=[ALIAS, "default"]))


@pytest.fixture(scope="session")
def token() -> None:
    """The SoftHSM token of this run."""
    directory = django_settings.SOFTHSM2_DIR
    directory.mkdir(parents=True, exist_ok=True)
    ensure_token(
        directory=directory,
        configuration=directory / "softhsm2.conf",
        label=django_settings.PKCS11_TOKEN_LABEL,
        pin=django_settings.PKCS11_PIN,
        module=django_settings.PKCS11_MODULE,
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, token: None) -> list[bytes]:
    """The digests that the HSM was asked to sign, in order. The real signer works on."""
    seen: list[bytes] = []
    from rssp.hsm import pkcs11

    real = pkcs11._KeyOnLoan.sign_digest

    def sign_digest(self: Any, *, operation: SigningOperation, digest: bytes) -> bytes:
        seen.append(digest)
        return real(self, operation=operation, digest=digest)

    monkeypatch.setattr(pkcs11._KeyOnLoan, "sign_digest", sign_digest)
    return seen


@pytest.fixture
def remote(settings: Any, monkeypatch: pytest.MonkeyPatch) -> remote_side.Remote:
    settings.CLIENT_TRANSPORT = "tests.rssp.remote.transport_for"
    fresh = remote_side.Remote()
    monkeypatch.setattr(remote_side, "current", fresh)
    return fresh


@dataclass
class Signer:
    """Somebody with a passkey and a credential, and what a client does with their tokens."""

    remote: remote_side.Remote
    subject: str = field(default_factory=lambda: str(uuid.uuid4()))
    key: Authenticator = field(
        default_factory=lambda: Authenticator(
            rp_id=django_settings.APPROVAL_RP_ID, origin=django_settings.APPROVAL_ORIGIN
        )
    )
    credential: Credential = field(init=False)

    def own_credential(self, key_algorithm: str = "ec-p256") -> Credential:
        key_id = uuid.uuid4().bytes
        public_key = get_hsm().generate_key(key_id=key_id, label="test", key_algorithm=key_algorithm)
        self.credential = Credential.objects.create(
            credential_id=str(uuid.uuid4()),
            issuer=django_settings.ISSUER,
            subject=self.subject,
            key_algorithm=key_algorithm,
            hsm_key_id=key_id,
            public_key=public_key,
            certificate=_certify(public_key),
            certificate_policy="demonstration",
            description="A certificate",
        )
        PasskeyBinding.objects.create(
            credential=self.credential, passkey_id=self.key.credential_id, public_key=self.key.public_key
        )
        return self.credential

    def log_in(self, **members: Any) -> str:
        return self.remote.grant(self.subject, "openid service", **members)

    def approve(self, *digests: bytes, **changes: Any) -> str:
        credential_id = changes.pop("credential_id", self.credential.credential_id)
        key = changes.pop("key", self.key)
        return remote_side.approve_signing(self.remote, key, self.subject, credential_id, list(digests), **changes)

    def sign(self, bearer: str, *digests: bytes, version: int = 2, **members: Any) -> Any:
        body = {
            "credentialID": self.credential.credential_id,
            {1: "hash", 2: "hashes"}[version]: [base64.b64encode(item).decode() for item in digests],
            "signAlgo": ECDSA_SHA256 if self.credential.key_algorithm.startswith("ec") else RSA_SHA256,
        }
        body = {name: value for name, value in (body | members).items() if value is not None}
        return call("signatures/signHash", body, bearer, version=version)


def call(method: str, body: Any, bearer: str | None = None, *, version: int = 2) -> Any:
    headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
    raw = body if isinstance(body, bytes) else json.dumps(body)
    return Client(enforce_csrf_checks=True).post(f"/csc/v{version}/{method}", raw, "application/json", headers=headers)


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _certify(public_key: bytes) -> Certificate:
    authority = Authority()
    der = authority._build(_name("Alice Example"), load_der_public_key(public_key), authority=False, days=365)
    now = datetime.now(UTC)
    common = {"state": "issued", "not_before": now - timedelta(days=30), "not_after": now + timedelta(days=300)}
    root = Certificate.objects.create(
        role="signer",
        profile="test",
        serial_number=uuid.uuid4().hex,
        subject="CN=Test Root",
        der=authority.certificate,
        **common,
    )
    serial = x509.load_der_x509_certificate(der).serial_number
    return Certificate.objects.create(
        role="signer",
        profile="demonstration",
        serial_number=f"{serial:x}",
        subject="CN=Alice Example",
        der=der,
        issuer=root,
        **common,
    )


@pytest.fixture
def alice(remote: remote_side.Remote, token: None) -> Signer:
    signer = Signer(remote)
    signer.own_credential()
    return signer


@pytest.fixture
def bob(remote: remote_side.Remote, token: None) -> Signer:
    signer = Signer(remote)
    signer.own_credential()
    return signer

"""Alice has a credential whose key lies in a SoftHSM token; Bob has another; Mallory attacks."""

import base64
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db.backends.sqlite3.operations import DatabaseOperations
from django.test import Client

from rssp.hsm.pkcs11 import Pkcs11Hsm
from rssp.hsm.softhsm import ensure_token
from rssp.models import Certificate, Credential, PasskeyBinding, SigningKey
from rssp.pki.subjects import UnverifiedPerson
from rssp.services import limiting, responding, timestamping
from rssp.services.authority import issue_certificate, prepare_authority
from rssp.services.hsm import get_hsm
from rssp.services.keys import take_key
from rssp.services.macs import authenticate_binding, authenticate_credential
from tests.rssp import remote as remote_side
from tests.support.authenticator import Authenticator
from tests.support.provider import Provider, start_provider
from tests.support.softhsm import Token, count_c_sign, forget_calls, spy_on

ALIAS = "rssp" if "rssp" in django_settings.DATABASES else "default"
APPEND_ONLY = ["rssp_intent", "rssp_auditcheckpoint", "rssp_restoreepoch"]
RSA_SHA256, ECDSA_SHA256 = "1.2.840.113549.1.1.11", "1.2.840.10045.4.3.2"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("django_db") is None:
            item.add_marker(pytest.mark.django_db(databases=[ALIAS, "default"]))


@pytest.fixture(autouse=True, scope="session")
def _let_tests_empty_the_audit() -> Iterator[None]:
    """What Django does after a test with real transactions, the audit's triggers forbid: they step aside for it."""
    audit = import_module("rssp.migrations.0002_audit_append_only")
    others = import_module("rssp.migrations._append_only")
    real = DatabaseOperations.sql_flush

    def sql_flush(self: Any, style: Any, tables: Any, **options: Any) -> list[str]:
        statements: list[str] = real(self, style, tables, **options)
        if "rssp_auditevent" not in tables:
            return statements
        opened = [statement for table in APPEND_ONLY for statement in others.sqlite_reverse(table)]
        closed = [statement for table in APPEND_ONLY for statement in others.sqlite(table)]
        return [*audit.SQLITE_REVERSE, *opened, *statements, *audit.SQLITE, *closed]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", sql_flush)
        yield


@pytest.fixture(autouse=True)
def _forget_who_asked() -> None:
    for limit in (limiting.clients, limiting.addresses, responding._limit, timestamping._limit):
        limit.clear()


@pytest.fixture
def token(settings: Any, monkeypatch: pytest.MonkeyPatch, var_dir: Path) -> Iterator[Token]:
    """The SoftHSM token of this run behind the PKCS#11 spy. Other tests of this process may have had tokens of their
    own in the same library, so it is opened afresh."""
    directory = settings.SOFTHSM2_DIR
    monkeypatch.setenv("SOFTHSM2_CONF", str(directory / "softhsm2.conf"))
    if not directory.exists():
        directory.mkdir(parents=True)
        ensure_token(
            directory=directory,
            configuration=directory / "softhsm2.conf",
            label=settings.PKCS11_TOKEN_LABEL,
            pin=settings.PKCS11_PIN,
            module=settings.PKCS11_MODULE,
        )
    settings.PKCS11_MODULE = spy_on(var_dir / "pkcs11-spy.log")
    hsm = get_hsm()
    assert isinstance(hsm, Pkcs11Hsm)
    hsm._pool._start_afresh()
    yield Token(directory)
    if Path(os.environ["PKCS11SPY_OUTPUT"]).exists():
        forget_calls()


class Asked:
    """How often the HSM was asked to sign since the test's set-up, as the PKCS#11 spy saw it."""

    def __init__(self) -> None:
        self._before = count_c_sign()

    @property
    def count(self) -> int:
        return count_c_sign() - self._before


@pytest.fixture
def asked(token: Token) -> Asked:
    """To be named after the signers, whose certificates cost signatures too."""
    return Asked()


@pytest.fixture
def remote(settings: Any, monkeypatch: pytest.MonkeyPatch) -> remote_side.Remote:
    settings.CLIENT_TRANSPORT, settings.INTROSPECTION = "tests.rssp.remote.transport_for", ""
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
        have_authority()
        key = take_key(key_algorithm=key_algorithm)
        self.credential = Credential.objects.create(
            credential_id=str(uuid.uuid4()),
            issuer=django_settings.ISSUER,
            subject=self.subject,
            key=key,
            certificate=issue_certificate(
                certificate_policy="demonstration",
                subject=UnverifiedPerson(common_name="Alice Example", email="alice@example.org"),
                public_key=bytes(key.public_key),
            ),
            certificate_policy="demonstration",
            description="A certificate",
        )
        self.change()
        binding = PasskeyBinding(
            credential=self.credential, passkey_id=self.key.credential_id, public_key=self.key.public_key
        )
        authenticate_binding(binding)
        binding.save()
        return self.credential

    def change(self, **facts: Any) -> None:
        """Changes the credential as the service itself would."""
        for name, value in facts.items():
            setattr(self.credential, name, value)
        authenticate_credential(self.credential)
        self.credential.save()

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
            "signAlgo": ECDSA_SHA256 if self.credential.key.key_algorithm.startswith("ec") else RSA_SHA256,
        }
        body = {name: value for name, value in (body | members).items() if value is not None}
        return call("signatures/signHash", body, bearer, version=version)


def call(
    method: str, body: Any, bearer: str | None = None, *, version: int = 2, headers: dict[str, str] | None = None
) -> Any:
    headers = (headers or {}) | ({} if bearer is None else {"Authorization": f"Bearer {bearer}"})
    raw = body if isinstance(body, bytes) else json.dumps(body)
    return Client(enforce_csrf_checks=True).post(f"/csc/v{version}/{method}", raw, "application/json", headers=headers)


def is_key_there(key: SigningKey) -> bool:
    """Whether anybody could sign with it: its object is in the token, or what the token wrapped is kept."""
    key.refresh_from_db()
    if key.storage == SigningKey.Storage.RESIDENT:
        return bytes(key.key_id) in get_hsm().list_key_ids()
    return key.wrapped_key is not None


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


_authority: list[dict[str, Any]] = []


def have_authority() -> None:
    """Root and issuing authority with their keys in the run's token, made once and put into each test's database."""
    if Certificate.objects.filter(role="issuing").exists():
        return
    if not _authority:
        prepare_authority()
        _authority.extend(Certificate.objects.order_by("pk").values())
        return
    for row in _authority:
        Certificate.objects.create(**row)


@pytest.fixture
def alice(remote: remote_side.Remote, token: Token) -> Signer:
    signer = Signer(remote)
    signer.own_credential()
    return signer


@pytest.fixture
def bob(remote: remote_side.Remote, token: Token) -> Signer:
    signer = Signer(remote)
    signer.own_credential()
    return signer


LONG = "x" * 65
# Whom the OpenID provider that is not ours knows more of.
PEOPLE = {
    "alice-elsewhere": {
        "given_name": "Alice",
        "family_name": "Example",
        "birthdate": "1990-01-01",
        "address": {"country": "FR"},
    },
    "somebody": {"given_name": "Somebody", "family_name": "Else", "address": {"country": "FR"}},
    "long": {"given_name": "Alice", "family_name": "Example", "address": {"country": "FR"}, "national_id": LONG},
    "wordy": {"given_name": "Alice", "family_name": "Example", "address": {"country": "France"}},
    "longest": {"given_name": LONG * 4, "family_name": "Example", "address": {"country": "FR"}},
    "stateless": {"given_name": "Alice", "family_name": "Example"},
    "odd": {"given_name": ["Alice"], "family_name": 7, "address": "France"},
}


@pytest.fixture(scope="session")
def running() -> Iterator[Provider]:
    """npm's oidc-provider, as a process."""
    secret = str(django_settings.RSSP_CLIENT_SECRET)
    with start_provider(
        resource=django_settings.RSSP_RESOURCE,
        secret=secret,
        callback=django_settings.IDENTITY_REDIRECT_URI,
        people=PEOPLE,
    ) as provider:
        yield provider

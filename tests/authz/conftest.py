"""Alice signs, Bob is another signer, Mallory attacks. Every page and endpoint is used as a browser or client would."""

import base64
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.conf import settings as django_settings
from django.test import Client

from authz.models import User
from authz.services import accounts, oauth_clients, passkeys
from tests.support.authenticator import Authenticator, b64

PASSWORD = "correct horse battery staple"
SHA256_OID = "2.16.840.1.101.3.4.2.1"
GATEWAY = (django_settings.GATEWAY_CLIENT_ID, django_settings.GATEWAY_CLIENT_SECRET)
SIGNAPP = (django_settings.SIGNAPP_CLIENT_ID, django_settings.SIGNAPP_CLIENT_SECRET)
RSSP = (django_settings.RSSP_CLIENT_ID, django_settings.RSSP_CLIENT_SECRET)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("django_db") is None:
            item.add_marker(pytest.mark.django_db(databases=["default"]))


def basic(client: tuple[str, str]) -> dict[str, str]:
    """Client authentication by header."""
    encoded = base64.b64encode(f"{client[0]}:{client[1]}".encode()).decode()
    return {"Authorization": f"Basic {encoded}"}


def block(response: Any, name: str = "passkey-options") -> Any:
    """The JSON block of a page."""
    page = response.content.decode()
    match = re.search(rf'<script id="{name}" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert match, response.content.decode()[:2000]
    return json.loads(match[1])


def hidden(response: Any, name: str) -> str:
    match = re.search(rf'name="{name}" value="([^"]*)"', response.content.decode())
    assert match
    return match[1]


def query(location: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


@dataclass
class Pkce:
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        return b64(sha256(self.verifier.encode()).digest())


def digest(text: str) -> bytes:
    return sha256(text.encode()).digest()


def signing_details(*labels: str, **members: Any) -> list[dict[str, Any]]:
    """Authorization details for one document a label."""
    return [
        {
            "type": "credential",
            "credentialID": "credential-1",
            "hashAlgorithmOID": SHA256_OID,
            "documentDigests": [
                {"hash": base64.b64encode(digest(label)).decode(), "label": label, "hashType": "dtbsr"}
                for label in labels or ("Lease.pdf",)
            ],
        }
        | members
    ]


DELETION = [{"type": "credential-deletion", "credentialID": "credential-1", "revoke": False}]
CREATION = [{"type": "credential-creation", "certificatePolicy": "demonstration", "keyAlgorithm": "ec-p256"}]


BINDING = [{"type": "passkey-binding", "credentialID": "credential-1", "action": "bind"}]


class Person:
    """Somebody with a browser, a password and a passkey."""

    def __init__(self, name: str, *, counts: bool = False) -> None:
        self.browser = Client()
        self.email = f"{name.lower()}@example.org"
        self.name = f"{name} Example"
        self.key = Authenticator(
            rp_id=django_settings.WEBAUTHN_RP_ID, origin=django_settings.WEBAUTHN_ORIGIN, counts=counts
        )

    @property
    def user(self) -> User:
        return User.objects.get(email=self.email)

    def exist(self) -> "Person":
        """The account, as if signed up earlier."""
        user = accounts.create_user(email=self.email, name=self.name, password=PASSWORD)
        passkeys.import_passkey(
            user=user, credential_id=self.key.credential_id, public_key=self.key.public_key, name="Phone"
        )
        self.key.user_handle = user.sub.bytes
        return self

    def log_in(self, next_path: str = "/authz/passkeys", *, password: str = PASSWORD) -> Any:
        first = self.browser.post(
            f"/authz/login?{urlencode({'next': next_path})}", {"email": self.email, "password": password}
        )
        if first.status_code != 302:
            return first
        page = self.browser.get(first["Location"])
        answer = self.key.get(block(page)[0]["options"])
        return self.browser.post(first["Location"], {"response": json.dumps(answer)})

    def approve(self, location: str, *, password: str = PASSWORD, key: Authenticator | None = None, **how: Any) -> Any:
        """Opens the consent page and approves; ``how`` are the authenticator's deviations."""
        page = self.browser.get(location)
        assert page.status_code == 200, page.content
        answer = (key or self.key).get(block(page)[0]["options"], **how)
        form = {"password": password, "reference": hidden(page, "reference"), "response": json.dumps(answer)}
        return self.browser.post(location, form)


@pytest.fixture(autouse=True)
def clients() -> None:
    oauth_clients.sync_clients()


@pytest.fixture
def alice() -> Person:
    return Person("Alice").exist()


@pytest.fixture
def bob() -> Person:
    return Person("Bob").exist()


@pytest.fixture
def mallory() -> Person:
    return Person("Mallory").exist()


@dataclass
class Server:
    """The OAuth endpoints as a client sees them."""

    http: Client = field(default_factory=Client)

    def push(self, parameters: dict[str, Any], client: tuple[str, str] = GATEWAY) -> Any:
        return self.http.post("/authz/oauth2/pushed_authorize", parameters, headers=basic(client))

    def token(self, parameters: dict[str, Any], client: tuple[str, str] | None = GATEWAY) -> Any:
        headers = basic(client) if client else {}
        return self.http.post("/authz/oauth2/token", parameters, headers=headers)

    def redeem(self, code: str, pkce: Pkce, client: tuple[str, str] = GATEWAY, /, **changes: Any) -> Any:
        redirect = {
            GATEWAY: django_settings.APPROVAL_REDIRECT_URI,
            SIGNAPP: django_settings.LOGIN_REDIRECT_URI,
        }.get(client)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": pkce.verifier,
            "redirect_uri": redirect,
        }
        form = {name: value for name, value in (form | changes).items() if value is not None}
        return self.token(form, client)

    def introspect(self, token: str, client: tuple[str, str] = RSSP) -> dict[str, Any]:
        response = self.http.post("/authz/oauth2/introspect", {"token": token}, headers=basic(client))
        assert response.status_code == 200, response.content
        answer: dict[str, Any] = response.json()
        return answer


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def credential_request() -> Callable[..., dict[str, Any]]:
    """The parameters that gateway pushes."""

    def make(pkce: Pkce, details: list[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
        parameters = {
            "response_type": "code",
            "redirect_uri": django_settings.APPROVAL_REDIRECT_URI,
            "state": "state-1",
            "code_challenge": pkce.challenge,
            "code_challenge_method": "S256",
            "authorization_details": json.dumps(details or signing_details()),
        }
        return {name: value for name, value in (parameters | changes).items() if value is not None}

    return make


@dataclass
class Flow:
    """Asking for an approval as gateway does, up to its token."""

    server: Server
    make: Callable[..., dict[str, Any]]

    def open(self, person: Person, pkce: Pkce, details: list[dict[str, Any]] | None = None, **changes: Any) -> str:
        """Pushes, brings the browser, and returns the consent page's address."""
        pushed = self.server.push(self.make(pkce, details, **changes))
        assert pushed.status_code == 201, pushed.content
        arrived = person.browser.get(
            "/authz/oauth2/authorize",
            {"client_id": GATEWAY[0], "request_uri": pushed.json()["request_uri"]},
        )
        assert arrived.status_code == 302, arrived.content
        return str(arrived["Location"])

    def code(self, person: Person, pkce: Pkce, details: list[dict[str, Any]] | None = None) -> str:
        location = self.open(person, pkce, details)
        answer = person.approve(location)
        assert answer.status_code == 302, answer.content
        return query(answer["Location"])["code"]

    def token(self, person: Person, details: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        pkce = Pkce()
        response = self.server.redeem(self.code(person, pkce, details), pkce)
        assert response.status_code == 200, response.content
        answer: dict[str, Any] = response.json()
        return answer


@pytest.fixture
def flow(server: Server, credential_request: Callable[..., dict[str, Any]]) -> Flow:
    return Flow(server, credential_request)


@pytest.fixture
def login_code(server: Server) -> Callable[..., tuple[str, Pkce]]:
    """Signapp's login, up to the code."""

    def run(person: Person, **changes: Any) -> tuple[str, Pkce]:
        pkce = Pkce()
        parameters = {
            "response_type": "code",
            "redirect_uri": django_settings.LOGIN_REDIRECT_URI,
            "state": "login-state",
            "nonce": "login-nonce",
            "scope": "openid email profile service",
            "resource": [django_settings.GATEWAY_RESOURCE, django_settings.RSSP_RESOURCE],
            "code_challenge": pkce.challenge,
            "code_challenge_method": "S256",
        } | changes
        pushed = server.push(parameters, SIGNAPP)
        assert pushed.status_code == 201, pushed.content
        arrived = person.browser.get(
            "/authz/oauth2/authorize", {"client_id": SIGNAPP[0], "request_uri": pushed.json()["request_uri"]}
        )
        answer = person.browser.get(arrived["Location"])
        if answer["Location"].startswith("/authz/login"):
            answer = person.log_in(query(answer["Location"])["next"])
            answer = person.browser.get(answer["Location"])
        return query(answer["Location"])["code"], pkce

    return run


@pytest.fixture
def foreign() -> tuple[str, str]:
    """A client of somebody else."""
    application, secret = oauth_clients.create_client(
        name="Elsewhere", redirect_uris=["https://elsewhere.example/callback"], is_public=False
    )
    return application.client_id, secret

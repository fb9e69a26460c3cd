"""Another OpenID provider at the HTTP boundary, with a real key, that says wrong things where a test tells it to. What
a sane one does is `tests.support.provider`'s.

    current.claims["auth_time"] = 1      # of the next ID tokens; None leaves a claim out
"""

import base64
import hashlib
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import httpx
from joserfc import jwt
from joserfc.jwk import RSAKey

ISSUER = "https://login.example/realms/paraph"
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"}, private=True)
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "one"}, private=True)


def sign(claims: dict[str, Any], *, key: Any = KEY, **header: Any) -> str:
    """A JWT; claims of None are left out."""
    heading = {name: value for name, value in {"alg": "RS256", "kid": "one", **header}.items() if value is not None}
    told = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(heading, told, key, algorithms=[heading["alg"]])


@dataclass
class Bent:
    """``elsewhere`` answers for everybody else."""

    elsewhere: Callable[[httpx.Request], httpx.Response] = lambda _request: httpx.Response(404)
    metadata: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    token_answer: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, httpx.Response | Exception] = field(default_factory=dict)
    make_id_token: Callable[[dict[str, Any]], str] = sign
    calls: Counter[str] = field(default_factory=Counter)
    forms: list[dict[str, str]] = field(default_factory=list)
    codes: dict[str, tuple[dict[str, str], str]] = field(default_factory=dict)
    pushed: dict[str, dict[str, str]] = field(default_factory=dict)
    is_away: bool = False

    def authorize(self, url: str, subject: str) -> str:
        """Somebody logs in: the code that comes back."""
        query = {name: values[0] for name, values in parse_qs(httpx.URL(url).query.decode()).items()}
        code = f"code-{uuid.uuid4()}"
        self.codes[code] = (self.pushed.pop(query["request_uri"], {}) if "request_uri" in query else query, subject)
        return code

    def access_token(self, subject: str, **changes: Any) -> str:
        """RFC 9068, as it makes them."""
        now = int(time.time())
        header, key = changes.pop("header", {"typ": "at+jwt"}), changes.pop("key", KEY)
        plain = {
            "iss": ISSUER,
            "aud": ["http://localhost:8000/gateway", "http://localhost:8000/csc"],
            "sub": subject,
            "client_id": "paraph-signapp",
            "scope": "openid service",
            "jti": str(uuid.uuid4()),
            "iat": now,
            "exp": now + 300,
        }
        return sign(plain | changes, key=key, **header)

    def handle(self, request: httpx.Request) -> httpx.Response:
        if not str(request.url).startswith(f"{ISSUER}/"):
            return self.elsewhere(request)
        name = request.url.path.rsplit("/", 1)[-1].replace("openid-configuration", "discovery")
        self.calls[name] += 1
        bent = httpx.ConnectError("away") if self.is_away else self.answers.get(name)
        if isinstance(bent, Exception):
            raise bent
        if bent is not None:
            return bent
        answer: httpx.Response = getattr(self, f"_{name}")(request)
        return answer

    def _discovery(self, _request: httpx.Request) -> httpx.Response:
        named = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/auth",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/certs",
            "introspection_endpoint": f"{ISSUER}/introspect",
        }
        return httpx.Response(200, json=named | self.metadata)

    def _certs(self, _request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"keys": [KEY.as_dict(private=False)]})

    def _form(self, request: httpx.Request) -> dict[str, str]:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        self.forms.append(form)
        return form

    def _par(self, request: httpx.Request) -> httpx.Response:
        request_uri = f"urn:ietf:params:oauth:request_uri:{uuid.uuid4()}"
        self.pushed[request_uri] = self._form(request)
        return httpx.Response(201, json={"request_uri": request_uri, "expires_in": 60})

    def _introspect(self, request: httpx.Request) -> httpx.Response:
        self._form(request)
        return httpx.Response(200, json={"active": False})

    def _revoke(self, request: httpx.Request) -> httpx.Response:
        self._form(request)
        return httpx.Response(200)

    def _token(self, request: httpx.Request) -> httpx.Response:
        form = self._form(request)
        if form["grant_type"] == "refresh_token":
            return self._answer(self.access_token("alice"))
        asked, subject = self.codes.pop(form["code"], ({}, ""))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode()
        if asked.get("code_challenge") != challenge.rstrip("="):
            return httpx.Response(400, json={"error": "invalid_grant"})
        now, client = int(time.time()), asked["client_id"]
        plain = {
            "iss": ISSUER,
            "aud": client,
            "sub": subject,
            "exp": now + 300,
            "iat": now,
            "auth_time": now,
            "nonce": asked["nonce"],
            "email": f"{subject}@example.org",
            "email_verified": True,
            "name": f"{subject.title()} Example",
        }
        return self._answer(
            self.access_token(subject, client_id=client, scope=asked["scope"]),
            id_token=self.make_id_token(plain | self.claims),
            scope=asked["scope"],
        )

    def _answer(self, token: str, **members: Any) -> httpx.Response:
        body = {"access_token": token, "token_type": "Bearer", "expires_in": 300, **members, **self.token_answer}
        return httpx.Response(200, json={name: value for name, value in body.items() if value is not None})


current = Bent()


def transport_for(_address: str) -> httpx.BaseTransport:
    """What settings.CLIENT_TRANSPORT names in these tests."""
    return httpx.MockTransport(lambda request: current.handle(request))

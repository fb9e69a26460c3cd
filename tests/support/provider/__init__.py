"""An OpenID provider that is not ours, run as a process: npm's ``oidc-provider``.

    with start_provider(resource="https://rssp.example/csc", secret="…") as provider:
        token = provider.log_in("alice", scope="credential")

The tests hold its signing key, so they can also make what it would never make.
"""

import base64
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import RSAKey

from scripts.instance import free_port

_SERVER = Path(__file__).with_name("server.mjs")
_REDIRECT_URI = "https://elsewhere.example/callback"


@dataclass(frozen=True)
class Provider:
    issuer: str
    resource: str
    secret: str
    key: RSAKey
    process: "subprocess.Popen[str]"

    def log_in(self, subject: str, *, scope: str, client_id: str = "jwt-application", resource: str = "") -> str:
        """An access token, by way of the provider's own pages."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        resource = resource or self.resource
        query = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": _REDIRECT_URI,
            "scope": f"openid {scope}",
            "resource": resource,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "prompt": "login consent",
        }
        with httpx.Client(base_url=self.issuer, timeout=60) as browser:
            answer = browser.get("/auth", params=query)
            for form in ({"prompt": "login", "login": subject, "password": "-"}, {"prompt": "consent"}):
                place = answer.headers["location"]
                answer = browser.post(place, data=form)
                answer = browser.get(answer.headers["location"])
            code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
            redeemed = browser.post(
                "/token",
                data={
                    "grant_type": "authorization_code",
                    "code": code,
                    "redirect_uri": _REDIRECT_URI,
                    "code_verifier": verifier,
                    "resource": resource,
                },
                auth=(client_id, self.secret),
            )
            return str(redeemed.raise_for_status().json()["access_token"])

    def identify(self, address: str, subject: str, *, acr: str = "looked-closely") -> dict[str, str]:
        """Somebody logs in at ``address`` and lets the client know who they are: what the browser brings back."""
        with httpx.Client(base_url=self.issuer, timeout=60) as browser:
            answer = browser.get(address)
            place = answer.headers["location"]
            answer = browser.get(browser.post(place, params={"login": subject, "acr": acr}).headers["location"])
            answer = browser.post(answer.headers["location"], data={"prompt": "consent"})
            answer = browser.get(answer.headers["location"])
            query = parse_qs(urlsplit(answer.headers["location"]).query)
            return {name: values[0] for name, values in query.items()}

    def log_in_client(self, *, scope: str) -> str:
        """A token behind which nobody is."""
        form = {"grant_type": "client_credentials", "scope": scope, "resource": self.resource}
        answer = httpx.post(f"{self.issuer}/token", data=form, auth=("jwt-application", self.secret), timeout=60)
        return str(answer.raise_for_status().json()["access_token"])

    def make(self, *, header: dict[str, Any] | None = None, key: Any = None, **claims: Any) -> str:
        """A token as it makes them, but for what is given; a claim of None is left out."""
        now = int(time.time())
        plain = {
            "iss": self.issuer,
            "aud": self.resource,
            "sub": "alice",
            "client_id": "jwt-application",
            "scope": "credential",
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + 300,
        } | claims
        heading = {"alg": "RS256", "typ": "at+jwt", "kid": self.key.kid, **(header or {})}
        told = {name: value for name, value in plain.items() if value is not None}
        return jwt.encode(heading, told, key or self.key, algorithms=[heading["alg"]])


@contextmanager
def start_provider(
    *,
    resource: str,
    secret: str,
    callback: str = _REDIRECT_URI,
    people: Mapping[str, Any] | None = None,
    gateway: str = "",
    signapp: str = "https://signapp.example",
) -> Iterator[Provider]:
    """It answers when this yields, and has ended afterwards. ``people`` are whom it knows more of than their subject,
    with their claims; ``callback`` is where its client ``identity`` has them sent back to. ``gateway`` is that role's
    resource and ``signapp`` that one's address, where they are its clients; all clients have the one secret."""
    port = free_port()
    key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, private=True, auto_kid=True)
    settings = {
        "port": port,
        "jwks": {"keys": [key.as_dict(private=True)]},
        "resource": resource,
        "gateway": gateway,
        "signapp": signapp,
        "secret": secret,
        "callback": callback,
        "people": dict(people or {}),
    }
    beside = Path(sys.executable).with_name("node")
    node = str(beside) if beside.exists() else shutil.which("node")
    assert node, "there is no Node.js"
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "TERM", node, str(_SERVER)],
        env={"PATH": os.environ["PATH"], "PROVIDER": json.dumps(settings)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready"), "the provider did not start"
        yield Provider(f"http://localhost:{port}", resource, secret, key, process)
    finally:
        process.terminate()
        process.wait(10)

"""A caller of gateway's API on behalf of a signer, over real HTTP: it holds signapp's client, as signapp does.

caller = GatewayCaller(walker, instance)
signed = caller.sign(pdf, level="B-LTA")
"""

import secrets
import time
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import httpx

from scripts.instance import Instance
from tests.support.authenticator import b64
from tests.support.walk import Walker, query_of


@dataclass
class GatewayCaller:
    """``walker`` is logged in at the authorization server and has a certificate."""

    walker: Walker
    instance: Instance
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=60, trust_env=False))
    token: str = ""

    def __post_init__(self) -> None:
        self.token = self._log_in()

    def _log_in(self) -> str:
        base, verifier = self.instance.base_url, secrets.token_urlsafe(48)
        redirect_uri = f"{base}/login/callback"
        resources = [f"{base}/gateway", f"{base}/csc"]
        asked = {
            "response_type": "code",
            "client_id": "paraph-signapp",
            "redirect_uri": redirect_uri,
            "scope": "openid service",
            "state": secrets.token_urlsafe(24),
            "nonce": secrets.token_urlsafe(24),
            "code_challenge": b64(sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
            "resource": resources,
        }
        secret = (self.instance.var_dir / "secrets" / "signapp_client_secret").read_text().strip()
        own = ("paraph-signapp", secret)
        pushed = self.http.post(f"{base}/authz/oauth2/pushed_authorize", data=asked, auth=own).json()
        address = httpx.URL(
            f"{base}/authz/oauth2/authorize",
            params={"client_id": "paraph-signapp", "request_uri": pushed["request_uri"]},
        )
        page = self.walker.open(str(address), until=redirect_uri)
        form = {
            "grant_type": "authorization_code",
            "code": query_of(page.headers["Location"])["code"],
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
            "resource": resources,
        }
        answer = self.http.post(f"{base}/authz/oauth2/token", data=form, auth=own)
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        address = f"{self.instance.base_url}/gateway/v1/{path}"
        given: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body} if body else {}
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/pdf"
        return self.http.request(method, address, headers={"Authorization": f"Bearer {self.token}", **headers}, **given)

    def credential(self) -> str:
        """The credential that was made last."""
        found: str = self.call("GET", "credentials").json()["credentials"][-1]["credential_id"]
        return found

    def prepare(self, pdf: bytes, **options: Any) -> str:
        """The job, prepared."""
        job_id: str = self.call("POST", "jobs", pdf).json()["job_id"]
        answer = self.call("POST", f"jobs/{job_id}/prepare", {"credential_id": self.credential(), **options})
        assert answer.status_code == 200, answer.text
        return job_id

    def approve(self, job_id: str) -> None:
        base = self.instance.base_url
        asked = self.call("POST", f"jobs/{job_id}/authorization", {"state": secrets.token_urlsafe(24)}).json()
        answered = self.walker.approve(self.walker.open(asked["authorization_url"]), until=f"{base}/approval/callback")
        query = query_of(answered.headers["Location"])
        answer = self.call("POST", f"jobs/{job_id}/complete", {"code": query["code"], "iss": query["iss"]})
        assert answer.status_code == 202, answer.text

    def wait(self, job_id: str, *, seconds: float = 180) -> Any:
        """The job when it has ended."""
        deadline = time.monotonic() + seconds
        while (job := self.call("GET", f"jobs/{job_id}").json())["state"] in {"approved", "signing"}:
            assert time.monotonic() < deadline, job
            time.sleep(0.1)
        return job

    def sign(self, pdf: bytes, **options: Any) -> tuple[bytes, Any]:
        """The whole way: the signed document and its job."""
        job_id = self.prepare(pdf, **options)
        self.approve(job_id)
        job = self.wait(job_id)
        assert job["state"] == "signed", job
        return self.call("GET", f"jobs/{job_id}/result").content, job

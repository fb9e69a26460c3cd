"""The other side of the wire: an authorization server and a gateway at the HTTP boundary. They answer as
docs/protocols.md says, count what they are asked, and lie where a test tells them to."""

import base64
import hashlib
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import httpx
from django.conf import settings
from joserfc import jwt
from joserfc.jwk import RSAKey

from config.transport import refuse_open_transaction

KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"}, private=True)
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
# Three pages: two upright, then one that lies.
PAGE_SIZES = [[595.0, 842.0, 2], [842.0, 595.0, 1]]


@dataclass
class Remote:
    calls: Counter[str] = field(default_factory=Counter)
    pushed: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)  # access token: sub
    refreshable: dict[str, str] = field(default_factory=dict)  # refresh token: access token
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    results: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    codes_redeemed: list[str] = field(default_factory=list)
    # What a test may bend: a call's name to an answer, once.
    answers: dict[str, Callable[[httpx.Request], httpx.Response] | httpx.Response | Exception] = field(
        default_factory=dict
    )
    waits: bool = False
    requests: list[dict[str, Any]] = field(default_factory=list)
    identified: list[dict[str, str]] = field(default_factory=list)
    claim_changes: dict[str, Any] = field(default_factory=dict)
    make_id_token: Callable[[dict[str, Any]], str] | None = None

    # --- what a browser does ---------------------------------------------------------------------------

    def log_in(self, url: str, subject: str = "alice") -> dict[str, str]:
        """The query of the login callback."""
        form = self.pushed.pop(parse_qs(httpx.URL(url).query.decode())["request_uri"][0])
        code = f"code-{uuid.uuid4()}"
        self.codes[code] = {"form": form, "sub": subject}
        return {"state": form["state"][0], "code": code, "iss": settings.ISSUER, "error": ""}

    def finish(self, job_id: str, signed: bytes) -> None:
        self.results[job_id] = signed
        described = {"size": len(signed), "sha256": hashlib.sha256(signed).hexdigest()}
        self.jobs[job_id] |= {"state": "signed", "signed": described}

    # --- the boundary ----------------------------------------------------------------------------------

    def handle(self, request: httpx.Request) -> httpx.Response:
        refuse_open_transaction()
        parts = request.url.path.strip("/").split("/")
        name = (
            parts[-1] if parts[0] == "authz" or len(parts) == 3 or len(parts) == 5 else f"{request.method.lower()}_job"
        )
        if parts[0] == "gateway" and parts[2] == "credential-requests":
            name = "complete_credential" if parts[-1] == "complete" else "request_credential"
        if parts[0] == "gateway" and parts[2:] == ["identifications", "complete"]:
            name = "identified"
        if parts[0] == "gateway" and parts[2] == "batches" and len(parts) > 3:
            name = f"{request.method.lower()}_batch" if len(parts) == 4 else f"batch_{parts[-1]}"
        self.calls[name] += 1
        bent = self.answers.pop(name, None)
        if isinstance(bent, Exception):
            raise bent
        if bent is not None:
            return bent(request) if callable(bent) else bent
        answer: httpx.Response = getattr(self, f"_{name}")(request)
        return answer

    @staticmethod
    def _form(request: httpx.Request) -> dict[str, list[str]]:
        secret = f"{settings.SIGNAPP_CLIENT_ID}:{settings.SIGNAPP_CLIENT_SECRET}".encode()
        assert request.headers["authorization"] == f"Basic {base64.b64encode(secret).decode()}"
        return parse_qs(request.content.decode())

    def _pushed_authorize(self, request: httpx.Request) -> httpx.Response:
        form = self._form(request)
        assert form["resource"] == [settings.GATEWAY_RESOURCE, settings.RSSP_RESOURCE]
        assert form["code_challenge_method"] == ["S256"]
        request_uri = f"urn:ietf:params:oauth:request_uri:{uuid.uuid4()}"
        self.pushed[request_uri] = form
        return httpx.Response(201, json={"request_uri": request_uri, "expires_in": 90})

    def _token(self, request: httpx.Request) -> httpx.Response:
        form = self._form(request)
        if form["grant_type"] == ["refresh_token"]:
            subject = self.tokens.pop(self.refreshable.pop(form["refresh_token"][0], ""), None)
            if subject is None:
                self.tokens.clear()  # a refresh token that comes twice ends everything
                self.refreshable.clear()
                return httpx.Response(400, json={"error": "invalid_grant"})
            return httpx.Response(200, json=self._issue(subject))
        kept = self.codes.pop(form["code"][0], None)
        digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        if kept is None or kept["form"]["code_challenge"] != [base64.urlsafe_b64encode(digest).decode().rstrip("=")]:
            return httpx.Response(400, json={"error": "invalid_grant"})
        now = int(time.time())
        claims = {
            "iss": settings.ISSUER,
            "aud": settings.SIGNAPP_CLIENT_ID,
            "sub": kept["sub"],
            "exp": now + 300,
            "iat": now,
            "nonce": kept["form"]["nonce"][0],
            "email": f"{kept['sub']}@example.org",
            "name": f"{kept['sub'].title()} Example",
            **self.claim_changes,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        make = self.make_id_token or (lambda claims: jwt.encode({"alg": "RS256", "kid": "one"}, claims, KEY))
        return httpx.Response(200, json={**self._issue(kept["sub"]), "id_token": make(claims)})

    def _issue(self, subject: str) -> dict[str, Any]:
        access, refresh = f"access-{uuid.uuid4()}", f"refresh-{uuid.uuid4()}"
        self.tokens[access] = subject
        self.refreshable[refresh] = access
        return {
            "access_token": access,
            "refresh_token": refresh,
            "token_type": "Bearer",
            "expires_in": 900,
            "scope": "openid email profile service",
        }

    def _jwks(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"keys": [KEY.as_dict(private=False)]})

    def _userinfo(self, request: httpx.Request) -> httpx.Response:
        subject = self.tokens.get(request.headers["authorization"].removeprefix("Bearer "))
        return httpx.Response(200, json={"sub": subject}) if subject else httpx.Response(401, json={"error": "x"})

    def _revoke(self, request: httpx.Request) -> httpx.Response:
        self.tokens.pop(self.refreshable.pop(self._form(request)["token"][0], ""), None)
        return httpx.Response(200, json={})

    # --- gateway ---------------------------------------------------------------------------------------

    def _pdf(self, request: httpx.Request) -> dict[str, Any]:
        body = request.read()
        assert request.headers["content-length"] == str(len(body))
        return {"pages": 3, "size": len(body), "sha256": hashlib.sha256(body).hexdigest()}

    def _inspections(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={**self._pdf(request), "signatures": 0, "page_sizes": PAGE_SIZES})

    def _jobs(self, request: httpx.Request) -> httpx.Response:
        key = request.headers["idempotency-key"]
        if existing := next((job for job in self.jobs.values() if job["key"] == key), None):
            return httpx.Response(201, json=existing)
        job_id = str(uuid.uuid4())
        facts = self._pdf(request)
        self.jobs[job_id] = {
            "key": key,
            "job_id": job_id,
            "state": "open",
            "document": facts,
            "credential_id": None,
            "digest": None,
            "label": "Lease.pdf (3 pages, 48 kB)",
            "signed": None,
            "error": None,
        }
        return httpx.Response(201, json=self.jobs[job_id])

    def _job(self, request: httpx.Request) -> dict[str, Any] | None:
        return self.jobs.get(request.url.path.split("/")[4])

    def _get_job(self, request: httpx.Request) -> httpx.Response:
        return self._show(self._job(request))

    def _delete_job(self, request: httpx.Request) -> httpx.Response:
        job = self._job(request)
        if job and job["state"] in {"approved", "signing"}:
            return httpx.Response(409, json={"error": "wrong_state"})
        return httpx.Response(204) if job and self.jobs.pop(job["job_id"]) else self._show(None)

    def _show(self, job: dict[str, Any] | None, status: int = 200) -> httpx.Response:
        if job is None:
            return httpx.Response(404, json={"error": "job_not_found"})
        return httpx.Response(status, json=job)

    def _prepare(self, request: httpx.Request) -> httpx.Response:
        job = self._job(request)
        if job is None:
            return self._show(None)
        digest = base64.b64encode(hashlib.sha256(job["job_id"].encode()).digest()).decode()
        asked = json.loads(request.content)
        job |= {"state": "prepared", "digest": digest, "credential_id": asked["credential_id"], "options": asked}
        return self._show(job)

    def _authorization(self, request: httpx.Request) -> httpx.Response:
        job = self._job(request)
        if job is None:
            return self._show(None)
        job |= {"state": "authorizing", "asked": json.loads(request.content)["state"]}
        url = f"{settings.ISSUER}/oauth2/authorize?client_id=paraph-gateway&request_uri=r"
        return httpx.Response(200, json={"authorization_url": url, "expires_in": 90})

    def _complete(self, request: httpx.Request) -> httpx.Response:
        job = self._job(request)
        if job is None:
            return self._show(None)
        if job["state"] == "authorizing":
            self.codes_redeemed.append(json.loads(request.content)["code"])
            job["state"] = "approved"
        return self._show(job, 202)

    def _result(self, request: httpx.Request) -> httpx.Response:
        job = self._job(request)
        return httpx.Response(200, content=self.results[job["job_id"]]) if job else self._show(None)

    def _options(self, request: httpx.Request) -> httpx.Response:
        job = self._job(request)
        if job is None:
            return self._show(None)
        job["own"] = json.loads(request.content)
        return self._show(job)

    def _batches(self, request: httpx.Request) -> httpx.Response:
        asked, key = json.loads(request.content), request.headers["idempotency-key"]
        if not all(job_id in self.jobs for job_id in asked["jobs"]):
            return self._show(None)
        batch = self.batches.setdefault(
            key, {"batch_id": key, "state": "open", "policy": asked["policy"], "jobs": asked["jobs"], "error": None}
        )
        return httpx.Response(201, json=batch)

    def _batch(self, request: httpx.Request) -> dict[str, Any] | None:
        return self.batches.get(request.url.path.split("/")[4])

    def _show_batch(self, batch: dict[str, Any] | None, status: int = 200) -> httpx.Response:
        if batch is None:
            return httpx.Response(404, json={"error": "batch_not_found"})
        return httpx.Response(status, json=batch)

    def _jobs_of(self, batch: dict[str, Any]) -> list[dict[str, Any]]:
        return [self.jobs[job_id] for job_id in batch["jobs"] if job_id in self.jobs]

    def _get_batch(self, request: httpx.Request) -> httpx.Response:
        return self._show_batch(self._batch(request))

    def _delete_batch(self, request: httpx.Request) -> httpx.Response:
        batch = self._batch(request)
        if batch is None:
            return self._show_batch(None)
        if batch["state"] == "approved" and any(job["state"] == "approved" for job in self._jobs_of(batch)):
            return httpx.Response(409, json={"error": "wrong_state"})
        for job in self._jobs_of(batch):
            self.jobs.pop(job["job_id"])
        self.batches.pop(batch["batch_id"])
        return httpx.Response(204)

    def _batch_jobs(self, request: httpx.Request) -> httpx.Response:
        batch = self._batch(request)
        return httpx.Response(200, json={"jobs": self._jobs_of(batch)}) if batch else self._show_batch(None)

    def _batch_prepare(self, request: httpx.Request) -> httpx.Response:
        batch = self._batch(request)
        if batch is None:
            return self._show_batch(None)
        batch |= {"state": "prepared", "asked": json.loads(request.content)}
        for job in self._jobs_of(batch):
            digest = base64.b64encode(hashlib.sha256(job["job_id"].encode()).digest()).decode()
            job |= {"state": "prepared", "digest": digest, "credential_id": batch["asked"]["credential_id"]}
        return self._show_batch(batch, 202)

    def _batch_authorization(self, request: httpx.Request) -> httpx.Response:
        batch = self._batch(request)
        if batch is None:
            return self._show_batch(None)
        asked = json.loads(request.content)
        batch |= {"state": "authorizing", "state_asked": asked["state"], "links": asked["links"]}
        url = f"{settings.ISSUER}/oauth2/authorize?client_id=paraph-gateway&request_uri=b"
        return httpx.Response(200, json={"authorization_url": url, "expires_in": 90})

    def _batch_complete(self, request: httpx.Request) -> httpx.Response:
        batch = self._batch(request)
        if batch is None:
            return self._show_batch(None)
        if batch["state"] == "authorizing":
            self.codes_redeemed.append(json.loads(request.content)["code"])
            batch["state"] = "approved"
            for job in self._jobs_of(batch):
                job["state"] = "approved"
        return self._show_batch(batch, 202)

    REQUEST = {
        "credential_id": "credential-2",
        "description": "Alice Example, EC P256, signer",
        "state": "waiting",
        "reason": "",
        "key_algorithm": "ec-p256",
        "certificate_policy": "signer",
        "requested_at": "2026-11-24T12:00:00+00:00",
        "expires_at": "2026-12-24T12:00:00+00:00",
    }
    CREDENTIAL = {
        "credential_id": "credential-1",
        "common_name": "Alice Example",
        "key_algorithm": "rsa-2048",
        "status": "enabled",
        "cert_status": "valid",
        "valid_from": "2026-11-24T00:00:00+00:00",
        "valid_to": "2027-11-24T00:00:00+00:00",
        "issuer": "CN=Paraph",
        "serial_number": "1",
        "certificate_policy": "demonstration",
    }

    def _credentials(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"credentials": [self.CREDENTIAL], "requests": self.requests})

    def _identifications(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        return httpx.Response(201, json={"authorization_url": f"https://id.example.org/go?state={asked['state']}"})

    def _identified(self, request: httpx.Request) -> httpx.Response:
        self.identified.append(json.loads(request.content))
        return httpx.Response(200, json=self.REQUEST | {"identified_by": "https://id.example.org"})

    def _request_credential(self, request: httpx.Request) -> httpx.Response:
        url = f"{settings.ISSUER}/oauth2/authorize?client_id=paraph-gateway&request_uri=c"
        body = {"request_id": str(uuid.uuid4()), "authorization_url": url, "expires_in": 90}
        self.asked_certificate = json.loads(request.content)
        return httpx.Response(201, json=body)

    def _complete_credential(self, request: httpx.Request) -> httpx.Response:
        if self.waits:
            self.requests.append(self.REQUEST)
            return httpx.Response(202, json=self.REQUEST)
        return httpx.Response(201, json=self.CREDENTIAL)


current = Remote()


def transport_for(_address: str) -> httpx.BaseTransport:
    """What settings.CLIENT_TRANSPORT names in these tests."""
    return httpx.MockTransport(lambda request: current.handle(request))

"""The other side of the wire: an authorization server and a signing service at the HTTP boundary, with real keys.

They answer as docs/protocols.md says and count what they are asked. A test changes what they do through the
attributes of `Remote`.
"""

import base64
import hashlib
import json
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.conf import settings

from config.transport import refuse_open_transaction
from tests.gateway.sources import Sources
from tests.support.authority import Authority, Identity

HASHES = {"2.16.840.1.101.3.4.2.1": hashes.SHA256(), "2.16.840.1.101.3.4.2.2": hashes.SHA384()}
_KEYS = {
    "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
}
ALGORITHMS = {
    "rsa": ["1.2.840.113549.1.1.11", "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10"],
    "p256": ["1.2.840.10045.4.3.2"],
    "p384": ["1.2.840.10045.4.3.3"],
}


REQUEST: dict[str, Any] = {
    "credentialID": "waiting-1",
    "description": "Alice Example, EC P256, signer",
    "key": {"status": "disabled", "algo": [], "len": 256, "curve": "1.2.840.10045.3.1.7"},
    "cert": {"certificates": []},
    "certificatePolicy": "signer",
    "certificateRequest": {
        "state": "waiting",
        "requestedAt": "20261124120000Z",
        "expiresAt": "20261224120000Z",
    },
}


@dataclass
class RemoteCredential:
    owner: str
    identity: Identity
    kind: str
    algorithms: list[str]
    status: str = "enabled"
    cert_status: str = "valid"
    auth_mode: str = "oauth2code"
    short_lived: bool = False

    def describe(self, credential_id: str) -> dict[str, Any]:
        certificate = x509.load_der_x509_certificate(self.identity.certificate)
        key = self.identity.key
        described: dict[str, Any] = {"status": self.status, "algo": self.algorithms, "len": key.key_size}
        if self.kind != "rsa":
            described["curve"] = {"p256": "1.2.840.10045.3.1.7", "p384": "1.3.132.0.34"}[self.kind]
        if self.short_lived:
            return self._describe_short_lived(credential_id, described, certificate)
        return {
            "credentialID": credential_id,
            "description": "A certificate",
            "key": described,
            "cert": {
                "status": self.cert_status,
                "certificates": [base64.b64encode(item).decode() for item in self.identity.chain],
                "subjectDN": certificate.subject.rfc4514_string(),
                "issuerDN": certificate.issuer.rfc4514_string(),
                "serialNumber": f"{certificate.serial_number:x}",
                "validFrom": certificate.not_valid_before_utc.strftime("%Y%m%d%H%M%SZ"),
                "validTo": certificate.not_valid_after_utc.strftime("%Y%m%d%H%M%SZ"),
            },
            "auth": {"mode": self.auth_mode},
            "SCAL": "2",
            "multisign": 1000,
            "someFutureMember": {"is": "ignored"},
        }

    def _describe_short_lived(
        self, credential_id: str, key: dict[str, Any], certificate: x509.Certificate
    ) -> dict[str, Any]:
        """No certificate: one is made for each signature."""
        return {
            "credentialID": credential_id,
            "description": "Alice Example, short-lived",
            "key": key,
            "cert": {
                "certificates": [],
                "subjectDN": certificate.subject.rfc4514_string(),
                "validFrom": certificate.not_valid_before_utc.strftime("%Y%m%d%H%M%SZ"),
                "validTo": certificate.not_valid_after_utc.strftime("%Y%m%d%H%M%SZ"),
            },
            "auth": {"mode": self.auth_mode},
            "certificatePolicy": "short-lived",
            "shortLived": {"validitySeconds": 3600},
        }


@dataclass
class Remote:
    """One user directory, one authorization server, one signing service."""

    authority: Authority = field(default_factory=Authority)
    waits: bool = False
    requests: list[dict[str, Any]] = field(default_factory=list)
    identify_answer: httpx.Response | None = None
    identified: dict[str, Any] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    service_tokens: dict[str, dict[str, Any]] = field(default_factory=dict)
    credentials: dict[str, RemoteCredential] = field(default_factory=dict)
    seals: dict[str, str] = field(default_factory=dict)
    sads: dict[str, tuple[str, Counter[str]]] = field(default_factory=dict)
    pushed: dict[str, dict[str, str]] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    granted: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: Sources = field(init=False)
    # What a test may bend.
    token_changes: dict[str, Any] = field(default_factory=dict)
    sign_with: Identity | None = None
    sign_answers: list[httpx.Response | Exception] = field(default_factory=list)
    introspection_answer: httpx.Response | Exception | None = None
    token_failure: Exception | None = None
    prepare_failure: httpx.Response | None = None

    def __post_init__(self) -> None:
        self.sources = Sources(self.authority)

    def log_in(self, subject: str, **changes: Any) -> str:
        """A service token of the user."""
        token = f"service-{uuid.uuid4()}"
        self.service_tokens[token] = {
            "active": True,
            "iss": settings.ISSUER,
            "client_id": "paraph-signapp",
            "sub": subject,
            "scope": "openid service",
            "aud": [settings.GATEWAY_RESOURCE, settings.RSSP_RESOURCE],
            "exp": int(time.time()) + 900,
            **changes,
        }
        return token

    def log_in_client(self, client_id: str, **changes: Any) -> str:
        """A token of a client's own."""
        return self.log_in(client_id, client_id=client_id, gty="client_credentials", scope="service", **changes)

    def add_seal(self, owner: str, client_id: str) -> str:
        """A credential of the owner's that a PIN opens, granted to the client."""
        credential_id = self.add_credential(owner, "p256")
        self.credentials[credential_id].auth_mode = "explicit"
        self.seals[credential_id] = client_id
        return credential_id

    def open_seal(self, credential_id: str, *digests: str) -> str:
        """``credentials/authorize``, by the client itself: the SAD."""
        sad = f"sad-{uuid.uuid4()}"
        self.sads[sad] = (credential_id, Counter(digests))
        return sad

    def add_credential(self, owner: str, kind: str = "rsa", *, algorithms: list[str] | None = None) -> str:
        credential_id = f"credential-{uuid.uuid4()}"
        identity = self.authority.issue("Alice Example", _KEYS[kind])
        self.credentials[credential_id] = RemoteCredential(owner, identity, kind, algorithms or ALGORITHMS[kind])
        return credential_id

    def approve(self, authorization_url: str, subject: str) -> str:
        """The user approves in the browser: the code that comes back."""
        query = parse_qs(httpx.URL(authorization_url).query.decode())
        assert query["client_id"] == ["paraph-gateway"]
        (request_uri,) = query["request_uri"]
        code = f"code-{uuid.uuid4()}"
        self.codes[code] = {**self.pushed.pop(request_uri), "sub": subject}
        return code

    def handle(self, request: httpx.Request) -> httpx.Response:
        refuse_open_transaction()
        name = request.url.path.rsplit("/", 1)[-1]
        if request.url.path.startswith("/pki/"):
            return self.sources.handle(name, request)
        self.calls[name] += 1
        handler = getattr(self, f"_{name}".lower())
        response: httpx.Response = handler(request)
        return response

    # --- authorization server ---------------------------------------------------------------------------

    def _form(self, request: httpx.Request) -> dict[str, str]:
        secret = f"{settings.GATEWAY_CLIENT_ID}:{settings.GATEWAY_CLIENT_SECRET}".encode()
        assert request.headers["authorization"] == f"Basic {base64.b64encode(secret).decode()}"
        return {name: values[0] for name, values in parse_qs(request.content.decode()).items()}

    def _introspect(self, request: httpx.Request) -> httpx.Response:
        if isinstance(self.introspection_answer, Exception):
            raise self.introspection_answer
        if self.introspection_answer is not None:
            return self.introspection_answer
        return httpx.Response(200, json=self.service_tokens.get(self._form(request)["token"], {"active": False}))

    def _pushed_authorize(self, request: httpx.Request) -> httpx.Response:
        form = self._form(request)
        assert form["redirect_uri"] in {settings.APPROVAL_REDIRECT_URI, settings.GATEWAY_REDIRECT_URI}
        assert form["code_challenge_method"] == "S256"
        assert form["resource"] == settings.RSSP_RESOURCE
        request_uri = f"urn:ietf:params:oauth:request_uri:{uuid.uuid4()}"
        self.pushed[request_uri] = form
        return httpx.Response(201, json={"request_uri": request_uri, "expires_in": 60})

    def _token(self, request: httpx.Request) -> httpx.Response:
        if self.token_failure is not None:
            failure, self.token_failure = self.token_failure, None
            raise failure
        form = self._form(request)
        approved = self.codes.pop(form["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode()
        fits = approved is not None and form["redirect_uri"] == approved["redirect_uri"]
        if not fits or approved["code_challenge"] != challenge.rstrip("="):
            return httpx.Response(400, json={"error": "invalid_grant"})
        details = json.loads(approved["authorization_details"])
        if approved["scope"] == "credential-creation":
            details[0]["subject"] = {"commonName": "Alice Example", "email": "alice@example.org"}
        token = f"approval-{uuid.uuid4()}"
        self.granted[token] = {"sub": approved["sub"], "details": details}
        answer = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": approved["scope"],
            "sub": approved["sub"],
            "authorization_details": details,
            **self.token_changes,
        }
        return httpx.Response(200, json={name: value for name, value in answer.items() if value is not None})

    # --- signing service --------------------------------------------------------------------------------

    @staticmethod
    def _bearer(request: httpx.Request) -> str:
        return request.headers["authorization"].removeprefix("Bearer ")

    def _owner(self, request: httpx.Request) -> str:
        return str(self.service_tokens[self._bearer(request)]["sub"])

    def _is_theirs(self, request: httpx.Request, credential_id: str) -> bool:
        """The user's own, or a seal that was granted to the client."""
        credential, caller = self.credentials.get(credential_id), self._owner(request)
        return credential is not None and caller in {credential.owner, self.seals.get(credential_id)}

    def _list(self, request: httpx.Request) -> httpx.Response:
        owner = json.loads(request.content).get("userID", self._owner(request))
        of_owner = {key: value for key, value in self.credentials.items() if value.owner == owner}
        found = {key: value for key, value in of_owner.items() if self._is_theirs(request, key)}
        infos = [value.describe(key) for key, value in found.items()]
        return httpx.Response(
            200, json={"credentialIDs": list(found), "credentialInfos": infos, "certificateRequests": self.requests}
        )

    def _info(self, request: httpx.Request) -> httpx.Response:
        credential_id = json.loads(request.content)["credentialID"]
        credential = self.credentials.get(credential_id)
        if credential is None or not self._is_theirs(request, credential_id):
            body = {"error": "invalid_request", "error_description": "Invalid parameter credentialID"}
            return httpx.Response(400, json=body)
        return httpx.Response(200, json=credential.describe(credential_id))

    def _preparecertificate(self, request: httpx.Request) -> httpx.Response:
        chosen = self.credentials.get(json.loads(request.content)["credentialID"])
        if chosen is None or not chosen.short_lived or chosen.owner != self._owner(request):
            body = {"error": "invalid_request", "error_description": "Invalid parameter credentialID"}
            return httpx.Response(400, json=body)
        if self.prepare_failure is not None:
            return self.prepare_failure
        credential_id = self.add_credential(chosen.owner, chosen.kind)
        return httpx.Response(201, json=self.credentials[credential_id].describe(credential_id))

    def _identify(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        return self.identify_answer or httpx.Response(
            201, json={"authorizationURL": f"https://id.example.org/authorize?{urlencode({'state': asked['state']})}"}
        )

    def _identified(self, request: httpx.Request) -> httpx.Response:
        self.identified = json.loads(request.content)
        if self.identify_answer is not None:
            return self.identify_answer
        stands = {"certificateRequest": REQUEST["certificateRequest"] | {"identifiedBy": "https://id.example.org"}}
        return httpx.Response(200, json=REQUEST | stands)

    def _create(self, request: httpx.Request) -> httpx.Response:
        granted = self.granted.pop(self._bearer(request))
        wanted = json.loads(request.content)["credentialCreationRequest"]
        assert wanted.items() <= granted["details"][0].items()
        if self.waits:
            self.requests.append(REQUEST)
            return httpx.Response(202, json=REQUEST)
        credential_id = self.add_credential(granted["sub"], "p256")
        return httpx.Response(201, json=self.credentials[credential_id].describe(credential_id))

    def _spend_seal(self, request: httpx.Request, body: dict[str, Any]) -> httpx.Response | None:
        """A refusal, or None: each digest of a SAD is signed once, for the client that it was opened for."""
        credential_id, left = self.sads.get(body["SAD"], ("", Counter()))
        if not self._is_theirs(request, body["credentialID"]) or credential_id != body["credentialID"]:
            return httpx.Response(400, json={"error": "invalid_request", "error_description": "Invalid parameter SAD"})
        if Counter(body["hashes"]) - left:
            said = "Hash is not authorized by the SAD"
            return httpx.Response(400, json={"error": "invalid_request", "error_description": said})
        left -= Counter(body["hashes"])
        return None

    def _signhash(self, request: httpx.Request) -> httpx.Response:
        if self.sign_answers:
            answer = self.sign_answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        body = json.loads(request.content)
        if "SAD" in body:
            if refusal := self._spend_seal(request, body):
                return refusal
        else:
            granted = self.granted.get(self._bearer(request))
            if granted is None:
                return httpx.Response(401, json={"error": "invalid_token"})
            (detail,) = granted["details"]
            assert body["credentialID"] == detail["credentialID"]
            left = granted.setdefault("left", Counter(item["hash"] for item in detail["documentDigests"]))
            if asked := Counter(body["hashes"]) - left:
                raise AssertionError(f"{asked} are not approved, or signed already")
            left -= Counter(body["hashes"])
            assert body["hashAlgorithmOID"] == detail["hashAlgorithmOID"]
        credential = self.credentials[body["credentialID"]]
        assert body["signAlgo"] in credential.algorithms
        identity = self.sign_with or credential.identity
        pss = body["signAlgo"] == "1.2.840.113549.1.1.10"
        assert pss == ("signAlgoParams" in body)
        hash_name, digests = HASHES[body["hashAlgorithmOID"]], map(base64.b64decode, body["hashes"])
        values = [identity.sign_digest(digest, hash_name, pss=pss) for digest in digests]
        return httpx.Response(200, json={"signatures": [base64.b64encode(value).decode() for value in values]})


current = Remote()


def transport_for(_address: str) -> httpx.BaseTransport:
    """What settings.CLIENT_TRANSPORT names in these tests."""
    return httpx.MockTransport(lambda request: current.handle(request))

"""A signing service at the HTTP boundary that has whatever credentials a test gives it, and remembers who asked."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from config.transport import refuse_open_transaction

QUALIFIER = "paraph_demonstration"


def credential(credential_id: str, **members: Any) -> dict[str, Any]:
    """As ``credentials/info`` of version 2 tells it, with its identifier."""
    told: dict[str, Any] = {
        "credentialID": credential_id,
        "description": f"Alice's {credential_id}",
        "signatureQualifier": QUALIFIER,
        "key": {"status": "enabled", "algo": ["1.2.840.10045.4.3.2"], "len": 256},
        "cert": {"status": "valid", "subjectDN": "CN=Alice", "validTo": "20281124120000Z"},
        "auth": {"mode": "oauth2code", "objects": []},
        "SCAL": "2",
        "multisign": 10,
    }
    return told | members


@dataclass
class SigningService:
    credentials: list[Any] = field(default_factory=list)
    prepared: list[httpx.Response] = field(default_factory=list)
    failure: Exception | httpx.Response | None = None
    tokens: list[str] = field(default_factory=list)

    def handle(self, request: httpx.Request) -> httpx.Response:
        refuse_open_transaction()
        self.tokens.append(request.headers["authorization"].removeprefix("Bearer "))
        if isinstance(self.failure, Exception):
            raise self.failure
        if self.failure is not None:
            return self.failure
        if request.url.path.endswith("/credentials/list"):
            assert json.loads(request.content)["credentialInfo"] is True
            return httpx.Response(200, json={"credentialIDs": [], "credentialInfos": self.credentials})
        assert request.url.path.endswith("/credentials/prepareCertificate")
        return self.prepared.pop(0)


current = SigningService()


def transport_for(_address: str) -> httpx.BaseTransport:
    """What settings.CLIENT_TRANSPORT names in these tests."""
    return httpx.MockTransport(lambda request: current.handle(request))

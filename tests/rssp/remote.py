"""An authorization server at the HTTP boundary that says what a test wants, with real assertions behind it."""

import base64
import json
import time
import uuid
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs

import httpx
from django.conf import settings

from config.transport import refuse_open_transaction
from rssp import activation
from tests.rssp.test_activation import sign, signing_approval
from tests.support.authenticator import Authenticator, b64

SHA256_OID = "2.16.840.1.101.3.4.2.1"


@dataclass
class Remote:
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)
    failure: Exception | httpx.Response | None = None
    # Requests out of band, and what the token endpoint says of each (pending while nothing else is said).
    asked: list[dict[str, str]] = field(default_factory=list)
    answers: dict[str, httpx.Response] = field(default_factory=dict)
    polled: int = 0

    def handle(self, request: httpx.Request) -> httpx.Response:
        refuse_open_transaction()
        if isinstance(self.failure, Exception):
            raise self.failure
        if self.failure is not None:
            return self.failure
        secret = f"{settings.RSSP_CLIENT_ID}:{settings.RSSP_CLIENT_SECRET}".encode()
        assert request.headers["authorization"] == f"Basic {base64.b64encode(secret).decode()}"
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        if request.url.path.endswith("/bc-authorize"):
            return self._ask(form)
        if request.url.path.endswith("/token"):
            return self._redeem(form)
        token = form["token"]
        return httpx.Response(200, json=self.tokens.get(token, {"active": False}))

    def _ask(self, form: dict[str, str]) -> httpx.Response:
        """OpenID CIBA Core, 7.3."""
        self.asked.append(form | {"auth_req_id": uuid.uuid4().hex})
        return httpx.Response(
            200, json={"auth_req_id": self.asked[-1]["auth_req_id"], "expires_in": 600, "interval": 1}
        )

    def _redeem(self, form: dict[str, str]) -> httpx.Response:
        assert form["grant_type"] == "urn:openid:params:grant-type:ciba"
        self.polled += 1
        pending = httpx.Response(400, json={"error": "authorization_pending"})
        return self.answers.get(form["auth_req_id"], pending)

    def grant(self, subject: str, scope: str, **members: Any) -> str:
        token = f"{scope.replace(' ', '-')}-{uuid.uuid4()}"
        self.tokens[token] = {
            "active": True,
            "iss": settings.ISSUER,
            "client_id": settings.GATEWAY_CLIENT_ID,
            "sub": subject,
            "scope": scope,
            "aud": [settings.RSSP_RESOURCE],
            "exp": int(time.time()) + 300,
            **members,
        }
        return token


current = Remote()


def transport_for(address: str) -> httpx.BaseTransport:
    """What settings.CLIENT_TRANSPORT names in these tests; an OpenID provider that is configured runs, and is asked."""
    if address == settings.IDENTITY_ISSUER:
        return httpx.HTTPTransport()
    return httpx.MockTransport(lambda request: current.handle(request))


def evidence(given: Any, kind: str) -> dict[str, Any]:
    """``paraph_approval`` as authz writes it."""
    passkey = {"id": b64(given.passkey_id)}
    if kind == activation.CREATION:
        passkey["public_key"] = b64(given.passkey_public_key)
    return {
        "version": 1,
        "kind": kind,
        "nonce": b64(given.nonce),
        "rp_id": settings.APPROVAL_RP_ID,
        "origin": settings.APPROVAL_ORIGIN,
        "expires_at": given.expires_at,
        "passkey": passkey,
        "assertion": {
            "authenticator_data": b64(given.assertion.authenticator_data),
            "client_data_json": b64(given.assertion.client_data_json),
            "signature": b64(given.assertion.signature),
        },
    }


def write_digests(given: activation.SigningApproval) -> list[dict[str, Any]]:
    return [
        {"hash": base64.b64encode(item.digest).decode(), "label": item.label, "hashType": item.hash_type}
        for item in given.digests
    ]


def approve_creation(remote: Remote, key: Authenticator, subject: str, key_algorithm: str, **changes: Any) -> str:
    """A token of scope ``credential-creation``."""
    given = activation.CreationApproval(
        nonce=uuid.uuid4().bytes * 2,
        client_id=settings.GATEWAY_CLIENT_ID,
        subject=subject,
        certificate_policy="demonstration",
        key_algorithm=key_algorithm,
        common_name="Alice Example",
        email="alice@example.org",
        expires_at=int(time.time()) + 600,
        passkey_id=key.credential_id,
        passkey_public_key=key.public_key,
        assertion=activation.Assertion(b"", b"", b""),
    )
    given = replace(given, **changes)
    given = sign(key, given, rp_id=settings.APPROVAL_RP_ID, origin=settings.APPROVAL_ORIGIN)
    detail = {
        "type": "credential-creation",
        "certificatePolicy": given.certificate_policy,
        "keyAlgorithm": key_algorithm,
        "subject": {
            "commonName": given.common_name,
            "email": given.email,
            "emailVerified": given.email_verified,
        },
    }
    return remote.grant(
        subject,
        "credential-creation",
        authorization_details=[detail],
        paraph_approval=evidence(given, activation.CREATION),
    )


def approve_deletion(remote: Remote, key: Authenticator, subject: str, credential_id: str, **changes: Any) -> str:
    """A token of scope ``credential-deletion``."""
    given = activation.DeletionApproval(
        nonce=uuid.uuid4().bytes * 2,
        client_id=settings.GATEWAY_CLIENT_ID,
        subject=subject,
        credential_id=credential_id,
        revocation_reason="",
        expires_at=int(time.time()) + 600,
        passkey_id=key.credential_id,
        assertion=activation.Assertion(b"", b"", b""),
    )
    given = replace(given, **changes)
    given = sign(key, given, rp_id=settings.APPROVAL_RP_ID, origin=settings.APPROVAL_ORIGIN)
    reason = given.revocation_reason
    detail: dict[str, Any] = {"type": activation.DELETION, "credentialID": credential_id, "revoke": reason != ""}
    return remote.grant(
        subject,
        activation.DELETION,
        authorization_details=[detail | ({"revocationReason": reason} if reason else {})],
        paraph_approval=evidence(given, activation.DELETION),
    )


def approve_binding(
    remote: Remote,
    key: Authenticator,
    subject: str,
    credential_id: str,
    bound: Authenticator,
    action: str = "bind",
    **changes: Any,
) -> str:
    """A token of scope ``passkey-binding``: ``key`` approves that ``bound`` is bound or unbound."""
    given = activation.BindingApproval(
        nonce=uuid.uuid4().bytes * 2,
        client_id=settings.GATEWAY_CLIENT_ID,
        subject=subject,
        credential_id=credential_id,
        action=action,
        bound_id=bound.credential_id,
        bound_public_key=bound.public_key,
        expires_at=int(time.time()) + 600,
        passkey_id=key.credential_id,
        assertion=activation.Assertion(b"", b"", b""),
    )
    given = replace(given, **changes)
    given = sign(key, given, rp_id=settings.APPROVAL_RP_ID, origin=settings.APPROVAL_ORIGIN)
    detail = {
        "type": activation.BINDING,
        "credentialID": credential_id,
        "action": given.action,
        "passkey": {"id": b64(given.bound_id), "publicKey": b64(given.bound_public_key)},
    }
    return remote.grant(
        subject,
        activation.BINDING,
        authorization_details=[detail],
        paraph_approval=evidence(given, activation.BINDING),
    )


def approve_signing(
    remote: Remote,
    key: Authenticator,
    subject: str,
    credential_id: str,
    digests: list[bytes],
    *,
    hash_type: str = "dtbsr",
    place: dict[str, str] | None = None,
    how: dict[str, Any] | None = None,
    **changes: Any,
) -> str:
    """A token of scope ``credential``; ``how`` and ``place`` are the authenticator's deviations."""
    given = signing_approval(
        key,
        nonce=uuid.uuid4().bytes * 2,
        client_id=settings.GATEWAY_CLIENT_ID,
        subject=subject,
        credential_id=credential_id,
        num_signatures=len(digests),
        digests=tuple(activation.ApprovedDigest(hash_type, item, "Lease.pdf") for item in digests),
        expires_at=int(time.time()) + 600,
    )
    given = replace(given, **changes)
    where = {"rp_id": settings.APPROVAL_RP_ID, "origin": settings.APPROVAL_ORIGIN} | (place or {})
    given = sign(key, given, **where, **(how or {}))
    detail = {
        "type": "credential",
        "credentialID": given.credential_id,
        "numSignatures": given.num_signatures,
        "hashAlgorithmOID": given.hash_algorithm_oid,
        "documentDigests": write_digests(given),
    }
    if given.on_behalf_of:
        detail["onBehalfOf"] = given.on_behalf_of
    return remote.grant(
        subject,
        "credential",
        authorization_details=[detail],
        paraph_approval=evidence(given, activation.SIGNING),
    )


def answer_out_of_band(remote: Remote, key: Authenticator, subject: str, **changes: Any) -> str:
    """The signer approves what was asked for last; the access token that the token endpoint has for it now."""
    asked = remote.asked[-1]
    (detail,) = json.loads(asked["authorization_details"])
    digests = [base64.b64decode(item["hash"]) for item in detail["documentDigests"]]
    told = {
        "client_id": settings.RSSP_CLIENT_ID,
        "on_behalf_of": detail["onBehalfOf"],
        "hash_algorithm_oid": detail["hashAlgorithmOID"],
        "credential_id": detail["credentialID"],
        "approved": digests,
    } | changes
    token = approve_signing(remote, key, subject, told.pop("credential_id"), told.pop("approved"), **told)
    remote.tokens[token]["client_id"] = told["client_id"]
    remote.answers[asked["auth_req_id"]] = httpx.Response(200, json={"access_token": token, "token_type": "Bearer"})
    return token

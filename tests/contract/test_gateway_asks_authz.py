"""The gateway's own client against the authorization server itself: what one writes, the other reads."""

import base64
import secrets
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from gateway import wire
from gateway.clients import authorization_server, introspection
from gateway.errors import ApprovalExpiredError, ApprovalRefusedError, InvalidTokenError
from tests.authz.conftest import (
    SIGNAPP,
    Person,
    Server,
    alice,
    clients,
    digest,
    login_code,
    query,
    server,
)

__all__ = ["alice", "clients", "login_code", "server"]

pytestmark = pytest.mark.django_db(databases=["default", *{"gateway"} & set(settings.DATABASES)], transaction=True)

VERIFIER = secrets.token_urlsafe(48)


def signing() -> list[dict[str, Any]]:
    return wire.signing_details(
        credential_id="credential-1",
        hash_algorithm_oid="2.16.840.1.101.3.4.2.1",
        documents=[
            (base64.b64encode(digest("Lease")).decode(), wire.make_label(name="Lease.pdf", pages=3, size=48_000))
        ],
        credential_label="Alice, RSA 2048",
    )


def approve(person: Person, scope: str, details: list[dict[str, Any]]) -> dict[str, str]:
    pushed = authorization_server.push_request(scope=scope, details=details, state="state-1", verifier=VERIFIER)
    assert pushed.expires_in == 90
    arrived = person.browser.get(pushed.authorization_url.removeprefix(settings.AUTHZ_URL))
    return query(person.approve(arrived["Location"])["Location"])


@pytest.mark.parametrize(
    ("scope", "make"),
    [
        ("credential", signing),
        (
            "credential-creation",
            lambda: wire.creation_details(certificate_policy="demonstration", key_algorithm="ec-p256"),
        ),
    ],
)
def test_an_approval_comes_back_as_it_was_asked_for(alice: Person, scope: str, make: Any) -> None:
    alice.log_in()
    answer = approve(alice, scope, make())
    assert answer["state"] == "state-1"
    assert answer["iss"] == settings.ISSUER
    token = authorization_server.redeem_code(code=answer["code"], verifier=VERIFIER)
    assert wire.is_same_approval(make(), token.authorization_details)
    assert token.sub == str(alice.user.sub)
    with pytest.raises(ApprovalExpiredError):
        authorization_server.redeem_code(code=answer["code"], verifier=VERIFIER)


def test_a_refused_push_is_told_apart_from_a_server_that_is_away(alice: Person) -> None:
    with pytest.raises(ApprovalRefusedError):
        authorization_server.push_request(scope="service", details=signing(), state="s", verifier=VERIFIER)


def test_the_gateway_reads_a_service_token_and_refuses_every_other(
    alice: Person, server: Server, login_code: Any
) -> None:
    code, pkce = login_code(alice)
    service = server.redeem(code, pkce, SIGNAPP).json()["access_token"]
    caller = introspection.verify_token(service)
    assert (caller.issuer, caller.subject) == (settings.ISSUER, str(alice.user.sub))
    answer = approve(alice, "credential", signing())
    credential = authorization_server.redeem_code(code=answer["code"], verifier=VERIFIER)
    for token in (credential.access_token, "unknown", ""):
        with pytest.raises(InvalidTokenError):
            introspection.verify_token(token)
    alice.browser.post("/authz/sessions/end-all")
    with pytest.raises(InvalidTokenError):
        introspection.verify_token(service)


def test_no_browser_is_needed_for_discovery() -> None:
    assert Client().get("/.well-known/oauth-authorization-server/authz").json()["issuer"] == settings.ISSUER

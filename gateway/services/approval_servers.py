"""Who approves a job: authz, which shows and grants its digest, or another OpenID provider in its place, which cannot.

Both ask by an address for the browser, keep something secret until the answer, and make of a code a token for this job
and signer. What that token is worth differs, and is rssp's to judge (docs/signing-cycle.md).
"""

import json
import logging
import secrets
from dataclasses import dataclass
from typing import Any, Protocol

from django.conf import settings

from gateway.clients import authorization_server, external_provider
from gateway.clients.authorization_server import PushedRequest
from gateway.clients.external_provider import Question
from gateway.errors import ApprovalNotOfferedError, ApprovalRefusedError
from gateway.wire import is_same_approval, with_links

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """``secret`` is to be kept, encrypted, for the answer."""

    request: PushedRequest
    secret: str

    def __repr__(self) -> str:
        return f"Asked({self.request!r})"


@dataclass(frozen=True)
class Granted:
    """The token for signHash, and the seconds that it lives."""

    access_token: str
    expires_in: int

    def __repr__(self) -> str:
        return f"Granted({self.expires_in!r})"


class ApprovalServer(Protocol):
    """``redirect_uri`` is where the browser comes back, signapp's callback where it is empty."""

    def ask(self, *, details: list[dict[str, Any]], state: str, link: str, redirect_uri: str) -> Asked:
        """Raises `ApprovalRefusedError` or `AuthorizationServerUnavailableError`."""

    def redeem(
        self, *, code: str, secret: str, details: list[dict[str, Any]], subject: str, redirect_uri: str
    ) -> Granted:
        """Raises approval errors, `ApprovalRefusedError` too for a token that is not for these details and this
        subject; `AuthorizationServerNotReachedError` if the code was not spent."""


class Authz:
    """The digest is pushed, shown, approved by passkey, and compared in what was granted."""

    def ask(self, *, details: list[dict[str, Any]], state: str, link: str, redirect_uri: str) -> Asked:
        verifier = secrets.token_urlsafe(48)
        pushed = authorization_server.push_request(
            scope="credential",
            details=with_links(details, [link]),
            state=state,
            verifier=verifier,
            redirect_uri=redirect_uri,
        )
        return Asked(pushed, verifier)

    def redeem(
        self, *, code: str, secret: str, details: list[dict[str, Any]], subject: str, redirect_uri: str
    ) -> Granted:
        answer = authorization_server.redeem_code(code=code, verifier=secret, redirect_uri=redirect_uri)
        fits = (
            answer.scope.split() == ["credential"]
            and answer.sub == subject
            and is_same_approval(details, answer.authorization_details)
        )
        if not fits:
            log.warning("the token does not fit the approval that was asked for")
            raise ApprovalRefusedError
        return Granted(answer.access_token, answer.expires_in)


class ExternalProvider:
    """No digest and no link leave: the provider would show neither. That the token signs this job's digest and nothing
    else is this role's care alone."""

    def ask(self, *, details: list[dict[str, Any]], state: str, link: str, redirect_uri: str) -> Asked:
        if redirect_uri:  # the provider knows one, which is signapp's
            raise ApprovalNotOfferedError
        question = external_provider.make_question()
        return Asked(external_provider.request_approval(question=question, state=state), question.to_text())

    def redeem(
        self, *, code: str, secret: str, details: list[dict[str, Any]], subject: str, redirect_uri: str
    ) -> Granted:
        try:
            question = Question.from_text(secret)
        except (TypeError, json.JSONDecodeError):  # asked of authz, before the settings changed
            raise ApprovalRefusedError from None
        answer = external_provider.redeem_code(code=code, question=question, subject=subject)
        return Granted(answer.access_token, answer.expires_in)


def approval_server() -> ApprovalServer:
    """The one of this installation."""
    return ExternalProvider() if settings.EXTERNAL_ISSUER else Authz()

"""The table of the operators' API's calls: what each is for, what it takes, what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rssp.openapi.operators_schemas import (
    ACT,
    APPROVAL,
    CERTIFICATE,
    CREDENTIAL_QUERY,
    CSR,
    NEW_CREDENTIAL,
    NOTHING,
    RENEWAL,
    REQUEST_QUERY,
    REVOCATION,
    ref,
)
from rssp.openapi.schemas import Schema


@dataclass(frozen=True)
class Call:
    """``answers`` maps a success's status to its shape; ``takes`` is the shape of a POST's body, ``query`` those of a
    GET's parameters."""

    method: Literal["GET", "POST"]
    path: str
    name: str
    summary: str
    answers: Mapping[int, Schema]
    takes: Schema | None = None
    query: Mapping[str, Schema] = field(default_factory=dict)
    description: str = ""


_CREDENTIAL, _REQUEST = ref("Credential"), ref("Request")
_ONE, _ASKED = "/credentials/{credential_id}", "/requests/{number}"

CALLS: tuple[Call, ...] = (
    Call(
        *("GET", "/credentials", "list_credentials", "Credentials, the newest first"),
        {200: ref("Credentials")},
        query=CREDENTIAL_QUERY,
    ),
    Call(
        *("POST", "/credentials", "create_credential", "A credential that no passkey approved"),
        {201: _CREDENTIAL},
        NEW_CREDENTIAL,
        description="One that its owner's passkey opens is the owner's to ask for, by the CSC API.",
    ),
    Call(
        *("GET", _ONE, "show_credential", "One credential, its certificates and what was done with it"),
        {200: ref("WholeCredential")},
    ),
    Call("POST", f"{_ONE}/enable", "enable_credential", "Opens it again", {200: _CREDENTIAL}, ACT),
    Call("POST", f"{_ONE}/disable", "disable_credential", "Closes it for a time", {200: _CREDENTIAL}, ACT),
    Call("POST", f"{_ONE}/suspend", "suspend_credential", "Puts its certificate on hold", {200: _CREDENTIAL}, ACT),
    Call("POST", f"{_ONE}/resume", "resume_credential", "Takes its certificate off hold", {200: _CREDENTIAL}, ACT),
    Call(
        *("POST", f"{_ONE}/revoke", "revoke_credential", "Ends it: certificate revoked, key destroyed"),
        {200: ref("EndedCredential"), 202: ref("EndedCredential")},
        REVOCATION,
        description="202 where a second operator has to confirm it.",
    ),
    Call(
        *("POST", f"{_ONE}/withdraw", "withdraw_end", "Takes back the proposal to end it"),
        {200: _CREDENTIAL},
        ACT,
    ),
    Call(
        *("POST", f"{_ONE}/renew", "renew_credential", "Another certificate, for the same key or a new one"),
        {200: _REQUEST, 202: _REQUEST},
        RENEWAL,
        description="202 where it waits for a second operator, or for its authority.",
    ),
    Call(
        *("GET", "/requests", "list_requests", "Requests for certificates, the newest first"),
        {200: ref("Requests")},
        query=REQUEST_QUERY,
    ),
    Call("GET", _ASKED, "show_request", "One request", {200: _REQUEST}),
    Call(
        *("POST", f"{_ASKED}/approve", "approve_request", "Vouches for its attributes"),
        {200: _REQUEST, 202: _REQUEST},
        APPROVAL,
        description="202 while it waits; reason says for what. The second of two operators states no attributes.",
    ),
    Call(
        *("POST", f"{_ASKED}/refuse", "refuse_request", "Refuses it; its key is destroyed"),
        {200: _REQUEST},
        ACT,
        description="Its owner reads the reason.",
    ),
    Call("POST", f"{_ASKED}/issue", "issue_request", "Asks its authority again", {200: _REQUEST}, NOTHING),
    Call("POST", f"{_ASKED}/csr", "export_request", "What an authority elsewhere is asked by", {200: CSR}, NOTHING),
    Call(
        *("POST", f"{_ASKED}/certificate", "import_certificate", "What an authority elsewhere issued for it"),
        {200: _REQUEST},
        CERTIFICATE,
    ),
    Call(
        *("POST", f"{_ASKED}/end", "end_standing", "Ends a short-lived credential"),
        {200: _REQUEST, 202: _REQUEST},
        ACT,
        description="202 where a second operator has to confirm it.",
    ),
    Call(
        *("POST", f"{_ASKED}/withdraw", "withdraw_standing_end", "Takes back the proposal to end it"),
        {200: _REQUEST},
        ACT,
    ),
    Call("GET", "/counts", "count", "How many there are", {200: ref("Counts")}),
)

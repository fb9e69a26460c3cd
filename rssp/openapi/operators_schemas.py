"""JSON Schemas (2020-12) of what the operators' API takes and answers. All are closed: what is unknown is refused."""

from collections.abc import Iterable

from rssp.algorithms import KEY_ALGORITHMS
from rssp.models import (
    AuditEvent,
    Certificate,
    CertificateRequest,
    Credential,
    CredentialEnd,
    RequestAttribute,
    RequestDecision,
    SigningKey,
)
from rssp.openapi.schemas import ERROR, Schema, array, boolean, closed, integer, nullable, string, time
from rssp.services.creating_explicit import DEFAULT_MULTISIGN
from rssp.services.inventory import MOST_EVENTS
from rssp.services.issuing import LONGEST_CERTIFICATE_FILE
from rssp.wire import operators as wire


def _one_of(values: Iterable[str], description: str = "") -> Schema:
    return string(description, enum=list(values))


# --- Answers ------------------------------------------------------------------------------------------------

_STATUS = _one_of([*Certificate.Status.values, "expired"])
_CREDENTIAL = {
    "credential_id": string(),
    "issuer": string("Who vouches for its owner."),
    "subject": string("Its owner's sub."),
    "description": string(),
    "status": _one_of(Credential.Status.values),
    "auth_mode": _one_of(Credential.AuthMode.values, "What opens it."),
    "is_seal": {"type": "boolean"},
    "scal": _one_of(["1", "2"]),
    "certificate_policy": string(),
    "key_algorithm": string(examples=["rsa-2048", "ec-p256"]),
    "key_state": _one_of(SigningKey.State.values),
    "certificate_status": _STATUS,
    "serial_number": string("Hexadecimal"),
    "expires_at": time("When its certificate ends."),
    "created_at": time(),
}
_CERTIFICATE = closed(
    {
        "serial_number": string("Hexadecimal"),
        "subject": string("RFC 4514"),
        "status": _STATUS,
        "revocation_reason": _one_of(["", *Certificate.Reason.values]),
        "revoked_at": nullable(time()),
        "not_before": time(),
        "not_after": time(),
        "pem": string(),
    }
)
_EVENT = closed(
    {
        "happened_at": time(),
        "action": _one_of(AuditEvent.Action.values),
        "result": _one_of(AuditEvent.Result.values),
        "by": string("Who did it, by their sub or their name."),
        "client_id": string(),
        "reason": string(),
        "request_id": string("Names the call in the service's log."),
    }
)
_PROPOSED_END = nullable(
    closed(
        {
            "reason_code": _one_of(CredentialEnd.Code.values),
            "reason": string(),
            "proposed_by": string(),
            "proposed_at": time(),
        }
    )
)
_REQUEST = closed(
    {
        "number": integer("Names it in addresses.", minimum=1),
        "credential_id": string("What the credential is called, or will be."),
        "is_renewal": {"type": "boolean"},
        "subject": string("The owner's sub."),
        "client_id": string("By which client it was asked for, or empty."),
        "certificate_policy": string(),
        "key_algorithm": string(),
        "state": _one_of(CertificateRequest.State.values),
        "reason": string("Why it was refused, or what is in the way."),
        "attributes": array(
            closed(
                {
                    "name": string(),
                    "value": string(),
                    "source": _one_of(RequestAttribute.Source.values, "Who verified it; empty: nobody."),
                    "verifier": string(),
                    "evidence": string(),
                }
            )
        ),
        "decisions": array(
            closed(
                {
                    "operator": string(),
                    "verdict": _one_of(RequestDecision.Verdict.values),
                    "text": string("The evidence, or why it was refused."),
                    "decided_at": time(),
                }
            )
        ),
        "created_at": time(),
        "expires_at": time(),
    }
)


def _numbers(names: Iterable[str], description: str) -> Schema:
    return closed({name: integer(minimum=0) for name in names}) | {"description": description}


_COUNTS = closed(
    {
        "credentials": _numbers(Credential.Status.values, "By status."),
        "certificates": _numbers([*Certificate.Status.values, "expired"], "Signers' and seals', by status."),
        "requests": _numbers(CertificateRequest.State.values, "By state."),
        "expiring": _numbers(["7", "30", "90"], "Certificates that end within so many days."),
        "proposed_ends": integer("That wait for a second operator.", minimum=0),
    }
)
_CURSOR = nullable(string("Of the next page; null on the last one."))

COMPONENTS: dict[str, Schema] = {
    "Error": ERROR,
    "Credential": closed(_CREDENTIAL),
    "Credentials": closed({"credentials": array(closed(_CREDENTIAL)), "next_cursor": _CURSOR}),
    "WholeCredential": closed(
        _CREDENTIAL
        | {
            "certificates": array(_CERTIFICATE, "All that it ever had, the newest first."),
            "events": array(_EVENT, "The latest of its audit, the newest first.", maxItems=MOST_EVENTS),
            "proposed_end": _PROPOSED_END,
        }
    ),
    "EndedCredential": closed(_CREDENTIAL | {"proposed_end": _PROPOSED_END}),
    "Request": _REQUEST,
    "Requests": closed({"requests": array(_REQUEST), "next_cursor": _CURSOR}),
    "Counts": _COUNTS,
}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


CSR = closed({"csr": string("PKCS#10, PEM, signed by the key in the HSM.")})

# --- Requests -----------------------------------------------------------------------------------------------

_REASON = {
    "reason": string(
        f"In the operator's own words, {wire.SHORTEST_REASON} to {wire.LONGEST_REASON} characters.",
        minLength=wire.SHORTEST_REASON,
        maxLength=wire.LONGEST_REASON,
        examples=["Asked for by letter"],
    )
}
_OBJECT = closed(
    {"name": string("Of the signer's choice of factors; the expression names it.", minLength=1)}
    | {"kind": _one_of(wire.OBJECT_KINDS)},
    {"secret": string("The PIN, the key in base32 (totp, ocra), the address (email); none of a passkey.")},
)
NOTHING = closed({})
ACT = closed(_REASON)
REVOCATION = closed({"reason_code": _one_of(CredentialEnd.Code.values), **_REASON})
RENEWAL = closed(_REASON, {"new_key": boolean("Whether it gets another key.")})
APPROVAL = closed(
    {
        "evidence": string(
            f"What the operator saw, {wire.SHORTEST_REASON} to {wire.LONGEST_EVIDENCE} characters.",
            minLength=wire.SHORTEST_REASON,
            maxLength=wire.LONGEST_EVIDENCE,
            examples=["Passport, seen in person"],
        )
    },
    {"attributes": closed({}, {name: string() for name in wire.ATTRIBUTES}) | {"description": "As the policy wants."}},
)
CERTIFICATE = closed(
    {
        "certificate": string(
            "PEM, its chain after it.", minLength=1, maxLength=LONGEST_CERTIFICATE_FILE, pattern=r"^[\t\n\r -~]+$"
        )
    }
)
NEW_CREDENTIAL = closed(
    {
        "mode": _one_of(wire.MODES),
        "subject": string("Its owner's sub.", minLength=1, maxLength=255),
        "common_name": string("What its certificate says.", minLength=1),
        "certificate_policy": string(minLength=1, examples=["demonstration"]),
        "key_algorithm": _one_of(KEY_ALGORITHMS),
        **_REASON,
    },
    {
        "objects": array(_OBJECT, "What opens it; of mode implicit one passkey, not of mode external."),
        "expression": string("AND, OR, XOR and brackets over the objects' names; absent: all. Not of mode external."),
        "scal": _one_of(["1", "2"], "Absent: 2. Not of mode external."),
        "multisign": integer(
            "The most signatures of one authorisation. Not of mode external.",
            minimum=1,
            maximum=DEFAULT_MULTISIGN,
            default=DEFAULT_MULTISIGN,
        ),
    },
)

# --- Questions ----------------------------------------------------------------------------------------------

_TEXT = {"minLength": 1, "maxLength": 255}
_PAGING = {
    "limit": integer("How many on a page.", minimum=1, maximum=wire.MOST_ON_A_PAGE, default=wire.PAGE_SIZE),
    "cursor": string("next_cursor of the page before.", pattern=rf"^[0-9]{{1,{wire.LONGEST_NUMBER}}}$"),
}
CREDENTIAL_QUERY: dict[str, Schema] = {
    "q": string(
        "A part of identifier, owner or description, or a serial number.", minLength=1, maxLength=wire.LONGEST_QUERY
    ),
    "status": _one_of(Credential.Status.values),
    "certificate_status": _one_of(Certificate.Status.values),
    "policy": string("certificate_policy", **_TEXT),
    "subject": string("The owner's sub.", **_TEXT),
    "expires_before": string("RFC 3339, or a day.", anyOf=[{"format": "date-time"}, {"format": "date"}]),
    **_PAGING,
}
REQUEST_QUERY: dict[str, Schema] = {
    "state": _one_of(CertificateRequest.State.values),
    "policy": string("certificate_policy", **_TEXT),
    "subject": string("The owner's sub.", **_TEXT),
    **_PAGING,
}

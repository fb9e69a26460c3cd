"""JSON Schemas (2020-12) of what the CSC API takes and answers, for both versions. Plain Python.

Requests are open, because unknown members are ignored (CSC API v2, 10.1); answers are closed, so that a test sees a
member that nobody described.
"""

from typing import Any

from rssp.wire import MOST_HASHES, Version

Schema = dict[str, Any]

OID = r"^[0-2](\.(0|[1-9][0-9]*))+$"
TIME = r"^[0-9]{14}Z$"


def string(description: str = "", **more: Any) -> Schema:
    return _described({"type": "string", **more}, description)


def integer(description: str = "", **more: Any) -> Schema:
    return _described({"type": "integer", **more}, description)


def boolean(description: str = "") -> Schema:
    return _described({"type": "boolean", "default": False}, description)


def time(description: str = "") -> Schema:
    """RFC 3339."""
    return string(description, format="date-time")


def nullable(schema: Schema) -> Schema:
    """Of an object, an array or a text that is no enumeration."""
    return schema | {"type": [schema["type"], "null"]}


def array(items: Schema, description: str = "", **more: Any) -> Schema:
    return _described({"type": "array", "items": items, **more}, description)


def closed(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object of an answer, or of a call that refuses what it does not know: these members and no others."""
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": list(required),
        "additionalProperties": False,
    }


def opened(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object of a request: what else is there is ignored."""
    body: Schema = {"type": "object", "properties": required | (optional or {})}
    return body | {"required": list(required)} if required else body


def _described(schema: Schema, description: str) -> Schema:
    return schema | {"description": description} if description else schema


def oid(description: str = "") -> Schema:
    return string(description, pattern=OID, examples=["2.16.840.1.101.3.4.2.1"])


def base64(description: str = "", **more: Any) -> Schema:
    return string(description, contentEncoding="base64", **more)


CLIENT_DATA = {"clientData": string("Whatever the application wants to have kept with the call.")}
LANGUAGE = {"lang": string("The language that the answer's texts are wanted in (RFC 5646).", examples=["en"])}
ERROR = closed(
    {"error": string(), "error_description": string(), "request_id": string("Names this call in the service's log.")}
)
SHOWN = {
    "certificates": string("Which certificates the answer holds.", enum=["none", "single", "chain"], default="single"),
    "certInfo": boolean("Whether the answer tells the certificate's names, number and times."),
    "authInfo": boolean("Whether the answer tells how the credential is authorised."),
}
# The two spellings of one parameter.
HASHES: dict[Version, str] = {1: "hash", 2: "hashes"}
HASH_ALGORITHM: dict[Version, str] = {1: "hashAlgo", 2: "hashAlgorithmOID"}


def hashes(version: Version, description: str) -> dict[str, Schema]:
    return {HASHES[version]: array(base64(), description, maxItems=MOST_HASHES)}


def credential(version: Version) -> dict[str, Schema]:
    """The members of ``credentials/info`` that are always there."""
    key = closed(
        {
            "status": string(enum=["enabled", "disabled"]),
            "algo": array(oid(), "What may stand in signAlgo."),
            "len": integer("Bits.", minimum=256),
        },
        {"curve": oid("Of an elliptic-curve key.")},
    )
    cert = closed(
        {},
        {
            "status": string(enum=["valid", "expired", "revoked", "suspended"]),
            "certificates": array(base64("DER"), "The signer's first."),
            "issuerDN": string("RFC 4514"),
            "serialNumber": string("Hexadecimal", pattern="^[0-9A-F]+$"),
            "subjectDN": string("RFC 4514"),
            "validFrom": string(pattern=TIME),
            "validTo": string(pattern=TIME),
        },
    )
    told: dict[str, Schema] = {
        "key": key,
        "cert": cert,
        "multisign": integer("The most signatures that one authorisation can hold.", minimum=1),
    }
    if version == 1:
        return told | {"authMode": string(enum=["implicit", "explicit", "oauth2code"])}
    authentication = closed(
        {"mode": string(enum=["explicit", "oauth2code"])},
        {"expression": string("AND, OR, XOR and brackets over the objects' ids."), "objects": array(_object())},
    )
    return told | {"auth": authentication}


def _object() -> Schema:
    return closed(
        {
            "type": string(enum=["Password", "PasswordOOB", "ChallengeResponse", "ChallengeResponseOOB"]),
            "id": string(),
        },
        {
            "format": string(enum=["A", "N"]),
            "label": string(),
            "description": string(),
            "generator": string(),
        },
    )


def credential_extras(version: Version) -> dict[str, Schema]:
    """The members that may be there."""
    request = closed(
        {
            "state": string(enum=["waiting", "approved", "refused", "expired", "ended", "issued", "standing"]),
            "requestedAt": string(pattern=TIME),
            "expiresAt": string(pattern=TIME),
        },
        {
            "reason": string("Why it was refused."),
            "identityProvider": string("Where its owner may show who they are."),
            "identifiedBy": string("Where they did."),
        },
    )
    extras: dict[str, Schema] = {
        "certificateRequest": request | {"description": "Our own: where a credential without a certificate stands."},
        "description": string(maxLength=255),
        "SCAL": string("1: not bound to a hash. 2: bound to the hashes.", enum=["1", "2"]),
        "lang": string(),
        "certificatePolicy": string("Our own: the certificate's profile."),
    }
    if version == 2:
        validity = closed({"validitySeconds": integer("How long each certificate is good for.", minimum=1)})
        short = validity | {"description": "Our own: a certificate is made for each signature."}
        qualifier = string("The kind of signature that the operator says it makes (CSC API, 8.4.2).")
        return extras | {"shortLived": short, "signatureQualifier": qualifier}
    presence = string(enum=["true", "false", "optional"])
    shared = {"format": string(enum=["A", "N"]), "label": string(), "description": string()}
    return extras | {
        "PIN": closed({"presence": presence}, shared),
        "OTP": closed(
            {"presence": presence},
            shared | {"type": string(enum=["offline", "online"]), "ID": string(), "provider": string()},
        ),
    }

"""JSON Schemas (2020-12) of what the API takes and answers. Plain Python.

Requests are open, because unknown members are ignored; answers are closed, so that a test sees a member that nobody
described.
"""

from typing import Any

from gateway.models import Batch, Job
from gateway.pades.algorithms import HASHES
from gateway.pades.attributes import COMMITMENTS
from gateway.pades.levels import LEVELS
from gateway.wire import KEY_ALGORITHMS, LONGEST_SAD, MOST_JOBS, PASSKEY_ACTIONS

Schema = dict[str, Any]


def string(description: str = "", **more: Any) -> Schema:
    return _described({"type": "string", **more}, description)


def integer(description: str = "", **more: Any) -> Schema:
    return _described({"type": "integer", **more}, description)


def boolean(description: str = "") -> Schema:
    return _described({"type": "boolean"}, description)


def array(items: Schema, description: str = "", **more: Any) -> Schema:
    return _described({"type": "array", "items": items, **more}, description)


def identifier(description: str = "") -> Schema:
    return string(description, format="uuid")


def time(description: str = "") -> Schema:
    return string(description, format="date-time")


def nullable(schema: Schema) -> Schema:
    if "$ref" in schema or "properties" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    values = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return schema | values | {"type": [schema["type"], "null"]}


def closed(required: dict[str, Schema], optional: dict[str, Schema] | None = None, description: str = "") -> Schema:
    """An object of an answer: these members and no others."""
    body: Schema = {
        "type": "object",
        "properties": required | (optional or {}),
        "required": list(required),
        "additionalProperties": False,
    }
    return _described(body, description)


def opened(required: dict[str, Schema], optional: dict[str, Schema] | None = None, description: str = "") -> Schema:
    """An object of a request: what else is there is ignored."""
    body: Schema = {"type": "object", "properties": required | (optional or {})}
    return _described(body | ({"required": list(required)} if required else {}), description)


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _described(schema: Schema, description: str) -> Schema:
    return schema | ({"description": description} if description else {})


# --- Answers ------------------------------------------------------------------------------------------------

_FAILURE = closed({"code": string(), "message": string("A sentence for a person.")})
_LEVEL = string("EN 319 142-1, 6", enum=list(LEVELS))
_SHA256 = string("Hexadecimal", pattern="^[0-9a-f]{64}$")

ERROR = closed(
    {"error": string(), "error_description": string(), "request_id": string("Names this call in the service's log.")}
)
_INSPECTION = closed(
    {
        "pages": integer(minimum=1),
        "size": integer("Bytes", minimum=1),
        "sha256": _SHA256,
        "signatures": integer("How many there are already.", minimum=0),
        "encryption": nullable(string("The cipher, such as AES-256.")),
        "password_required": boolean("Whether it is read with a password alone."),
        "page_sizes": array(
            array({"type": "number"}, minItems=3, maxItems=3),
            "Pages as a reader sees them: width, height in 1/72 inch (0 if not to be measured), how many in a row.",
        ),
    }
)
_SIGNED = closed(
    {
        "size": integer("Bytes", minimum=1),
        "sha256": _SHA256,
        "level": string("The one that was reached."),
        "shortfall": nullable(string("Why it is not the one that was asked for.")),
        "lasts_until": nullable(time("When the last proof ends.")),
    }
)
_JOB = closed(
    {
        "job_id": identifier(),
        "state": string(enum=list(Job.State.values)),
        "document": closed({"name": string(), "pages": integer(), "size": integer("Bytes"), "sha256": _SHA256}),
        "credential_id": nullable(string()),
        "digest": nullable(string("What is to be signed.", contentEncoding="base64")),
        "hash_algorithm_oid": nullable(string()),
        "hash_type": string(const="dtbsr"),
        "label": string("What the signer reads on the page of the approval."),
        "level": nullable(_LEVEL),
        "signed": nullable(_SIGNED),
        "waits_for": nullable(string("Whose part it waits for: the code that it would fail with.")),
        "error": nullable(_FAILURE),
        "created_at": time(),
        "expires_at": time("When the documents are deleted."),
    }
)
_BATCH = closed(
    {
        "batch_id": identifier(),
        "state": string(enum=list(Batch.State.values)),
        "policy": string(enum=list(Batch.Policy.values)),
        "credential_id": nullable(string()),
        "level": nullable(_LEVEL),
        "total": integer(minimum=0),
        "states": {
            "type": "object",
            "additionalProperties": integer(minimum=0),
            "description": "How many jobs are in which state.",
        },
        "waiting": {
            "type": "object",
            "additionalProperties": integer(minimum=1),
            "description": "How many jobs wait for whose part, by the code that they would fail with.",
        },
        "error": nullable(_FAILURE),
        "created_at": time(),
        "expires_at": time(),
    }
)
_BATCH_JOBS = closed(
    {
        "jobs": array(
            closed(
                {
                    "job_id": identifier(),
                    "name": string(),
                    "state": string(enum=list(Job.State.values)),
                    "digest": nullable(string(contentEncoding="base64")),
                    "signed": nullable(_SIGNED),
                    "error": nullable(_FAILURE),
                }
            ),
            "In the batch's order.",
        )
    }
)
_ARCHIVE = closed(
    {
        "archive_id": identifier(),
        "name": string(),
        "signatures": integer(minimum=0),
        "size": integer("Bytes", minimum=1),
        "sha256": _SHA256,
        "lasts_until": time("When the last proof ends; renewed before."),
        "renewals": integer(minimum=0),
        "error": nullable(string("Why the last renewal failed.")),
        "created_at": time(),
    }
)
_CREDENTIAL = closed(
    {
        "credential_id": string(),
        "description": string(),
        "status": string(enum=["enabled", "disabled"]),
        "cert_status": string(enum=["valid", "expired", "revoked", "suspended"]),
        "key_algorithm": string(examples=["rsa-2048", "ec-p256"]),
        "subject": string("RFC 4514"),
        "common_name": string(),
        "email": string("What the certificate carries, or empty."),
        "issuer": string("RFC 4514"),
        "serial_number": string(),
        "valid_from": time(),
        "valid_to": time(),
        "certificate_policy": string(),
        "short_lived": boolean("Whether a certificate is made for each signature."),
    }
)
_CERTIFICATE_REQUEST = closed(
    {
        "credential_id": string(),
        "description": string(),
        "key_algorithm": string(),
        "certificate_policy": string(),
        "state": string(enum=["waiting", "approved", "refused", "expired", "ended", "issued", "standing"]),
        "reason": string("Of a refusal, otherwise empty."),
        "requested_at": time(),
        "expires_at": time(),
        "identity_provider": string("Where its owner may show who they are, or empty."),
        "identified_by": string("Where they did, or empty."),
    }
)
_CREDENTIALS = closed({"credentials": array(ref("Credential")), "requests": array(ref("CertificateRequest"))})
_PUSHED = {
    "authorization_url": string("Where the signer's browser goes.", format="uri"),
    "expires_in": integer("Seconds", minimum=1),
}
_PASSKEYS = closed(
    {
        "credential_id": string(),
        "action": string(enum=list(PASSKEY_ACTIONS)),
        "passkeys": array(closed({"passkey_id": string(), "bound_at": time()}), "Those that sign from now on."),
    }
)

COMPONENTS: dict[str, Schema] = {
    "Error": ERROR,
    "Inspection": _INSPECTION,
    "Job": _JOB,
    "Batch": _BATCH,
    "BatchJobs": _BATCH_JOBS,
    "Archive": _ARCHIVE,
    "Credential": _CREDENTIAL,
    "CertificateRequest": _CERTIFICATE_REQUEST,
    "Credentials": _CREDENTIALS,
    "Approval": closed(_PUSHED),
    "RequestedApproval": closed({"request_id": identifier(), **_PUSHED}),
    "Passkeys": _PASSKEYS,
}

# --- Requests -----------------------------------------------------------------------------------------------

_NAME = string(minLength=1, maxLength=64)
_BOX = array({"type": "number"}, "Left, bottom, right, top in 1/72 inch, as a reader sees it.", minItems=4, maxItems=4)
_PAGE = integer("From 1", minimum=1)
_APPEARANCE = opened(
    {},
    {
        "page": _PAGE,
        "box": _BOX,
        "text": string(maxLength=500),
        "image": string("PNG or JPEG", contentEncoding="base64"),
        "qr": string(maxLength=300),
    },
    "What is seen of it; text, image or qr.",
)
_LOCK = opened(
    {"action": string(enum=["all", "include", "exclude"])},
    {"fields": array(_NAME, maxItems=100)},
    "Fields that nobody changes afterwards.",
)
_POLICY = opened(
    {"oid": string(maxLength=128), "digest": string(contentEncoding="base64")},
    {"hash": string(enum=list(HASHES)), "uri": string(maxLength=500)},
    "The signature policy.",
)
_NEW_FIELD = opened(
    {"name": _NAME},
    {
        "page": _PAGE,
        "box": _BOX,
        "kind": string(enum=["signature", "text", "checkbox"]),
        "label": string(maxLength=200),
        "lock": array(_NAME, "Fields that nobody changes once this one is signed.", maxItems=300),
    },
    "A signature field needs no place.",
)
_VALUE = opened(
    {"field": _NAME},
    {
        "text": string(maxLength=500),
        "image": string("PNG or JPEG, in place of the text", contentEncoding="base64"),
        "checked": boolean(),
    },
)
PREPARE = opened(
    {"credential_id": string("One of the caller's.", minLength=1, maxLength=255)},
    {
        "level": _LEVEL,
        "best_effort": boolean("Whether a lower level will do."),
        "field": string("The name of an empty field, or of a new one.", maxLength=64),
        "appearance": _APPEARANCE,
        "certify": integer("DocMDP", enum=[1, 2, 3]),
        "lock": _LOCK,
        "new_fields": array(_NEW_FIELD, "Empty ones, for this signer or later ones.", maxItems=300),
        "values": array(_VALUE, "What is filled in before this signature.", maxItems=300),
        "reason": string(maxLength=200),
        "location": string(maxLength=200),
        "contact": string(maxLength=200),
        "commitment": string("EN 319 122-1, 5.2.3; not with reason.", enum=list(COMMITMENTS)),
        "policy": _POLICY,
        "roles": array(string(minLength=1, maxLength=200), "Claimed roles.", maxItems=10),
    },
)
COMPONENTS["Preparation"] = PREPARE
# Of one document in a batch: what may differ.
OWN_OPTIONS = opened(
    {},
    {
        name: each
        for name, each in PREPARE["properties"].items()
        if name not in {"credential_id", "level", "best_effort"}
    },
)
STATE = {"state": string("The caller's own, at least 128 random bits.", minLength=22, maxLength=512)}
RETURNS = opened(
    {"returns_to": string("The browser comes back to this service; the state says what came of it.", const="gateway")}
)
LINK = {"link": string("Where the document can be read again, of the approval callback's origin.", maxLength=2048)}
LINKS = {
    "links": {
        "type": "object",
        "description": "Where each job's document can be read again: of all or none.",
        "additionalProperties": string(maxLength=2048),
        "propertyNames": identifier(),
        "maxProperties": MOST_JOBS,
    }
}
CODE = opened({"code": string(minLength=1, maxLength=2048), "iss": string("RFC 9207", minLength=1, maxLength=2048)})
SEAL = opened({"sad": string("Of credentials/authorize, for what is sealed.", minLength=1, maxLength=LONGEST_SAD)})
BATCH = opened(
    {"jobs": array(identifier(), "In the order in which they are named and signed.", minItems=1, maxItems=MOST_JOBS)},
    {"policy": string("What becomes of the others when one fails.", enum=list(Batch.Policy.values))},
)
CREDENTIAL_REQUEST = opened(
    {
        "certificate_policy": string(minLength=1, maxLength=64),
        "key_algorithm": string(enum=list(KEY_ALGORITHMS)),
        **STATE,
    }
)
IDENTIFICATION = opened({"credential_id": string("A request's.", minLength=1, maxLength=255), **STATE})
IDENTIFIED = opened(
    {
        "credential_id": string(minLength=1, maxLength=255),
        "code": string(minLength=1, maxLength=2048),
        **STATE,
    },
    {"iss": string("RFC 9207", maxLength=2048)},
)
PASSKEY_CHANGE = opened(
    {
        "credential_id": string(minLength=1, maxLength=255),
        "action": string(enum=list(PASSKEY_ACTIONS)),
        **STATE,
    }
)

"""What goes out."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rssp.wire.members import Members, Version


@dataclass(frozen=True)
class CredentialDescription:
    """What a credential's owner may know of it. ``chain`` is DER, the signer's certificate first."""

    credential_id: str
    description: str
    enabled: bool
    sign_algos: tuple[str, ...]
    bits: int
    curve_oid: str | None
    certificate_status: str
    certificate_policy: str
    chain: tuple[bytes, ...]
    issuer: str
    subject: str
    serial_number: int
    valid_from: datetime
    valid_to: datetime
    scal: str
    auth_mode: str
    multisign: int
    language: str  # of the texts
    signature_qualifier: str = ""  # CSC API v2, 11.5; empty where an operator named none


def write_credential(found: CredentialDescription, members: Members, version: Version) -> dict[str, Any]:
    """The members of ``credentials/info``; ``certificatePolicy`` is our own."""
    key: dict[str, Any] = {
        "status": "enabled" if found.enabled and found.certificate_status == "valid" else "disabled",
        "algo": list(found.sign_algos),
        "len": found.bits,
    }
    if found.curve_oid is not None:
        key["curve"] = found.curve_oid
    answer = {"description": found.description, "key": key, "cert": _write_certificate(found, members)}
    if version == 1:
        answer["authMode"] = found.auth_mode
    else:
        answer["auth"] = {"mode": found.auth_mode, "objects": []}
        answer |= _write_qualifier(found)
    return answer | {
        "SCAL": found.scal,
        "multisign": found.multisign,
        "lang": found.language,
        "certificatePolicy": found.certificate_policy,
    }


@dataclass(frozen=True)
class RequestDescription:
    """Where a request for a certificate stands: what its owner may know. ``state`` is waiting, approved, issued,
    refused or expired."""

    credential_id: str
    description: str
    certificate_policy: str
    sign_algos: tuple[str, ...]
    bits: int
    curve_oid: str | None
    state: str
    reason: str
    requested: datetime
    expires: datetime
    identity_provider: str = ""  # where the owner may show who they are
    identified_by: str = ""  # where they did


def write_request(found: RequestDescription, version: Version) -> dict[str, Any]:
    """A credential that cannot be used, since it has no certificate; ``certificateRequest`` is our own
    (docs/protocols.md, section 7)."""
    key: dict[str, Any] = {"status": "disabled", "algo": list(found.sign_algos), "len": found.bits}
    if found.curve_oid is not None:
        key["curve"] = found.curve_oid
    return {
        "description": found.description,
        "key": key,
        "cert": {"certificates": []},
        **({"authMode": "oauth2code"} if version == 1 else {"auth": {"mode": "oauth2code", "objects": []}}),
        "multisign": 1,
        "certificatePolicy": found.certificate_policy,
        "certificateRequest": _write_request_state(found),
    }


@dataclass(frozen=True)
class StandingDescription:
    """What certificates for one signature are made of. ``validity`` is how long each is good for."""

    credential_id: str
    description: str
    certificate_policy: str
    sign_algos: tuple[str, ...]
    bits: int
    curve_oid: str | None
    subject: str
    validity: timedelta
    since: datetime
    expires: datetime
    language: str
    signature_qualifier: str = ""


def write_standing(found: StandingDescription) -> dict[str, Any]:
    """A credential whose certificate is made for each signature (version 2); ``shortLived`` is our own
    (docs/protocols.md, section 7)."""
    key: dict[str, Any] = {"status": "enabled", "algo": list(found.sign_algos), "len": found.bits}
    if found.curve_oid is not None:
        key["curve"] = found.curve_oid
    return {
        "description": found.description,
        "key": key,
        "cert": {
            "certificates": [],
            "subjectDN": found.subject,
            "validFrom": write_time(found.since),
            "validTo": write_time(found.expires),
        },
        "auth": {"mode": "oauth2code", "objects": []},
        **_write_qualifier(found),
        "SCAL": "2",
        "multisign": 1,
        "lang": found.language,
        "certificatePolicy": found.certificate_policy,
        "shortLived": {"validitySeconds": int(found.validity.total_seconds())},
    }


def _write_qualifier(found: CredentialDescription | StandingDescription) -> dict[str, Any]:
    return {"signatureQualifier": found.signature_qualifier} if found.signature_qualifier else {}


def _write_request_state(found: RequestDescription) -> dict[str, Any]:
    answer = {
        "state": found.state,
        "requestedAt": write_time(found.requested),
        "expiresAt": write_time(found.expires),
    }
    if found.identity_provider:
        answer["identityProvider"] = found.identity_provider
    if found.identified_by:
        answer["identifiedBy"] = found.identified_by
    return answer | ({"reason": found.reason} if found.state == "refused" and found.reason else {})


def _write_certificate(found: CredentialDescription, members: Members) -> dict[str, Any]:
    cert: dict[str, Any] = {"status": found.certificate_status}
    shown = {"none": 0, "single": 1, "chain": len(found.chain)}[members.certificates]
    if shown:
        cert["certificates"] = [base64.b64encode(item).decode() for item in found.chain[:shown]]
    if members.cert_info:
        cert |= {
            "issuerDN": found.issuer,
            "serialNumber": f"{found.serial_number:X}",
            "subjectDN": found.subject,
            "validFrom": write_time(found.valid_from),
            "validTo": write_time(found.valid_to),
        }
    return cert


def write_time(moment: datetime) -> str:
    """GeneralizedTime as CSC has it: ``YYYYMMDDHHMMSSZ``."""
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M%SZ")


def write_passkeys(credential_id: str, passkeys: Sequence[tuple[bytes, datetime]]) -> dict[str, Any]:
    """The passkeys that may sign with a credential, and since when."""
    return {
        "credentialID": credential_id,
        "passkeys": [
            {"passkeyID": base64.urlsafe_b64encode(passkey_id).rstrip(b"=").decode(), "boundAt": write_time(bound)}
            for passkey_id, bound in passkeys
        ],
    }


def write_response_id(response_id: str) -> dict[str, Any]:
    return {"responseID": response_id}


def write_signatures(signatures: Sequence[bytes]) -> dict[str, Any]:
    return {"signatures": [base64.b64encode(item).decode() for item in signatures]}


def write_sad(sad: str, seconds: int) -> dict[str, Any]:
    return {"SAD": sad, "expiresIn": seconds}


@dataclass(frozen=True)
class ServiceDescription:
    """What ``info`` tells of the service; ``sign_algos`` pairs each OID with its DER parameters, if it needs any.

    ``oauth2`` is the address that clients of version 1 append ``oauth2/authorize`` and the like to.
    """

    name: str
    logo: str
    region: str
    description: str
    issuer: str
    oauth2: str
    auth_types: tuple[str, ...]
    methods: tuple[str, ...]
    sign_algos: tuple[tuple[str, bytes | None], ...]
    language: str


def write_info(service: ServiceDescription, version: Version) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "specs": {1: "1.0.4.0", 2: "2.0.0.0"}[version],
        "name": service.name,
        "logo": service.logo,
        "region": service.region,
        "lang": service.language,
        "description": service.description,
        "authType": list(service.auth_types),
        "methods": list(service.methods),
    }
    if version == 1:
        return answer | {"oauth2": service.oauth2}
    parameters = [None if params is None else base64.b64encode(params).decode() for _, params in service.sign_algos]
    return answer | {
        "oauth2Issuer": service.issuer,
        "asynchronousOperationMode": True,
        "validationInfo": False,
        "signAlgorithms": {"algos": [oid for oid, _ in service.sign_algos], "algoParams": parameters},
        # Formats and levels are of signDoc, which is not offered.
        "signature_formats": {"formats": [], "envelope_properties": []},
        "conformance_levels": [],
        "supportsRar": True,
        "supportedHashTypes": ["dtbsr"],
    }

"""An approval, read from an introspection answer (docs/protocols.md, sections 4 and 5)."""

import base64
import binascii
from typing import Any

from rssp.activation.approvals import (
    BINDING,
    BINDING_ACTIONS,
    CREATION,
    DELETION,
    HASH_TYPES,
    SIGNING,
    SIGNING_TYPES,
    ApprovedDigest,
    Assertion,
    BindingApproval,
    CreationApproval,
    DeletionApproval,
    SigningApproval,
)
from rssp.errors import ActivationRefusedError


def parse_signing_approval(*, client_id: str, subject: str, details: Any, approval: Any) -> SigningApproval:
    """From ``client_id``, ``sub``, ``authorization_details`` and ``paraph_approval`` of an introspection answer.

    Raises `ActivationRefusedError` for any other shape.
    """
    try:
        (detail,) = _array(details)
        _expect(detail["type"] in SIGNING_TYPES)
        digests = tuple(_parse_digest(item) for item in _array(detail["documentDigests"]))
        return SigningApproval(
            client_id=client_id,
            subject=subject,
            credential_id=_text(detail["credentialID"]),
            num_signatures=_number(detail.get("numSignatures", len(digests))),
            hash_algorithm_oid=_text(detail["hashAlgorithmOID"]),
            digests=digests,
            on_behalf_of=_text(detail.get("onBehalfOf", "")),
            signature_qualifier=_text(detail.get("signatureQualifier", "")),
            **_parse_evidence(approval, SIGNING),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ActivationRefusedError("the approval has no known shape") from None


def parse_creation_approval(*, client_id: str, subject: str, details: Any, approval: Any) -> CreationApproval:
    """See `parse_signing_approval`."""
    try:
        (detail,) = _array(details)
        _expect(detail["type"] == CREATION)
        return CreationApproval(
            client_id=client_id,
            subject=subject,
            certificate_policy=_text(detail["certificatePolicy"]),
            key_algorithm=_text(detail["keyAlgorithm"]),
            common_name=_text(detail["subject"]["commonName"]),
            email=_text(detail["subject"]["email"]),
            email_verified=_boolean(detail["subject"].get("emailVerified", False)),
            passkey_public_key=_base64url(approval["passkey"]["public_key"]),
            **_parse_evidence(approval, CREATION),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ActivationRefusedError("the approval has no known shape") from None


def parse_deletion_approval(*, client_id: str, subject: str, details: Any, approval: Any) -> DeletionApproval:
    """See `parse_signing_approval`."""
    try:
        (detail,) = _array(details)
        _expect(detail["type"] == DELETION)
        reason = _text(detail.get("revocationReason", ""))
        _expect(_boolean(detail["revoke"]) == (reason != ""))
        return DeletionApproval(
            client_id=client_id,
            subject=subject,
            credential_id=_text(detail["credentialID"]),
            revocation_reason=reason,
            **_parse_evidence(approval, DELETION),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ActivationRefusedError("the approval has no known shape") from None


def parse_binding_approval(*, client_id: str, subject: str, details: Any, approval: Any) -> BindingApproval:
    """See `parse_signing_approval`."""
    try:
        (detail,) = _array(details)
        _expect(detail["type"] == BINDING)
        _expect(detail["action"] in BINDING_ACTIONS)
        return BindingApproval(
            client_id=client_id,
            subject=subject,
            credential_id=_text(detail["credentialID"]),
            action=_text(detail["action"]),
            bound_id=_base64url(detail["passkey"]["id"]),
            bound_public_key=_base64url(detail["passkey"]["publicKey"]),
            **_parse_evidence(approval, BINDING),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ActivationRefusedError("the approval has no known shape") from None


def _parse_evidence(approval: Any, kind: str) -> dict[str, Any]:
    _expect(_number(approval["version"]) == 1)
    _expect(approval["kind"] == kind)
    assertion = approval["assertion"]
    return {
        "nonce": _base64url(approval["nonce"]),
        "expires_at": _number(approval["expires_at"]),
        "passkey_id": _base64url(approval["passkey"]["id"]),
        "assertion": Assertion(
            authenticator_data=_base64url(assertion["authenticator_data"]),
            client_data_json=_base64url(assertion["client_data_json"]),
            signature=_base64url(assertion["signature"]),
        ),
    }


def _parse_digest(item: Any) -> ApprovedDigest:
    hash_type = _text(item.get("hashType", "dtbsr")).lower()
    _expect(hash_type in HASH_TYPES)
    encoded = _text(item["hash"])
    digest = base64.b64decode(encoded, validate=True)
    return ApprovedDigest(hash_type, digest, _text(item.get("label", "")))


def _expect(condition: bool) -> None:
    if not condition:
        raise ValueError


def _array(value: Any) -> list[Any]:
    _expect(isinstance(value, list))
    return list(value)


def _text(value: Any) -> str:
    """A string that has a UTF-8 form."""
    _expect(isinstance(value, str))
    return str(value.encode().decode())


def _boolean(value: Any) -> bool:
    _expect(isinstance(value, bool))
    return bool(value)


def _number(value: Any) -> int:
    _expect(type(value) is int and 0 <= value < 2**63)
    return int(value)


def _base64url(value: Any) -> bytes:
    """base64url without padding, one spelling for each value."""
    try:
        decoded = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except binascii.Error:
        raise ValueError from None
    _expect(base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() == value)
    return decoded

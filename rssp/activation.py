"""The signer's sole control over the key: what was approved, verified without believing the authorization server.

What is *given* comes from an introspection answer (docs/protocols.md, sections 4 and 5) and is worth nothing by
itself. What is *expected* comes from this role's own records and settings. The two meet in the challenge: the SHA-256
of a byte string that holds every approved detail, which the signer's passkey signed. Plain Python; the time is passed
in.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import webauthn
from webauthn.helpers import bytes_to_base64url, decode_credential_public_key
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import AuthenticationCredential, AuthenticatorAssertionResponse

from rssp.errors import ActivationExpiredError, ActivationRefusedError

VERSION = "paraph-approval/1"
SIGNING, CREATION, DELETION = "credential", "credential-creation", "credential-deletion"
BINDING = "passkey-binding"
BINDING_ACTIONS = ("bind", "unbind")
# What the challenge calls an approval that this service asked for out of band, for one of its own clients.
ON_BEHALF = "credential-on-behalf"
SIGNING_TYPES = (SIGNING, "https://cloudsignatureconsortium.org/2025/credential")
HASH_TYPES = ("dtbsr", "sdr")
NONCE_BYTES = 32
MAX_DIGESTS = 1000
MAX_PASSKEY_ID = 1023
# authz lets an approval live for 15 minutes; its clock may be a minute ahead of ours.
LONGEST_SECONDS = 15 * 60 + 60

_DIGEST_BYTES = {"2.16.840.1.101.3.4.2.1": 32, "2.16.840.1.101.3.4.2.2": 48, "2.16.840.1.101.3.4.2.3": 64}
_COSE_ALGORITHMS = (
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
)


# --- Given --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Assertion:
    """What a passkey answered to a challenge (Web Authentication, 5.2.2)."""

    authenticator_data: bytes
    client_data_json: bytes
    signature: bytes


@dataclass(frozen=True)
class ApprovedDigest:
    """One approved digest occurrence; ``hash_type`` in lower case."""

    hash_type: str
    digest: bytes
    label: str


@dataclass(frozen=True)
class SigningApproval:
    """Signatures with one credential, as the authorization server tells it. ``on_behalf_of`` is the client for which
    this service asked out of band, and empty where a client asked by itself."""

    nonce: bytes
    client_id: str
    subject: str
    credential_id: str
    num_signatures: int
    hash_algorithm_oid: str
    digests: tuple[ApprovedDigest, ...]
    expires_at: int
    passkey_id: bytes
    assertion: Assertion
    on_behalf_of: str = ""


@dataclass(frozen=True)
class CreationApproval:
    """A new credential, as the authorization server tells it. ``email_verified`` is its word alone: the challenge does
    not commit to it, as no signer can vouch for it."""

    nonce: bytes
    client_id: str
    subject: str
    certificate_policy: str
    key_algorithm: str
    common_name: str
    email: str
    expires_at: int
    passkey_id: bytes
    passkey_public_key: bytes
    assertion: Assertion
    email_verified: bool = False  # the authorization server's word, beside the challenge


@dataclass(frozen=True)
class DeletionApproval:
    """The end of a credential, as the authorization server tells it. ``revocation_reason`` is empty where its
    certificate is not revoked."""

    nonce: bytes
    client_id: str
    subject: str
    credential_id: str
    revocation_reason: str
    expires_at: int
    passkey_id: bytes
    assertion: Assertion


@dataclass(frozen=True)
class BindingApproval:
    """A further passkey for a credential, or its end there, as the authorization server tells it. ``bound_`` is the
    passkey that it is about, ``passkey_id`` the one that approved."""

    nonce: bytes
    client_id: str
    subject: str
    credential_id: str
    action: str
    bound_id: bytes
    bound_public_key: bytes
    expires_at: int
    passkey_id: bytes
    assertion: Assertion


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


# --- Verified -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class VerifiedActivation:
    """These digests, once for each time they stand here, may be signed with this credential until ``expires_at``."""

    nonce: bytes
    client_id: str
    subject: str
    credential_id: str
    hash_algorithm_oid: str
    digests: tuple[tuple[str, bytes], ...]  # (hash type, digest); labels are none of this role's business any more
    expires_at: int
    passkey_id: bytes
    assertion: Assertion


@dataclass(frozen=True)
class VerifiedCreation:
    """One credential may be made for this subject and bound to this passkey. The authorization server says whether it
    verified the address."""

    nonce: bytes
    client_id: str
    subject: str
    certificate_policy: str
    key_algorithm: str
    common_name: str
    email: str
    expires_at: int
    passkey_id: bytes
    passkey_public_key: bytes
    assertion: Assertion
    email_verified: bool = False  # the authorization server's word, beside the challenge


@dataclass(frozen=True)
class VerifiedDeletion:
    """This credential may be ended, and its certificate revoked if there is a reason for it."""

    nonce: bytes
    client_id: str
    subject: str
    credential_id: str
    revocation_reason: str
    expires_at: int
    passkey_id: bytes
    assertion: Assertion


@dataclass(frozen=True)
class VerifiedBinding:
    """This passkey may be bound to this credential, or unbound from it."""

    nonce: bytes
    client_id: str
    subject: str
    credential_id: str
    action: str
    bound_id: bytes
    bound_public_key: bytes
    expires_at: int
    passkey_id: bytes
    assertion: Assertion


def verify_activation(
    *,
    given: SigningApproval,
    expected_credential_id: str,
    expected_subject: str,
    expected_passkey_id: bytes,
    expected_public_key: bytes,
    expected_rp_id: str,
    expected_origin: str,
    now: int,
    expected_on_behalf_of: str = "",
) -> VerifiedActivation:
    """Whether the passkey bound to this credential approved exactly this.

    ``expected_public_key`` is the passkey's COSE key from our own binding, ``expected_on_behalf_of`` the client for
    which this service asked out of band (empty: it did not ask). Raises `ActivationRefusedError` or
    `ActivationExpiredError`.
    """
    _refuse_unless(given.on_behalf_of == expected_on_behalf_of, "approved for another client")
    _refuse_unless(given.credential_id == expected_credential_id, "approved for another credential")
    _refuse_unless(given.subject == expected_subject, "approved by another user")
    _refuse_unless(given.passkey_id == expected_passkey_id, "approved with another passkey")
    _refuse_unless(1 <= len(given.digests) <= MAX_DIGESTS, "no digest, or too many")
    _refuse_unless(given.num_signatures == len(given.digests), "numSignatures is not the number of digests")
    length = _DIGEST_BYTES.get(given.hash_algorithm_oid)
    _refuse_unless(
        all(len(item.digest) == length for item in given.digests), "a digest's length is not its algorithm's"
    )
    _verify_assertion(
        given=given.assertion,
        expected_challenge=sha256(_signing_approval(given, expected_rp_id, expected_origin)).digest(),
        expected_passkey_id=expected_passkey_id,
        expected_public_key=expected_public_key,
        expected_rp_id=expected_rp_id,
        expected_origin=expected_origin,
    )
    _verify_time(nonce=given.nonce, expires_at=given.expires_at, now=now)
    return VerifiedActivation(
        nonce=given.nonce,
        client_id=given.client_id,
        subject=given.subject,
        credential_id=given.credential_id,
        hash_algorithm_oid=given.hash_algorithm_oid,
        digests=tuple((item.hash_type, item.digest) for item in given.digests),
        expires_at=given.expires_at,
        passkey_id=given.passkey_id,
        assertion=given.assertion,
    )


def verify_creation(
    *, given: CreationApproval, expected_rp_id: str, expected_origin: str, now: int
) -> VerifiedCreation:
    """Whether the passkey whose hash the challenge commits to approved exactly this.

    There is no binding yet: this makes the first one. Raises `ActivationRefusedError` or `ActivationExpiredError`.
    """
    _verify_assertion(
        given=given.assertion,
        expected_challenge=sha256(_creation_approval(given, expected_rp_id, expected_origin)).digest(),
        expected_passkey_id=given.passkey_id,
        expected_public_key=given.passkey_public_key,
        expected_rp_id=expected_rp_id,
        expected_origin=expected_origin,
    )
    _verify_time(nonce=given.nonce, expires_at=given.expires_at, now=now)
    return VerifiedCreation(**vars(given))


def verify_deletion(
    *,
    given: DeletionApproval,
    expected_credential_id: str,
    expected_subject: str,
    expected_passkey_id: bytes,
    expected_public_key: bytes,
    expected_rp_id: str,
    expected_origin: str,
    now: int,
) -> VerifiedDeletion:
    """Whether a passkey bound to this credential approved its end. Raises `ActivationRefusedError` or
    `ActivationExpiredError`."""
    _refuse_unless(given.credential_id == expected_credential_id, "approved for another credential")
    _refuse_unless(given.subject == expected_subject, "approved by another user")
    _refuse_unless(given.passkey_id == expected_passkey_id, "approved with another passkey")
    _verify_assertion(
        given=given.assertion,
        expected_challenge=sha256(_deletion_approval(given, expected_rp_id, expected_origin)).digest(),
        expected_passkey_id=expected_passkey_id,
        expected_public_key=expected_public_key,
        expected_rp_id=expected_rp_id,
        expected_origin=expected_origin,
    )
    _verify_time(nonce=given.nonce, expires_at=given.expires_at, now=now)
    return VerifiedDeletion(**vars(given))


def verify_binding_approval(
    *,
    given: BindingApproval,
    expected_credential_id: str,
    expected_subject: str,
    expected_passkey_id: bytes,
    expected_public_key: bytes,
    expected_rp_id: str,
    expected_origin: str,
    now: int,
) -> VerifiedBinding:
    """Whether a passkey bound to this credential approved that another one is bound to it, or unbound from it.

    A passkey says nothing about itself: what is bound was vouched for, and what is left after an unbinding is at least
    the one that approved. Raises `ActivationRefusedError` or `ActivationExpiredError`.
    """
    _refuse_unless(given.credential_id == expected_credential_id, "approved for another credential")
    _refuse_unless(given.subject == expected_subject, "approved by another user")
    _refuse_unless(given.passkey_id == expected_passkey_id, "approved with another passkey")
    _refuse_unless(given.bound_id != expected_passkey_id, "a passkey approved its own binding")
    _refuse_unless(1 <= len(given.bound_id) <= MAX_PASSKEY_ID, "the passkey's identifier has no known length")
    _verify_public_key(given.bound_public_key)
    _verify_assertion(
        given=given.assertion,
        expected_challenge=sha256(_binding_approval(given, expected_rp_id, expected_origin)).digest(),
        expected_passkey_id=expected_passkey_id,
        expected_public_key=expected_public_key,
        expected_rp_id=expected_rp_id,
        expected_origin=expected_origin,
    )
    _verify_time(nonce=given.nonce, expires_at=given.expires_at, now=now)
    return VerifiedBinding(**vars(given))


def _verify_public_key(public_key: bytes) -> None:
    try:
        algorithm = decode_credential_public_key(public_key).alg
    except (WebAuthnException, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ActivationRefusedError(f"the passkey's key cannot be read: {type(error).__name__}") from error
    _refuse_unless(algorithm in _COSE_ALGORITHMS, "the passkey's algorithm is none of ours")


def _verify_time(*, nonce: bytes, expires_at: int, now: int) -> None:
    _refuse_unless(len(nonce) == NONCE_BYTES, "the nonce has another length")
    if expires_at <= now:
        raise ActivationExpiredError("the approval has expired")
    _refuse_unless(expires_at <= now + LONGEST_SECONDS, "the approval would live too long")


def _verify_assertion(
    *,
    given: Assertion,
    expected_challenge: bytes,
    expected_passkey_id: bytes,
    expected_public_key: bytes,
    expected_rp_id: str,
    expected_origin: str,
) -> None:
    """Web Authentication, 7.2: type, challenge, origin, relying party, presence, verification, signature.

    There is no rule for the signature counter here: approvals may be used in another order than they were given. The
    authorization server, which sees them in order, has one.
    """
    response = AuthenticatorAssertionResponse(
        client_data_json=given.client_data_json,
        authenticator_data=given.authenticator_data,
        signature=given.signature,
    )
    try:
        _refuse_cross_origin(given.client_data_json)
        algorithm = decode_credential_public_key(expected_public_key).alg
        _refuse_unless(algorithm in _COSE_ALGORITHMS, "the passkey's algorithm is none of ours")
        webauthn.verify_authentication_response(
            credential=AuthenticationCredential(
                id=bytes_to_base64url(expected_passkey_id), raw_id=expected_passkey_id, response=response
            ),
            expected_challenge=expected_challenge,
            expected_rp_id=expected_rp_id,
            expected_origin=expected_origin,
            credential_public_key=expected_public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ActivationRefusedError(f"the assertion does not verify: {type(error).__name__}") from error


def _refuse_cross_origin(client_data_json: bytes) -> None:
    client_data = json.loads(client_data_json)
    _refuse_unless(client_data.get("crossOrigin", False) is False, "approved inside somebody else's page")
    _refuse_unless("topOrigin" not in client_data, "approved inside somebody else's page")


def _refuse_unless(condition: bool, reason: str) -> None:
    if not condition:
        raise ActivationRefusedError(reason)


# --- The approval's bytes: docs/approval-layout.md, layout version 1 -----------------------------------------


def _part(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


def _string(value: str) -> bytes:
    return _part(value.encode())


def _u64(value: int) -> bytes:
    return value.to_bytes(8, "big")


def _signing_approval(given: SigningApproval, rp_id: str, origin: str) -> bytes:
    digests = (_string(item.hash_type) + _part(item.digest) + _string(item.label) for item in given.digests)
    return b"".join(
        (
            _string(VERSION),
            _string(ON_BEHALF if given.on_behalf_of else SIGNING),
            _part(given.nonce),
            _string(given.client_id),
            *([_string(given.on_behalf_of)] if given.on_behalf_of else []),
            _string(given.subject),
            _string(given.credential_id),
            _u64(given.num_signatures),
            _string(given.hash_algorithm_oid),
            _u64(len(given.digests)),
            *digests,
            _string(rp_id),
            _string(origin),
            _u64(given.expires_at),
        )
    )


def _creation_approval(given: CreationApproval, rp_id: str, origin: str) -> bytes:
    return b"".join(
        (
            _string(VERSION),
            _string(CREATION),
            _part(given.nonce),
            _string(given.client_id),
            _string(given.subject),
            _string(given.certificate_policy),
            _string(given.key_algorithm),
            _string(given.common_name),
            _string(given.email),
            _part(sha256(given.passkey_public_key).digest()),
            _string(rp_id),
            _string(origin),
            _u64(given.expires_at),
        )
    )


def _deletion_approval(given: DeletionApproval, rp_id: str, origin: str) -> bytes:
    return b"".join(
        (
            _string(VERSION),
            _string(DELETION),
            _part(given.nonce),
            _string(given.client_id),
            _string(given.subject),
            _string(given.credential_id),
            _string(given.revocation_reason),
            _string(rp_id),
            _string(origin),
            _u64(given.expires_at),
        )
    )


def _binding_approval(given: BindingApproval, rp_id: str, origin: str) -> bytes:
    return b"".join(
        (
            _string(VERSION),
            _string(BINDING),
            _part(given.nonce),
            _string(given.client_id),
            _string(given.subject),
            _string(given.credential_id),
            _string(given.action),
            _part(given.bound_id),
            _part(sha256(given.bound_public_key).digest()),
            _string(rp_id),
            _string(origin),
            _u64(given.expires_at),
        )
    )

"""A passkey's assertion over a challenge, and the time of the approval that it stands for."""

import json

import webauthn
from webauthn.helpers import bytes_to_base64url, decode_credential_public_key
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import AuthenticationCredential, AuthenticatorAssertionResponse

from rssp.activation.approvals import LONGEST_SECONDS, NONCE_BYTES, Assertion
from rssp.errors import ActivationExpiredError, ActivationRefusedError

_COSE_ALGORITHMS = (
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
)


def verify_public_key(public_key: bytes) -> None:
    try:
        algorithm = decode_credential_public_key(public_key).alg
    except (WebAuthnException, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ActivationRefusedError(f"the passkey's key cannot be read: {type(error).__name__}") from error
    refuse_unless(algorithm in _COSE_ALGORITHMS, "the passkey's algorithm is none of ours")


def verify_time(*, nonce: bytes, expires_at: int, now: int) -> None:
    refuse_unless(len(nonce) == NONCE_BYTES, "the nonce has another length")
    if expires_at <= now:
        raise ActivationExpiredError("the approval has expired")
    refuse_unless(expires_at <= now + LONGEST_SECONDS, "the approval would live too long")


def verify_assertion(
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
        refuse_unless(algorithm in _COSE_ALGORITHMS, "the passkey's algorithm is none of ours")
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
    refuse_unless(client_data.get("crossOrigin", False) is False, "approved inside somebody else's page")
    refuse_unless("topOrigin" not in client_data, "approved inside somebody else's page")


def refuse_unless(condition: bool, reason: str) -> None:
    if not condition:
        raise ActivationRefusedError(reason)

"""Passkeys (Web Authentication Level 3). User verification is always required (section 7.2, steps 16 and 17)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import webauthn
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import (
    parse_attestation_object,
    parse_authentication_credential_json,
    parse_authenticator_data,
    parse_registration_credential_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AttestationFormat,
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from authz.factors.interface import CounterError, FactorError, KnownKey, VerifiedAssertion, VerifiedRegistration

ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
MAX_CREDENTIAL_ID = 1023
_AAGUID_EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
MAX_RESPONSE = 20_000
TIMEOUT_MILLISECONDS = 300_000


@dataclass(frozen=True)
class AttestationPolicy:
    """Which kinds of authenticator may be enrolled. ``roots`` are PEM certificates that their makers vouch with.

    Without attestation an AAGUID is a claim, so a policy without roots lets nothing in.
    """

    aaguids: frozenset[str]
    roots: tuple[bytes, ...]


@dataclass(frozen=True)
class WebAuthn:
    """The relying party: ``rp_id`` a host name, ``origin`` the one origin that its pages have. Without
    ``attestation`` any authenticator may be enrolled that verifies its user."""

    rp_id: str
    origin: str
    attestation: AttestationPolicy | None = None

    def write_registration_options(
        self,
        *,
        challenge: bytes,
        rp_name: str,
        user_handle: bytes,
        user_name: str,
        display_name: str,
        known: Sequence[KnownKey],
    ) -> dict[str, Any]:
        """Options for ``navigator.credentials.create``; keys in ``known`` are not enrolled a second time."""
        options = webauthn.generate_registration_options(
            rp_id=self.rp_id,
            rp_name=rp_name,
            user_name=user_name,
            user_id=user_handle,
            user_display_name=display_name,
            challenge=challenge,
            timeout=TIMEOUT_MILLISECONDS,
            attestation=AttestationConveyancePreference.DIRECT
            if self.attestation
            else AttestationConveyancePreference.NONE,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=_descriptors(known),
            supported_pub_key_algs=ALGORITHMS,
        )
        return _as_dict(options)

    def verify_registration(self, *, response: str, challenge: bytes) -> VerifiedRegistration:
        """Section 7.1: challenge, origin, relying party, presence, verification, algorithm, size of the id."""
        try:
            _refuse_oversize(response)
            credential = parse_registration_credential_json(response)
            _refuse_cross_origin(credential.response.client_data_json)
            verified = webauthn.verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self.rp_id,
                expected_origin=self.origin,
                require_user_verification=True,
                supported_pub_key_algs=ALGORITHMS,
                pem_root_certs_bytes_by_fmt=self._roots(),
            )
            self._refuse_unlisted(verified.aaguid, verified.attestation_object)
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise FactorError(type(error).__name__) from error
        if len(verified.credential_id) > MAX_CREDENTIAL_ID:
            raise FactorError("credential id too long")
        return VerifiedRegistration(
            credential_id=verified.credential_id,
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
            backup_eligible=verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
            backed_up=verified.credential_backed_up,
            transports=tuple(item.value for item in credential.response.transports or []),
            aaguid=verified.aaguid,
        )

    def _roots(self) -> dict[AttestationFormat, list[bytes]]:
        """Empty: the library then checks attestation for consistency, and no chain."""
        return {} if self.attestation is None else {key: list(self.attestation.roots) for key in AttestationFormat}

    def _refuse_unlisted(self, aaguid: str, attestation_object: bytes) -> None:
        """Section 7.1, attestation trustworthiness: a listed kind, and a certificate chain that says so."""
        if self.attestation is None:
            return
        statement = parse_attestation_object(attestation_object).att_stmt
        if not self.attestation.roots or not statement.x5c:
            raise ValueError("not attested")
        if aaguid not in self.attestation.aaguids:
            raise ValueError("an authenticator that is not listed")
        extensions = x509.load_der_x509_certificate(statement.x5c[0]).extensions
        named = [item.value for item in extensions if item.oid == _AAGUID_EXTENSION]
        # Packed attestation certificates name the kind themselves (section 8.2.1): an OCTET STRING in the extension.
        told = named[0].value[2:] if named and isinstance(named[0], x509.UnrecognizedExtension) else None
        if told is not None and told != UUID(aaguid).bytes:
            raise ValueError("attested for another kind of authenticator")

    def write_assertion_options(self, *, challenge: bytes, known: Sequence[KnownKey]) -> dict[str, Any]:
        """Options for ``navigator.credentials.get``, answered by one of ``known``, or by any of this relying party's
        where none is known (the answer then names its user)."""
        options = webauthn.generate_authentication_options(
            rp_id=self.rp_id,
            challenge=challenge,
            timeout=TIMEOUT_MILLISECONDS,
            allow_credentials=_descriptors(known),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return _as_dict(options)

    def read_credential_id(self, *, response: str) -> bytes:
        """Which key claims to answer: unverified, good for looking the key up and for nothing else."""
        return _parse_assertion(response).raw_id

    def read_user_handle(self, *, response: str) -> bytes | None:
        """Whose key it claims to be: unverified as well."""
        return _parse_assertion(response).response.user_handle

    def verify_assertion(self, *, response: str, challenge: bytes, key: KnownKey) -> VerifiedAssertion:
        """Section 7.2: challenge, origin, relying party, presence, verification, signature, counter."""
        credential = _parse_assertion(response)
        if credential.raw_id != key.credential_id:
            raise FactorError("another credential")
        try:
            _refuse_cross_origin(credential.response.client_data_json)
            # The counter is judged below, so that a copied key is told apart from a wrong signature.
            verified = webauthn.verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self.rp_id,
                expected_origin=self.origin,
                credential_public_key=key.public_key,
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise FactorError(type(error).__name__) from error
        is_eligible = verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE
        if key.backup_eligible is not None and is_eligible is not key.backup_eligible:
            raise FactorError("backup eligibility changed")
        if (verified.new_sign_count or key.sign_count) and verified.new_sign_count <= key.sign_count:
            raise CounterError("signature counter did not rise")
        return VerifiedAssertion(
            credential_id=key.credential_id,
            sign_count=verified.new_sign_count,
            backed_up=verified.credential_backed_up,
            authenticator_data=credential.response.authenticator_data,
            client_data_json=credential.response.client_data_json,
            signature=credential.response.signature,
        )


def encode_es256_key(key: ec.EllipticCurvePublicKey) -> bytes:
    """A P-256 public key as the COSE key that authenticators write (RFC 9053, section 7.1; deterministic CBOR)."""
    numbers = key.public_numbers()
    return (
        bytes.fromhex("a5010203262001215820")
        + numbers.x.to_bytes(32, "big")
        + bytes.fromhex("225820")
        + numbers.y.to_bytes(32, "big")
    )


def _parse_assertion(response: str) -> AuthenticationCredential:
    try:
        _refuse_oversize(response)
        credential = parse_authentication_credential_json(response)
        parse_authenticator_data(credential.response.authenticator_data)
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise FactorError(type(error).__name__) from error
    return credential


def _refuse_oversize(response: str) -> None:
    if len(response) > MAX_RESPONSE:
        raise ValueError("response too long")


def _refuse_cross_origin(client_data_json: bytes) -> None:
    """Section 7.2, step 14: an answer made inside somebody else's page is not wanted."""
    client_data = json.loads(client_data_json)
    if client_data.get("crossOrigin", False) is not False or "topOrigin" in client_data:
        raise ValueError("cross-origin")


def _descriptors(known: Sequence[KnownKey]) -> list[PublicKeyCredentialDescriptor]:
    values = {item.value for item in AuthenticatorTransport}
    return [
        PublicKeyCredentialDescriptor(
            id=key.credential_id,
            transports=[AuthenticatorTransport(item) for item in key.transports if item in values] or None,
        )
        for key in known
    ]


def _as_dict(options: Any) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(webauthn.options_to_json(options))
    return decoded

"""Enrolling, using and managing passkeys."""

import logging
import secrets
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from authz.errors import LastPasskeyError, PasskeyRefusedError, StaleApprovalError, WrongFactorError
from authz.factors.interface import (
    CounterError,
    FactorError,
    KnownKey,
    PossessionFactor,
    VerifiedAssertion,
    VerifiedRegistration,
)
from authz.factors.webauthn import AttestationPolicy, WebAuthn, encode_es256_key
from authz.models import Passkey, UsedChallenge, User
from authz.services.events import Kind, Visitor, record_event
from authz.services.secrets import checksum

logger = logging.getLogger(__name__)

CHALLENGE_BYTES = 32


def passkey_factor() -> PossessionFactor:
    """The factor as this installation is addressed, with its policy for new passkeys."""
    policy = None
    if settings.PASSKEY_AAGUIDS:
        roots = _read_roots(settings.PASSKEY_ATTESTATION_ROOTS)
        policy = AttestationPolicy(aaguids=frozenset(settings.PASSKEY_AAGUIDS), roots=roots)
    return WebAuthn(rp_id=settings.WEBAUTHN_RP_ID, origin=settings.WEBAUTHN_ORIGIN, attestation=policy)


@cache
def _read_roots(path: str) -> tuple[bytes, ...]:
    """The certificates of a PEM file, each by itself; none without a file."""
    if not path:
        return ()
    found = x509.load_pem_x509_certificates(Path(path).read_bytes())
    return tuple(item.public_bytes(Encoding.PEM) for item in found)


def create_challenge() -> bytes:
    """256 random bits."""
    return secrets.token_bytes(CHALLENGE_BYTES)


def take_challenge(*, challenge: bytes) -> None:
    """Uses a login or enrolment challenge up; raises `StaleApprovalError` for all but the first of parallel calls."""
    try:
        with transaction.atomic():
            UsedChallenge.objects.create(checksum=checksum(challenge.hex()))
    except IntegrityError:
        raise StaleApprovalError("The page was used already.") from None


def _known(passkey: Passkey) -> KnownKey:
    return KnownKey(
        credential_id=bytes(passkey.credential_id),
        public_key=bytes(passkey.public_key),
        sign_count=passkey.sign_count,
        transports=tuple(passkey.transports),
        backup_eligible=passkey.backup_eligible if passkey.aaguid else None,
    )


def write_registration_options(
    *, challenge: bytes, sub: UUID, email: str, name: str, user: User | None = None
) -> dict[str, Any]:
    """Options for the browser; ``sub`` is the user handle (also of an account that is only about to be made)."""
    known = [_known(passkey) for passkey in user.passkeys.all()] if user else []
    return passkey_factor().write_registration_options(
        challenge=challenge,
        rp_name=import_string(settings.APPEARANCE)().name,
        user_handle=sub.bytes,
        user_name=email,
        display_name=name,
        known=known,
    )


def verify_registration(*, response: str, challenge: bytes) -> VerifiedRegistration:
    """Raises `PasskeyRefusedError` unless the new passkey verifies."""
    try:
        return passkey_factor().verify_registration(response=response, challenge=challenge)
    except FactorError as error:
        logger.info("a passkey was refused at enrolment: %s", error)
        raise PasskeyRefusedError("This passkey could not be added.") from None


def create_passkey(*, user: User, registration: VerifiedRegistration, name: str) -> Passkey:
    """Keeps a verified passkey; one that is enrolled already, for whomever, is refused with the same answer."""
    try:
        with transaction.atomic():
            return Passkey.objects.create(
                user=user,
                name=name.strip()[:60] or _("Passkey %(number)d") % {"number": user.passkeys.count() + 1},
                credential_id=registration.credential_id,
                public_key=registration.public_key,
                sign_count=registration.sign_count,
                backup_eligible=registration.backup_eligible,
                backed_up=registration.backed_up,
                transports=list(registration.transports),
                aaguid=registration.aaguid,
            )
    except IntegrityError:
        raise PasskeyRefusedError("This passkey could not be added.") from None


def write_assertion_options(*, challenge: bytes, passkeys: list[Passkey]) -> dict[str, Any]:
    """Options for the browser: any one of ``passkeys`` may answer."""
    return passkey_factor().write_assertion_options(challenge=challenge, known=[_known(item) for item in passkeys])


def read_passkey(*, user: User, response: str) -> Passkey:
    """The user's passkey that claims to answer; raises `WrongFactorError` for any other, known or not."""
    try:
        credential_id = passkey_factor().read_credential_id(response=response)
    except FactorError:
        raise WrongFactorError("Password or passkey did not fit.") from None
    passkey = Passkey.objects.filter(user=user, credential_id=credential_id).first()
    if passkey is None:
        raise WrongFactorError("Password or passkey did not fit.")
    return passkey


def find_passkey(*, response: str) -> Passkey:
    """The passkey that claims to answer, of whomever the answer names as its user (WebAuthn, 7.2, step 6); raises
    `WrongFactorError`."""
    try:
        factor = passkey_factor()
        credential_id, user_handle = (
            factor.read_credential_id(response=response),
            factor.read_user_handle(response=response),
        )
    except FactorError:
        raise WrongFactorError("Password or passkey did not fit.") from None
    passkey = Passkey.objects.select_related("user").filter(credential_id=credential_id, user__is_active=True).first()
    if passkey is None or user_handle != passkey.user.sub.bytes:
        raise WrongFactorError("Password or passkey did not fit.")
    return passkey


def verify_assertion(*, passkey: Passkey, response: str, challenge: bytes, visitor: Visitor) -> VerifiedAssertion:
    """Raises `WrongFactorError` unless ``passkey`` answered ``challenge`` with its user verified.

    A counter that did not rise is told to the owner and kept with the passkey. To be called outside a transaction: the
    refusal would roll that back.
    """
    try:
        return passkey_factor().verify_assertion(response=response, challenge=challenge, key=_known(passkey))
    except CounterError:
        logger.warning(
            "passkey %s of user %s may have been copied: its counter did not rise", passkey.pk, passkey.user_id
        )
        Passkey.objects.filter(pk=passkey.pk).update(suspected=timezone.now())
        record_event(user=passkey.user, kind=Kind.PASSKEY_SUSPECTED, visitor=visitor, detail=passkey.name)
    except FactorError as error:
        logger.info("passkey %s did not verify: %s", passkey.pk, error)
    raise WrongFactorError("Password or passkey did not fit.")


def record_use(*, passkey: Passkey, assertion: VerifiedAssertion) -> None:
    """Moves the counter from where it was verified to where it is now; a parallel use in between is refused."""
    moved = Passkey.objects.filter(pk=passkey.pk, sign_count=passkey.sign_count).update(
        sign_count=assertion.sign_count, backed_up=assertion.backed_up, last_used=timezone.now()
    )
    if not moved:
        raise WrongFactorError("Password or passkey did not fit.")


def rename_passkey(*, user: User, passkey_id: int, name: str) -> None:
    """Another user's passkey is left alone."""
    if name.strip():
        Passkey.objects.filter(user=user, pk=passkey_id).update(name=name.strip()[:60])


def add_passkey(*, user: User, registration: VerifiedRegistration, name: str, visitor: Visitor) -> Passkey:
    """A further passkey of an account; its owner is told."""
    with transaction.atomic():
        passkey = create_passkey(user=user, registration=registration, name=name)
        record_event(user=user, kind=Kind.PASSKEY_ADDED, visitor=visitor, detail=passkey.name)
    return passkey


def remove_passkey(*, user: User, passkey_id: int, visitor: Visitor) -> None:
    """Never the last one (`LastPasskeyError`): nothing would be left to log in with."""
    with transaction.atomic():
        held = dict(Passkey.objects.select_for_update().filter(user=user).values_list("pk", "name"))
        if passkey_id not in held:
            return
        if len(held) == 1:
            raise LastPasskeyError("This is your only passkey.")
        Passkey.objects.filter(pk=passkey_id).delete()
        record_event(user=user, kind=Kind.PASSKEY_REMOVED, visitor=visitor, detail=held[passkey_id])


def import_passkey(
    *,
    user: User,
    credential_id: bytes,
    public_key: bytes | ec.EllipticCurvePublicKey,
    name: str,
    sign_count: int = 0,
) -> Passkey:
    """Keeps a passkey whose key pair is known beforehand: for demonstration data, which no ceremony enrols.

    ``public_key`` is a COSE key or a P-256 key.
    """
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        public_key = encode_es256_key(public_key)
    return Passkey.objects.update_or_create(
        credential_id=credential_id,
        defaults={"user": user, "public_key": public_key, "name": name, "sign_count": sign_count},
    )[0]

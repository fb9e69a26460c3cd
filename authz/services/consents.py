"""Consents: from the request that a browser brings to the user's answer, with both factors where it binds.

A pending consent belongs to one browser (a random value in its session) and, once seen by somebody logged in, to
that user. Each showing of the page makes a new nonce; each answer uses it up, right or wrong.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from authz.approval import (
    NONCE_BYTES,
    build_binding_approval,
    build_creation_approval,
    build_deletion_approval,
    build_signing_approval,
    compute_challenge,
)
from authz.authorization_details import (
    AuthorizationDetails,
    CredentialAuthorization,
    CredentialCreation,
    CredentialDeletion,
    PasskeyBinding,
    read_authorization_details,
    write_authorization_details,
    write_service_access,
)
from authz.errors import AddressNotConfirmedError, RequestGoneError, StaleApprovalError, WrongFactorError
from authz.factors.interface import VerifiedAssertion
from authz.models import Consent, Passkey, User
from authz.services import passkeys, throttling
from authz.services.account_tokens import is_account
from authz.services.accounts import authentication_methods
from authz.services.authorization_requests import AuthorizationRequest
from authz.services.events import Kind, Visitor, record_event
from authz.services.grants import create_code, write_redirect
from authz.services.oauth_clients import OPERATOR_SCOPE
from authz.services.secrets import checksum, create_secret

logger = logging.getLogger(__name__)

REQUEST_LIFETIME = timedelta(minutes=30)
PAGE_LIFETIME = timedelta(minutes=10)
# What is approved at the end of the page's life can still be redeemed and used.
APPROVAL_LIFETIME = PAGE_LIFETIME + timedelta(minutes=5)


@dataclass(frozen=True)
class ApprovalPage:
    """What the page needs: ``reference`` names this showing, and each passkey has the options for its prompt."""

    consent: Consent
    details: AuthorizationDetails
    reference: str
    choices: tuple[tuple[Passkey, dict[str, Any]], ...]


def create_browser_binding() -> str:
    """A value for the browser's session, which its consents are bound to."""
    return create_secret()


def open_consent(*, request: AuthorizationRequest, browser: str) -> Consent:
    """Keeps a request until its user answers."""
    return Consent.objects.create(
        kind=_kind_of(request.details),
        application=request.application,
        browser=checksum(browser),
        expires=timezone.now() + REQUEST_LIFETIME,
        details=_write_details(request),
        request={
            "redirect_uri": request.redirect_uri,
            "state": request.state,
            "scopes": list(request.scopes),
            "resources": list(request.resources),
            "code_challenge": request.code_challenge,
            "nonce": request.nonce,
            "dpop_jkt": request.dpop_jkt,
            "prompt": sorted(request.prompt),
            "max_age": request.max_age,
            "login_hint": request.login_hint,
            "face": request.face,
            "account": request.account_token.account if request.account_token else "",
            "client_data": request.client_data,
        },
    )


def _write_details(request: AuthorizationRequest) -> list[dict[str, Any]] | None:
    if request.details is not None:
        return write_authorization_details(request.details)
    return None if request.access is None else write_service_access(request.access)


def _kind_of(details: AuthorizationDetails | None) -> Consent.Kind:
    match details:
        case None:
            return Consent.Kind.SERVICE
        case CredentialCreation():
            return Consent.Kind.CREDENTIAL_CREATION
        case CredentialDeletion():
            return Consent.Kind.CREDENTIAL_DELETION
        case PasskeyBinding():
            return Consent.Kind.PASSKEY_BINDING
        case _:
            return Consent.Kind.CREDENTIAL


def read_pending_consent(*, consent_id: UUID, browser: str | None) -> Consent:
    """Raises `RequestGoneError` unless it waits, in this browser."""
    consent = Consent.objects.filter(pk=consent_id, state=Consent.State.PENDING, expires__gt=timezone.now()).first()
    if consent is None or not browser or consent.browser != checksum(browser):
        raise RequestGoneError("This request was answered already, has expired or began in another browser.")
    return consent


def is_login_recent_enough(*, consent: Consent, auth_time: datetime | None) -> bool:
    """Whether the login satisfies ``prompt=login`` and ``max_age`` (OpenID Connect Core, section 3.1.2.1), and for
    ``prompt=create`` whether the account was made, or logged in to, since."""
    if auth_time is None:
        return False
    asked = consent.request
    if {"login", "create"} & set(asked["prompt"]) and auth_time < consent.created:
        return False
    max_age = asked["max_age"]
    return max_age is None or auth_time >= timezone.now() - timedelta(seconds=max_age)


def bind_consent(*, consent: Consent, user: User) -> None:
    """The first user who sees it logged in is the one who may answer; raises `RequestGoneError` for another, and for
    everybody but the one whom the client named in a token of its own, and for who is no operator where it is for
    operators."""
    if OPERATOR_SCOPE in consent.request["scopes"] and not user.is_staff:
        raise RequestGoneError("Only operators can allow this.")
    if not is_account(name=consent.request.get("account", ""), user=user):
        raise RequestGoneError("The application asked for another account.")
    Consent.objects.filter(pk=consent.pk, user=None).update(user=user)
    consent.refresh_from_db(fields=["user"])
    if consent.user_id != user.pk:
        raise RequestGoneError("This request was opened by another account.")


def prepare_approval(*, consent: Consent, user: User) -> ApprovalPage:
    """A new nonce and the passkey prompts whose challenges commit to all that the page shows. Raises
    `RequestGoneError`, or `AddressNotConfirmedError` for a certificate that is made of a verified address alone."""
    bind_consent(consent=consent, user=user)
    held = list(user.passkeys.all())
    details = read_authorization_details(consent.details)
    if len(held) < (2 if isinstance(details, PasskeyBinding) else 1):
        raise RequestGoneError("This account has no passkey to approve with.")
    if isinstance(details, CredentialAuthorization) and details.needs_choice:
        raise RequestGoneError("No credential was chosen.")
    if isinstance(details, CredentialCreation):
        if settings.REGISTRATION.get(details.certificate_policy) == "verified-email" and not user.is_email_verified:
            raise AddressNotConfirmedError("Confirm the account's e-mail address first.")
        details = details.with_subject(common_name=user.name, email=user.email, email_verified=user.is_email_verified)
    consent.details = write_authorization_details(details)
    consent.nonce = passkeys.create_challenge()[:NONCE_BYTES]
    now = timezone.now().replace(microsecond=0)
    consent.approval_expires = now + APPROVAL_LIFETIME
    consent.rp_id = settings.WEBAUTHN_RP_ID
    consent.origin = settings.WEBAUTHN_ORIGIN
    changed = {name: getattr(consent, name) for name in ("details", "nonce", "approval_expires", "rp_id", "origin")}
    if not Consent.objects.filter(pk=consent.pk, state=Consent.State.PENDING).update(**changed):
        raise RequestGoneError("This request was answered already.")
    if isinstance(details, CredentialCreation):
        # The new credential is bound to one passkey, so each has a challenge of its own.
        choices = [
            (item, passkeys.write_assertion_options(challenge=_challenge(consent, user, item), passkeys=[item]))
            for item in held
        ]
    elif isinstance(details, PasskeyBinding):
        # Each passkey that may be meant has a challenge of its own, which any of the others may answer.
        choices = [
            (item, passkeys.write_assertion_options(challenge=challenge, passkeys=[key for key in held if key != item]))
            # The newest first: it is the one that is meant where one is to be let in.
            for item, challenge in ((item, _challenge(consent, user, item, meant=item)) for item in reversed(held))
        ]
    else:
        options = passkeys.write_assertion_options(challenge=_challenge(consent, user, held[0]), passkeys=held)
        choices = [(held[0], options)]
    return ApprovalPage(consent, details, _reference(consent), tuple(choices))


def _reference(consent: Consent) -> str:
    return checksum(bytes(consent.nonce or b"").hex())


def _challenge(consent: Consent, user: User, passkey: Passkey, *, meant: Passkey | None = None) -> bytes:
    """What ``passkey`` has to sign, from this server's own record alone; ``meant`` is the one that is to be bound."""
    details = read_authorization_details(consent.details)
    if isinstance(details, PasskeyBinding) and meant is not None:
        details = _with_passkey(details, meant)
    if consent.nonce is None or consent.approval_expires is None:
        raise StaleApprovalError("The page has to be shown again.")
    common: dict[str, Any] = {
        "nonce": bytes(consent.nonce),
        "client_id": consent.application.client_id,
        "sub": str(user.sub),
        "rp_id": consent.rp_id,
        "origin": consent.origin,
        "expires_at": int(consent.approval_expires.timestamp()),
    }
    if isinstance(details, CredentialCreation):
        approval = build_creation_approval(
            certificate_policy=details.certificate_policy,
            key_algorithm=details.key_algorithm,
            common_name=details.subject.common_name if details.subject else "",
            email=details.subject.email if details.subject else "",
            passkey_public_key=bytes(passkey.public_key),
            **common,
        )
    elif isinstance(details, CredentialDeletion):
        approval = build_deletion_approval(
            credential_id=details.credential_id, revocation_reason=details.revocation_reason, **common
        )
    elif isinstance(details, PasskeyBinding):
        if details.passkey is None:
            raise StaleApprovalError("No passkey was chosen.")
        approval = build_binding_approval(
            credential_id=details.credential_id,
            action=details.action,
            passkey_id=details.passkey.id,
            passkey_public_key=details.passkey.public_key,
            **common,
        )
    else:
        approval = build_signing_approval(
            credential_id=details.credential_id,
            signature_qualifier=details.signature_qualifier,
            num_signatures=details.num_signatures,
            hash_algorithm_oid=details.hash_algorithm_oid,
            document_digests=[(item.hash_type, item.digest, item.label) for item in details.document_digests],
            on_behalf_of=details.on_behalf_of,
            **common,
        )
    return compute_challenge(approval)


def approve_consent(
    *,
    consent: Consent,
    user: User,
    reference: str,
    password: str,
    response: str,
    visitor: Visitor,
    meant: int | None = None,
) -> str:
    """Password and passkey verified in one step; returns where to send the browser, with the code.

    ``meant`` is the user's passkey that a binding is about, and none where it is about something else.

    Raises `ThrottledError`, `StaleApprovalError` (the page was replaced, used or left open too long) or
    `WrongFactorError`. Whatever is raised, this showing of the page is used up.
    """
    with _verified(consent, user, reference, password, response, visitor, meant) as passkey:
        methods = list(authentication_methods(passkey=passkey))
        code = create_code(consent=consent, user=user, auth_time=timezone.now(), amr=methods)
    return _answer(consent, {"code": code})


def approve_out_of_band(
    *, consent: Consent, user: User, reference: str, password: str, response: str, visitor: Visitor
) -> None:
    """The same for a request that no browser brought: its client asks for the token by itself."""
    with _verified(consent, user, reference, password, response, visitor):
        pass


@contextmanager
def _verified(
    consent: Consent,
    user: User,
    reference: str,
    password: str,
    response: str,
    visitor: Visitor,
    meant: int | None = None,
) -> Iterator[Passkey]:
    """Verifies both factors and records the approval, in one transaction with what is done inside."""
    throttling.count_approval(account=user.email)
    _take_nonce(consent=consent, user=user, reference=reference)
    if not user.check_password(password):
        raise WrongFactorError("Password or passkey did not fit.")
    passkey = passkeys.read_passkey(user=user, response=response)
    _choose_passkey(consent=consent, user=user, approving=passkey, meant=meant)
    assertion = passkeys.verify_assertion(
        passkey=passkey, response=response, challenge=_challenge(consent, user, passkey), visitor=visitor
    )
    with transaction.atomic():
        _record_approval(consent=consent, passkey=passkey, assertion=assertion, address=visitor.address)
        record_event(user=user, kind=Kind.APPROVED, visitor=visitor, detail=_summary(consent))
        yield passkey
    throttling.forgive_approval(account=user.email)
    logger.info(
        "consent %s (%s) approved by %s for %s", consent.pk, consent.kind, user.sub, consent.application.client_id
    )


def _with_passkey(details: PasskeyBinding, passkey: Passkey) -> PasskeyBinding:
    return details.with_passkey(id=bytes(passkey.credential_id), public_key=bytes(passkey.public_key))


def _choose_passkey(*, consent: Consent, user: User, approving: Passkey, meant: int | None) -> None:
    """Puts the passkey that a binding is about into ``consent``; never the one that approves it."""
    details = read_authorization_details(consent.details)
    if not isinstance(details, PasskeyBinding):
        return
    chosen = user.passkeys.exclude(pk=approving.pk).filter(pk=meant or 0).first()
    if chosen is None:
        raise WrongFactorError("Password or passkey did not fit.")
    consent.details = write_authorization_details(_with_passkey(details, chosen))


def _summary(consent: Consent) -> str:
    """One line for the owner's list of events."""
    details = read_authorization_details(consent.details)
    if isinstance(details, CredentialCreation):
        return f"{consent.application.name}: a new certificate"
    if isinstance(details, CredentialDeletion):
        return f"{consent.application.name}: the end of {details.credential_id}"
    if isinstance(details, PasskeyBinding):
        return f"{consent.application.name}: {details.action} a passkey, {details.credential_id}"
    return f"{consent.application.name}: {details.num_signatures} × {details.credential_label or details.credential_id}"


def _take_nonce(*, consent: Consent, user: User, reference: str) -> None:
    """Uses the showing up with one conditional UPDATE; the nonce itself stays in ``consent`` for what follows."""
    if consent.nonce is None or consent.approval_expires is None or _reference(consent) != reference:
        raise StaleApprovalError("The page was replaced by a newer one.")
    page_ends = consent.approval_expires - (APPROVAL_LIFETIME - PAGE_LIFETIME)
    if page_ends <= timezone.now():
        raise StaleApprovalError("The page was open too long.")
    waiting = Consent.objects.filter(pk=consent.pk, state=Consent.State.PENDING, user=user, nonce=consent.nonce)
    if not waiting.update(nonce=None):
        raise StaleApprovalError("The page was used already.")


def _record_approval(*, consent: Consent, passkey: Passkey, assertion: VerifiedAssertion, address: str) -> None:
    passkeys.record_use(passkey=passkey, assertion=assertion)
    # The row gets what the challenge was computed from: a page shown meanwhile may have written its own.
    approved = Consent.objects.filter(pk=consent.pk, state=Consent.State.PENDING).update(
        state=Consent.State.APPROVED,
        decided=timezone.now(),
        address=address,
        details=consent.details,
        nonce=consent.nonce,
        approval_expires=consent.approval_expires,
        rp_id=consent.rp_id,
        origin=consent.origin,
        passkey=passkey,
        passkey_credential_id=assertion.credential_id,
        passkey_public_key=passkey.public_key,
        authenticator_data=assertion.authenticator_data,
        client_data_json=assertion.client_data_json,
        signature=assertion.signature,
    )
    if not approved:
        raise StaleApprovalError("The page was replaced by a newer one.")


def allow_access(
    *, consent: Consent, user: User, auth_time: datetime, amr: list[str], sid: str, visitor: Visitor
) -> str:
    """Approves access to the account, which the login's two factors stand for; returns where to send the browser."""
    bind_consent(consent=consent, user=user)
    if consent.kind != Consent.Kind.SERVICE:
        raise StaleApprovalError("This needs password and passkey.")
    with transaction.atomic():
        waiting = Consent.objects.filter(pk=consent.pk, state=Consent.State.PENDING, kind=Consent.Kind.SERVICE)
        if not waiting.update(state=Consent.State.APPROVED, decided=timezone.now(), address=visitor.address):
            raise RequestGoneError("This request was answered already.")
        if not consent.application.skip_authorization:
            record_event(user=user, kind=Kind.CLIENT_ALLOWED, visitor=visitor, detail=consent.application.name)
        code = create_code(consent=consent, user=user, auth_time=auth_time, amr=amr, sid=sid)
    return _answer(consent, {"code": code})


def decline_consent(*, consent: Consent, address: str) -> str:
    """The user says no; returns where to send the browser."""
    decline_out_of_band(consent=consent, address=address)
    return _answer(consent, {"error": "access_denied", "error_description": "The user declined."})


def decline_out_of_band(*, consent: Consent, address: str) -> None:
    """The same where no browser has to be sent anywhere."""
    waiting = Consent.objects.filter(pk=consent.pk, state=Consent.State.PENDING)
    if not waiting.update(state=Consent.State.DECLINED, decided=timezone.now(), address=address, nonce=None):
        raise RequestGoneError("This request was answered already.")
    logger.info("consent %s (%s) declined", consent.pk, consent.kind)


def _answer(consent: Consent, parameters: dict[str, str]) -> str:
    return write_redirect(
        redirect_uri=consent.request["redirect_uri"], state=consent.request["state"], parameters=parameters
    )

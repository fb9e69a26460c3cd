"""Tokens: issuing, refreshing, introspecting and revoking them. All are opaque; only checksums are kept."""

import logging
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from authz.errors import (
    InvalidGrantError,
    InvalidScopeError,
    InvalidTargetError,
    InvalidTokenError,
    UnauthorizedClientError,
)
from authz.models import (
    AccessToken,
    AddressLink,
    Application,
    BackchannelRequest,
    Consent,
    Face,
    Grant,
    IDToken,
    PushedRequest,
    RefreshToken,
    Session,
    SignUpLink,
    UsedChallenge,
    User,
)
from authz.models.prepared import Prepared
from authz.services import accounts
from authz.services.access_tokens import JWT_LIFETIME, create_access_token, is_jwt
from authz.services.grants import create_used_grant, hold_grant, is_taken_now, revoke_grant
from authz.services.oauth_clients import OPERATOR_SCOPE
from authz.services.secrets import checksum, create_secret
from authz.wire import Confirmation, write_approval, write_introspection, write_token_type

logger = logging.getLogger(__name__)

CREDENTIAL_TOKEN_LIFETIME = timedelta(minutes=5)
_READ: Prepared[AccessToken] = Prepared(
    lambda checksum: AccessToken.objects.filter(token_checksum=checksum).select_related(
        "user", "application", "consent", "grant"
    ),
    str,
)


def _lifetime(name: str) -> timedelta:
    provider: dict[str, Any] = settings.OAUTH2_PROVIDER
    return timedelta(seconds=provider[name])


def _access_lifetime(application: Application, scope: str) -> timedelta:
    return JWT_LIFETIME if is_jwt(application=application, scope=scope) else _lifetime("ACCESS_TOKEN_EXPIRE_SECONDS")


def issue_tokens(
    *,
    grant: Grant,
    access_token: str,
    refresh_token: str | None,
    resources: list[str],
    confirmation: Confirmation = None,
) -> dict[str, Any]:
    """Takes the code and keeps its tokens in one transaction; returns the response's members that follow from it.

    Raises `InvalidGrantError` if the code was taken meanwhile (and then ends what the other taker got) or is for
    another key than ``confirmation`` names, and `InvalidTargetError` if ``resources`` holds one that was not granted. A
    token that approves a signature or a credential lives 5 minutes at most, never longer than the approval, and has no
    refresh token.
    """
    if not set(resources) <= set(grant.resource):
        raise InvalidTargetError("This resource was not granted.")
    if grant.dpop_jkt and (confirmation or {}).get("jkt") != grant.dpop_jkt:
        raise InvalidGrantError("The code is for the holder of another key.")
    try:
        with transaction.atomic():
            _take_code(grant)
            return issue_under_grant(
                grant=grant,
                access_token=access_token,
                refresh_token=refresh_token,
                resources=resources,
                confirmation=confirmation,
            )
    except InvalidGrantError:
        logger.warning("a code of %s was used twice; what it gave is revoked", grant.application.client_id)
        revoke_grant(grant=grant)
        raise


def issue_under_grant(
    *,
    grant: Grant,
    access_token: str,
    refresh_token: str | None,
    resources: list[str],
    confirmation: Confirmation = None,
) -> dict[str, Any]:
    """Keeps a grant's tokens, in the caller's transaction, with what made the grant good for them; returns the
    response's members that follow from it."""
    consent: Consent | None = grant.consent
    now = timezone.now()
    expires = now + _access_lifetime(grant.application, grant.scope)
    if consent and consent.approval_expires:
        expires = min(now + CREDENTIAL_TOKEN_LIFETIME, consent.approval_expires)
    token = _create_access_token(
        grant, access_token, grant.scope, resources or grant.resource, expires, consent, confirmation
    )
    members: dict[str, Any] = {
        "token_type": write_token_type(confirmation),
        "expires_in": int((expires - now).total_seconds()),
        "scope": grant.scope,
    }
    if consent and consent.details is not None:
        members |= {"authorization_details": consent.details, "sub": str(grant.user.sub)} | _chosen(consent)
    if refresh_token and "service" in grant.scope.split():
        _create_refresh_token(grant, refresh_token, token)
        members["refresh_token"] = refresh_token
    return members


def _chosen(consent: Consent) -> dict[str, str]:
    """CSC API, 8.4.4: which credential it became, where the client named a signature qualifier."""
    (entry,) = consent.details or [{}]
    return {"credentialID": entry["credentialID"]} if "signatureQualifier" in entry else {}


def _take_code(grant: Grant) -> None:
    if not is_taken_now(grant=grant):
        raise InvalidGrantError("The code was used already.")


def _take_refresh_token(used: RefreshToken) -> None:
    """One conditional UPDATE: of parallel swaps exactly one passes."""
    if not RefreshToken.objects.filter(pk=used.pk, revoked=None).update(revoked=timezone.now()):
        raise InvalidGrantError("The refresh token was used already.")


def _hold_refresh_token(used: RefreshToken) -> None:
    """As it is now, with the access token that it gave last; ended meanwhile it gives nothing."""
    used.refresh_from_db()
    if used.revoked is not None:
        raise InvalidGrantError("The refresh token was revoked.")


def _create_access_token(
    grant: Grant,
    value: str,
    scope: str,
    resources: list[str],
    expires: Any,
    consent: Consent | None,
    confirmation: Confirmation,
) -> AccessToken:
    token = AccessToken(
        user=grant.user,
        application=grant.application,
        scope=scope,
        expires=expires,
        resource=resources,
        grant=grant,
        consent=consent,
        confirmation=confirmation,
        token="",
    )
    token._raw_token = value  # noqa: SLF001  (the provider's way of keeping the checksum alone)
    token.save()
    return token


def _create_refresh_token(grant: Grant, value: str, access_token: AccessToken) -> RefreshToken:
    token = RefreshToken(
        user=grant.user,
        application=grant.application,
        access_token=access_token,
        resource=grant.resource,
        scope=grant.scope,
        grant=grant,
        confirmation=access_token.confirmation,
        expires=timezone.now() + _lifetime("REFRESH_TOKEN_EXPIRE_SECONDS"),
        token="",
    )
    token._raw_token = value  # noqa: SLF001  (as above)
    token.save()
    return token


def read_refresh_token(*, refresh_token: str, application: Application, face: str = Face.OAUTH) -> RefreshToken | None:
    """The live refresh token of this client and face; a used one is a sign of theft and ends all that the grant gave
    (RFC 9700, 4.14)."""
    rows = RefreshToken.objects.filter(
        token_checksum=checksum(refresh_token), application=application, grant__face=face
    )
    token: RefreshToken | None = rows.select_related("user", "grant").first()
    if token is None or token.grant is None:
        return None
    if token.revoked is not None:
        logger.warning("a refresh token of %s was used twice; its grant is revoked", application.client_id)
        revoke_grant(grant=token.grant)
        return None
    if token.expires <= timezone.now() or not token.user.is_active:
        return None
    return token


def _refuse_unbound(used: RefreshToken, confirmation: Confirmation) -> None:
    """What was bound stays bound. A public client's refresh token is its key's alone (RFC 9449, section 5); a
    confidential client, which has proved who it is, may come with a new key."""
    if used.confirmation is None:
        return
    is_public = used.application.client_type == Application.CLIENT_PUBLIC
    if set(confirmation or {}) != set(used.confirmation) or (is_public and confirmation != used.confirmation):
        raise InvalidGrantError("The refresh token is for the holder of a key.")


def refresh_access(
    *,
    used: RefreshToken,
    access_token: str,
    refresh_token: str | None,
    scope: str,
    resources: list[str],
    confirmation: Confirmation = None,
) -> dict[str, Any]:
    """Swaps a refresh token for a new pair; of parallel swaps one wins and the others end the grant. Without the key
    that it is bound to it is refused, and stays as it is: whoever stole it must not be able to end it.

    Where ``refresh_token`` is None the old one stays, and gives a new access token in the place of its last one.
    """
    _refuse_unbound(used, confirmation)
    if not set(resources) <= set(used.resource):
        raise InvalidTargetError("This resource was not granted.")
    grant = used.grant
    if grant is None:
        raise InvalidGrantError("The refresh token is too old.")
    try:
        with transaction.atomic():
            hold_grant(grant=grant)
            now = timezone.now()
            if refresh_token is not None:
                _take_refresh_token(used)
            else:
                _hold_refresh_token(used)
            AccessToken.objects.filter(pk=used.access_token_id).delete()
            lifetime = _access_lifetime(grant.application, scope)
            consent: Consent | None = grant.consent
            token = _create_access_token(
                grant, access_token, scope, resources or used.resource, now + lifetime, consent, confirmation
            )
            members = {
                "token_type": write_token_type(confirmation),
                "expires_in": int(lifetime.total_seconds()),
                "scope": scope,
            }
            if refresh_token is not None:
                _create_refresh_token(grant, refresh_token, token)
                members["refresh_token"] = refresh_token
            else:
                RefreshToken.objects.filter(pk=used.pk).update(access_token=token)
            details = consent.details if consent else None
            return members if details is None else members | {"authorization_details": details}
    except InvalidGrantError:
        revoke_grant(grant=grant)
        raise


def read_access_token(*, access_token: str) -> AccessToken:
    """The live token; raises `InvalidTokenError`."""
    token = _READ.first(checksum(access_token))
    if token is None or token.is_expired() or not _has_holder(token):
        raise InvalidTokenError("The token is unknown, expired or revoked.")
    return token


def _has_holder(token: AccessToken) -> bool:
    """A person whose account is open, or a client that may (still) act without one; of what operators do, an operator,
    by a client that (still) may."""
    if OPERATOR_SCOPE in token.scope.split():
        is_let = OPERATOR_SCOPE in token.application.scopes() and (token.user is None or token.user.is_staff)
        if not is_let:
            return False
    return bool(token.application.may_act_alone if token.user is None else token.user.is_active)


def issue_client_token(
    *, application: Application, scope: str, resources: list[str], confirmation: Confirmation = None
) -> dict[str, Any]:
    """A token without a person (RFC 6749, section 4.4), never with a refresh token: of scope ``service``, or of
    ``operator`` for rssp alone.

    ``application`` is authenticated. Raises `UnauthorizedClientError`, `InvalidScopeError` or `InvalidTargetError`.
    """
    if not application.may_act_alone or application.client_type != Application.CLIENT_CONFIDENTIAL:
        raise UnauthorizedClientError("This client may not act without a user.")
    wanted = scope or "service"
    if wanted not in {"service", OPERATOR_SCOPE} or wanted not in application.scopes():
        raise InvalidScopeError("Without a user there is scope service, or operator for a client that has it.")
    allowed = [each for each in application.allowed_resources if wanted == "service" or each == settings.RSSP_RESOURCE]
    if not set(resources) <= set(allowed) or not allowed:
        raise InvalidTargetError("This client may not ask for this resource.")
    granted = resources or allowed
    lifetime = _access_lifetime(application, wanted)
    value = create_access_token(
        application=application, grant=None, scope=wanted, resources=granted, confirmation=confirmation
    )
    token = AccessToken(
        user=None,
        application=application,
        scope=wanted,
        expires=timezone.now() + lifetime,
        resource=granted,
        confirmation=confirmation,
        token="",
    )
    token._raw_token = value  # noqa: SLF001  (as above)
    token.save()
    logger.info("%s has a token without a user", application.client_id)
    return {
        "access_token": value,
        "token_type": write_token_type(confirmation),
        "expires_in": int(lifetime.total_seconds()),
        "scope": wanted,
    }


def redeem_out_of_band(*, request: BackchannelRequest, confirmation: Confirmation = None) -> dict[str, Any]:
    """The token response of an approved request (CIBA Core, 10.1.1), once: of parallel calls exactly one has it, and
    the others raise `InvalidGrantError`."""
    consent, value = request.consent, create_secret()
    with transaction.atomic():
        if not BackchannelRequest.objects.filter(pk=request.pk, redeemed=None).update(redeemed=timezone.now()):
            raise InvalidGrantError("The auth_req_id was used already.")
        methods = accounts.authentication_methods(passkey=consent.passkey) if consent.passkey else ()
        grant = create_used_grant(
            application=consent.application,
            user=consent.user,
            scope=" ".join(consent.request["scopes"]),
            resources=consent.request["resources"],
            auth_time=consent.decided,
            amr=list(methods),
            consent=consent,
        )
        members = issue_under_grant(
            grant=grant, access_token=value, refresh_token=None, resources=[], confirmation=confirmation
        )
    return {"access_token": value, **members}


def introspect_token(*, access_token: str, caller: Application) -> dict[str, Any]:
    """RFC 7662, section 2.2. ``caller`` is an authenticated client; it learns of tokens for its own resource only."""
    inactive = {"active": False}
    try:
        token = read_access_token(access_token=access_token)
    except InvalidTokenError:
        return inactive
    if not caller.resource or caller.resource not in token.resource:
        return inactive
    consent: Consent | None = token.consent
    approval = None
    if consent and consent.approval_expires and caller.client_id == settings.RSSP_CLIENT_ID:
        approval = _write_approval(consent)
    return write_introspection(
        issuer=settings.ISSUER,
        client_id=token.application.client_id,
        sub=str(token.user.sub) if token.user else None,
        amr=token.grant.amr if token.grant else [],
        scope=token.scope,
        audience=token.resource,
        issued_at=int(token.created.timestamp()),
        expires_at=int(token.expires.timestamp()),
        authorization_details=consent.details if consent else None,
        approval=approval,
        confirmation=token.confirmation,
        username=token.user.get_username() if token.user and OPERATOR_SCOPE in token.scope.split() else "",
    )


def _write_approval(consent: Consent) -> dict[str, Any] | None:
    evidence = (consent.nonce, consent.passkey_credential_id, consent.authenticator_data, consent.approval_expires)
    if consent.state != Consent.State.APPROVED or any(item is None for item in evidence):
        return None
    is_creation = consent.kind == Consent.Kind.CREDENTIAL_CREATION
    assert consent.approval_expires is not None  # noqa: S101  (checked above; tells the type checker)
    return write_approval(
        kind=consent.kind,
        nonce=bytes(consent.nonce or b""),
        rp_id=consent.rp_id,
        origin=consent.origin,
        expires_at=int(consent.approval_expires.timestamp()),
        passkey_id=bytes(consent.passkey_credential_id or b""),
        passkey_public_key=bytes(consent.passkey_public_key or b"") if is_creation else None,
        authenticator_data=bytes(consent.authenticator_data or b""),
        client_data_json=bytes(consent.client_data_json or b""),
        signature=bytes(consent.signature or b""),
    )


def revoke_user_tokens(*, user: User) -> None:
    """Ends every token of a user, at every client."""
    with transaction.atomic():
        # Grants first, as everybody who writes tokens does: a rotation under way ends before its tokens are looked for.
        list(Grant.objects.select_for_update().filter(user=user).order_by("pk").values_list("pk"))
        RefreshToken.objects.filter(user=user, revoked=None).update(revoked=timezone.now())
        AccessToken.objects.filter(user=user).delete()


def clear_expired() -> int:
    """Removes tokens, codes and pushed requests that nothing can be done with any more; evidence stays."""
    now = timezone.now()
    day = timedelta(days=1)
    expired = [
        AddressLink.objects.filter(expires__lt=now - day),
        RefreshToken.objects.filter(expires__lt=now - day),
        AccessToken.objects.filter(expires__lt=now - day, refresh_token=None),
        Grant.objects.filter(expires__lt=now - day, refresh_tokens=None, access_tokens=None),
        SignUpLink.objects.filter(expires__lt=now - day),
        IDToken.objects.filter(expires__lt=now - day),
        PushedRequest.objects.filter(expires__lt=now - day),
        Consent.objects.filter(state=Consent.State.PENDING, expires__lt=now - day),
        UsedChallenge.objects.filter(used__lt=now - day),
        Session.objects.filter(expire_date__lt=now),
    ]
    return sum(int(rows.delete()[0]) for rows in expired)

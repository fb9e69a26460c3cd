"""What django-oauth-toolkit and oauthlib ask at the token and revocation endpoints, answered from this role's services.

The authorization endpoint does not pass here (`services.authorization_requests` judges those requests).
"""

import re
from typing import Any

from oauth2_provider.oauth2_validators import OAuth2Validator
from oauthlib.oauth2.rfc6749 import errors

from authz.authorization_details import (
    parse_authorization_details,
    parse_service_access,
    write_authorization_details,
    write_service_access,
)
from authz.errors import InvalidAuthorizationDetailsError, InvalidGrantError, InvalidTargetError
from authz.models import Application, Face, Grant, IDToken
from authz.models.faces import FACE
from authz.services import grants, tokens
from authz.services.access_tokens import create_access_token
from authz.services.secrets import checksum, create_secret
from authz.services.signing_keys import sign
from authz.wire import CLIENT, CONFIRMATION

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class OAuthValidator(OAuth2Validator):  # type: ignore[misc]  # the provider carries no types
    """Code and refresh token grants, with every lookup by checksum and every use by one conditional UPDATE."""

    oidc_claim_scope = {"sub": "openid", "name": "profile", "email": "email", "email_verified": "email"}

    # --- who the client is ---------------------------------------------------------------------------------

    def client_authentication_required(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        return True

    def authenticate_client(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        """The view has done it."""
        request.client = request.headers.get(CLIENT)
        return request.client is not None

    # --- authorization codes -------------------------------------------------------------------------------

    def validate_grant_type(
        self, client_id: str, grant_type: str, client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        return (
            grant_type in {"authorization_code", "refresh_token"}
            and request.client.authorization_grant_type == Application.GRANT_AUTHORIZATION_CODE
        )

    def get_authorization_code_scopes(self, client_id: str, code: str, redirect_uri: str, request: Any) -> list[str]:
        scope = Grant.objects.filter(code=checksum(code)).values_list("scope", flat=True).first()
        return scope.split() if scope else []

    def validate_code(self, client_id: str, code: str, client: Any, request: Any, *args: Any, **kwargs: Any) -> bool:
        """A code that was used before ends what it gave. The verifier's form is RFC 7636, section 4.1."""
        rows = Grant.objects.filter(code=checksum(code), application=client, face=_face(request))
        grant = rows.select_related("user", "consent", "application").first()
        if grant is None or (grant.is_expired() and grant.used is None) or not grant.user.is_active:
            return False
        if grant.used is not None:
            grants.revoke_grant(grant=grant)
            return False
        if request.code_verifier is not None and not _VERIFIER.fullmatch(request.code_verifier):
            return False
        if request.code_verifier is not None and not grant.code_challenge:
            # Somebody took the challenge out of the request (RFC 9700, section 4.8.2).
            return False
        request.authorization_grant = grant
        request.user, request.scopes, request.nonce = grant.user, grant.scope.split(), grant.nonce
        return _are_details_granted(request, grant)

    def get_code_challenge(self, code: str, request: Any) -> str | None:
        challenge: str = request.authorization_grant.code_challenge
        return challenge or None

    def is_pkce_required(self, client_id: str, request: Any) -> bool:
        """Asked of codes without a challenge, which only a client that an operator excused can have got."""
        return bool(request.client.require_pkce) or _face(request) != Face.CSC_V1

    def get_code_challenge_method(self, code: str, request: Any) -> str:
        return "S256"

    def confirm_redirect_uri(
        self, client_id: str, code: str, redirect_uri: str, client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        if redirect_uri != request.authorization_grant.redirect_uri:
            # The library would call it an invalid_request; RFC 6749, section 5.2, does not.
            raise errors.InvalidGrantError(description="The redirect_uri is not the one asked for.", request=request)
        return True

    def invalidate_authorization_code(self, client_id: str, code: str, request: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing is left to do: the code was taken in the transaction that kept its tokens."""

    def get_authorization_code_nonce(self, client_id: str, code: str, redirect_uri: str, request: Any) -> str | None:
        return request.nonce or None

    # --- refresh tokens ------------------------------------------------------------------------------------

    def validate_refresh_token(self, refresh_token: str, client: Any, request: Any, *args: Any, **kwargs: Any) -> bool:
        used = tokens.read_refresh_token(refresh_token=refresh_token, application=client, face=_face(request))
        if used is None:
            return False
        request.user, request.refresh_token_instance = used.user, used
        return True

    def get_original_scopes(self, refresh_token: str, request: Any, *args: Any, **kwargs: Any) -> str:
        scope: str = request.refresh_token_instance.scope
        return scope

    def rotate_refresh_token(self, request: Any) -> bool:
        """FAPI 2.0 security profile, 5.3.2.1: a refresh token that is worth nothing without a key stays as it is, so
        that a lost answer loses no access."""
        return not request.client.fapi_profile

    def refresh_id_token(self, request: Any) -> bool:
        return False

    # --- tokens --------------------------------------------------------------------------------------------

    def save_bearer_token(self, token: dict[str, Any], request: Any, *args: Any, **kwargs: Any) -> None:
        """Keeps the tokens, and puts into the response what was granted."""
        asked = [value for name, value in request.decoded_body or [] if name == "resource"]
        try:
            if request.grant_type == "refresh_token":
                is_rotated = self.rotate_refresh_token(request)
                members = tokens.refresh_access(
                    used=request.refresh_token_instance,
                    access_token=token["access_token"],
                    refresh_token=token["refresh_token"] if is_rotated else None,
                    scope=" ".join(request.scopes),
                    resources=asked,
                    confirmation=request.headers.get(CONFIRMATION),
                )
            else:
                members = tokens.issue_tokens(
                    grant=request.authorization_grant,
                    access_token=token["access_token"],
                    refresh_token=token.get("refresh_token"),
                    resources=asked,
                    confirmation=request.headers.get(CONFIRMATION),
                )
        except InvalidGrantError as error:
            raise errors.InvalidGrantError(description=str(error), request=request) from None
        except InvalidTargetError as error:
            raise errors.CustomOAuth2Error(error="invalid_target", description=str(error), request=request) from None
        token.pop("refresh_token", None)
        token.update(members)

    # --- OpenID --------------------------------------------------------------------------------------------

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        user = request.user
        verified = user.is_email_verified
        return {"sub": str(user.sub), "email": user.email, "email_verified": verified, "name": user.name}

    def get_id_token_dictionary(self, token: Any, token_handler: Any, request: Any) -> tuple[dict[str, Any], Any]:
        """``auth_time`` and ``amr`` are those of the login behind this code, not of the user's latest one."""
        claims, expires = super().get_id_token_dictionary(token, token_handler, request)
        grant: Grant = request.authorization_grant
        claims |= {"amr": grant.amr, "acr": "aal2"}
        if grant.auth_time is not None:
            claims["auth_time"] = int(grant.auth_time.timestamp())
        if grant.sid:
            claims["sid"] = grant.sid
        if grant.user.is_staff and "mfa" in grant.amr:
            claims["operator"] = True
        return claims, expires

    def finalize_id_token(self, id_token: dict[str, Any], token: Any, token_handler: Any, request: Any) -> str:
        """Signed by the algorithm of the client's record; the provider knows RS256 alone."""
        claims, expires = self.get_id_token_dictionary(token, token_handler, request)
        if request.nonce:
            claims["nonce"] = request.nonce
        id_token |= claims
        request.id_token = self._save_id_token(id_token["jti"], request, expires)
        return sign(application=request.client, kind="JWT", claims=id_token)

    def _save_id_token(self, jti: str, request: Any, expires: Any, *args: Any, **kwargs: Any) -> IDToken:
        id_token: IDToken = IDToken.objects.create(
            user=request.user, scope=" ".join(request.scopes), expires=expires, jti=jti, application=request.client
        )
        return id_token


def create_refresh_value(_request: Any) -> str:
    """What the provider calls for a refresh token's value."""
    return create_secret()


def create_token_value(request: Any) -> str:
    """What the provider calls for an access token's value."""
    grant = getattr(request, "authorization_grant", None)
    if grant is None:
        grant = request.refresh_token_instance.grant
    asked = [value for name, value in request.decoded_body or [] if name == "resource"]
    return create_access_token(
        application=request.client,
        grant=grant,
        scope=" ".join(request.scopes),
        resources=asked or list(grant.resource),
        confirmation=request.headers.get(CONFIRMATION),
    )


def _face(request: Any) -> str:
    return str(request.headers.get(FACE, Face.OAUTH))


def _are_details_granted(request: Any, grant: Grant) -> bool:
    """Some clients repeat their authorization details with the code: then they must be those that were granted."""
    repeated = getattr(request, "authorization_details", None)
    if repeated is None:
        return True
    try:
        access = parse_service_access(repeated)
        asked = (
            write_service_access(access)
            if access
            else write_authorization_details(parse_authorization_details(repeated))
        )
    except InvalidAuthorizationDetailsError:
        return False
    added = {"subject"}
    if any("signatureQualifier" in entry for entry in asked):
        # The user's choice; `parse_authorization_details` knows it from nobody.
        added |= {"credentialID", "credentialLabel"}
    granted = [{name: value for name, value in entry.items() if name not in added} for entry in _details(grant)]
    return asked == granted


def _details(grant: Grant) -> list[dict[str, Any]]:
    return (grant.consent.details if grant.consent else None) or []

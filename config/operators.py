"""Operators where authz is not served here: they log in at the issuer and become local rows of Django's own user table.

The issuer says who is an operator (claim ``operator``) and that a passkey was used (``amr`` holds ``hwk`` or ``swk``,
RFC 8176); without both there is no row and no session. Where authz is served, its own login guards the admin.
"""

import secrets
import time
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urljoin

import httpx
from django.conf import settings
from django.contrib.auth import authenticate, login
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.util import urlsafe_b64encode

from config.transport import transport_for

_PENDING = "operator_login"
_PENDING_SECONDS = 600


class OperatorLoginError(Exception):
    """The issuer's answer does not make this browser an operator's."""


class OperatorBackend(BaseBackend):
    """Makes or finds the local row of an operator whom the issuer vouched for.

    Rows are `auth.User`, since this backend runs only where authz is not served; the type checker sees all roles at
    once and knows authz's users alone, hence Any.
    """

    def authenticate(  # type: ignore[override]  # Django passes by name only what a backend declares
        self, request: HttpRequest | None, operator: dict[str, Any] | None = None
    ) -> Any:
        if operator is None:
            return None
        user, _ = User.objects.update_or_create(
            username=f"{operator['iss']}#{operator['sub']}"[:150],
            defaults={"email": operator.get("email", ""), "is_staff": True, "is_superuser": True},
        )
        return user if user.is_active else None

    def get_user(self, user_id: int) -> Any:
        return User.objects.filter(pk=user_id).first()


def _redirect_uri(request: HttpRequest) -> str:
    return request.build_absolute_uri("/admin/callback")


@never_cache
def begin(request: HttpRequest) -> HttpResponse:
    """Sends the browser to the issuer; state, nonce and PKCE verifier stay in the session. Another provider in authz's
    place says of nobody that they are an operator: then there is no admin, and a page that says so."""
    if settings.EXTERNAL_ISSUER:
        sentence = "People log in at another provider here, which knows no operators of Paraph. Use manage.py instead."
        context = {"title": "There is no admin here", "sentence": sentence, "reference": "-"}
        return render(request, "problem.html", context, status=HTTPStatus.FORBIDDEN)
    verifier = secrets.token_urlsafe(48)
    state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    asked_next = request.GET.get("next", "/admin/")
    safe = url_has_allowed_host_and_scheme(asked_next, {request.get_host()}, require_https=settings.HTTPS)
    request.session[_PENDING] = {
        "state": state,
        "nonce": nonce,
        "verifier": verifier,
        "next": asked_next if safe else "/admin/",
        "until": time.time() + _PENDING_SECONDS,
    }
    query = {
        "response_type": "code",
        "client_id": settings.OPERATORS_CLIENT_ID,
        "redirect_uri": _redirect_uri(request),
        "scope": "openid email",
        "state": state,
        "nonce": nonce,
        "code_challenge": urlsafe_b64encode(sha256(verifier.encode()).digest()).decode(),
        "code_challenge_method": "S256",
    }
    return HttpResponseRedirect(f"{settings.ISSUER}/oauth2/authorize?{urlencode(query)}")


@never_cache
def callback(request: HttpRequest) -> HttpResponse:
    """The issuer's answer: state, ``iss`` (RFC 9207), code, ID token; each checked before a session is made."""
    pending = request.session.pop(_PENDING, None)
    try:
        operator = _verify_operator(request, pending)
    except OperatorLoginError as error:
        context = {"title": "You are not logged in", "sentence": str(error), "reference": "-"}
        return render(request, "problem.html", context, status=HTTPStatus.FORBIDDEN)
    user = authenticate(request, operator=operator)
    if user is None:
        context = {"title": "You are not logged in", "sentence": "This operator is closed here.", "reference": "-"}
        return render(request, "problem.html", context, status=HTTPStatus.FORBIDDEN)
    login(request, user)
    return HttpResponseRedirect(pending["next"])


def _verify_operator(request: HttpRequest, pending: dict[str, Any] | None) -> dict[str, Any]:
    if pending is None or pending["until"] < time.time():
        raise OperatorLoginError("The login took too long or began in another browser. Open the admin again.")
    if not secrets.compare_digest(request.GET.get("state", ""), pending["state"]):
        raise OperatorLoginError("The answer does not belong to this login. Open the admin again.")
    if request.GET.get("iss") != settings.ISSUER or "code" not in request.GET:
        raise OperatorLoginError("The login was declined or came from elsewhere. Open the admin again.")
    claims = _redeem(request, request.GET["code"], pending)
    if claims.get("operator") is not True or not {"hwk", "swk"} & set(claims.get("amr", [])):
        raise OperatorLoginError("This account is not an operator's, or it logged in without a passkey.")
    return claims


def _redeem(request: HttpRequest, code: str, pending: dict[str, Any]) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": _redirect_uri(request),
        "code_verifier": pending["verifier"],
    }
    endpoints = urljoin(f"{settings.ISSUER}/", "oauth2/")
    try:
        with httpx.Client(
            transport=transport_for(settings.ISSUER),
            auth=(settings.OPERATORS_CLIENT_ID, settings.OPERATORS_CLIENT_SECRET),
            timeout=settings.CLIENT_TIMEOUT_SECONDS,
        ) as client:
            token = client.post(f"{endpoints}token", data=form).raise_for_status().json()
            keys = KeySet.import_key_set(client.get(f"{endpoints}jwks").raise_for_status().json())
        claims = jwt.decode(token["id_token"], keys, algorithms=["RS256"]).claims
        jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": settings.ISSUER},
            aud={"essential": True, "value": settings.OPERATORS_CLIENT_ID},
            exp={"essential": True},
            nonce={"essential": True, "value": pending["nonce"]},
            sub={"essential": True},
        ).validate(claims)
    except (httpx.HTTPError, JoseError, KeyError, ValueError):
        raise OperatorLoginError("The authorization server's answer could not be verified. Try again.") from None
    return claims

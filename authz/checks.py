"""Weak settings of this role, as numbered messages of ``manage.py check --deploy``."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  (Django's own name)


@register(Tags.security, deploy=True)
def check_provider(**_kwargs: Any) -> list[CheckMessage]:
    """``authz.E001`` PKCE not required; ``authz.E002`` codes live over a minute; ``authz.E003`` passkeys' origin;
    ``authz.E004`` clients' certificates from anybody; ``authz.E005`` a policy for authenticators that nothing proves;
    ``authz.W001`` a password alone gives a token; ``authz.W002`` sign-ups tell who has an account."""
    found: list[CheckMessage] = []
    provider: dict[str, Any] = settings.OAUTH2_PROVIDER
    if provider.get("PKCE_REQUIRED") is not True:
        found.append(Error("PKCE must be required of every client.", id="authz.E001"))
    if provider.get("AUTHORIZATION_CODE_EXPIRE_SECONDS", 0) > 60:
        found.append(Error("An authorization code may live 60 seconds at most.", id="authz.E002"))
    if not settings.WEBAUTHN_ORIGIN.startswith("https://"):
        found.append(Error("Passkeys need an https:// origin.", id="authz.E003"))
    if settings.CLIENT_CERTIFICATE_HEADER and not settings.TRUSTED_PROXIES:
        hint = "Name the proxy in TRUSTED_PROXIES: its header alone counts."
        found.append(Error("Nobody may hand client certificates over.", hint=hint, id="authz.E004"))
    if settings.PASSKEY_AAGUIDS and not settings.PASSKEY_ATTESTATION_ROOTS:
        hint = "Name the makers' certificates in PASSKEY_ATTESTATION_ROOTS; until then no passkey can be enrolled."
        found.append(Error("PASSKEY_AAGUIDS is a claim without attestation.", hint=hint, id="authz.E005"))
    if not settings.SIGN_UP_BY_LINK:
        hint = "Set SIGN_UP_BY_LINK=true."
        found.append(Warning("A sign-up tells whose address has an account.", hint=hint, id="authz.W002"))
    if settings.CSC_LOGIN:
        hint = "Set CSC_LOGIN=false unless clients need auth/login of the CSC API."
        found.append(Warning("A password alone opens the CSC API.", hint=hint, id="authz.W001"))
    return found

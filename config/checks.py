"""Weak settings, as numbered messages of ``manage.py check --deploy``."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Tags, register

from config.colours import UnreadableColourError, derive_palette


@register(Tags.security, deploy=True)
def check_environment(**_kwargs: Any) -> list[CheckMessage]:
    """``paraph.E001`` development settings; ``paraph.E002`` plain HTTP; ``paraph.W001`` SQLite."""
    found: list[CheckMessage] = []
    if settings.DEVELOPMENT:
        found.append(
            checks.Error(
                "ENVIRONMENT=development makes its own secrets.", hint="Set ENVIRONMENT=production.", id="paraph.E001"
            )
        )
    if not settings.HTTPS:
        found.append(checks.Error("A role is served without TLS.", hint="Give https:// addresses.", id="paraph.E002"))
    for alias, database in settings.DATABASES.items():
        if str(database["ENGINE"]).endswith("sqlite3"):
            found.append(
                checks.Warning(f"The database {alias!r} is a SQLite file: one machine only.", id="paraph.W001")
            )
    return found


_CHOICES = {"EXTERNAL_TOKENS": ("jwt", "introspection"), "EXTERNAL_AUDIENCE_PARAMETER": ("resource", "audience")}


@register(Tags.security)
def check_external_issuer(**_kwargs: Any) -> list[CheckMessage]:
    """``paraph.E003`` authz, and another provider in its place; ``paraph.E004`` an issuer or an address that anybody on
    the way may stand in for; ``paraph.E005`` its tokens would be asked for, or read, in a way that is none."""
    if not settings.EXTERNAL_ISSUER:
        return []
    found: list[CheckMessage] = []
    if "authz" in settings.ROLES:
        hint = "Name the other roles: ROLES=signapp,gateway,rssp."
        found.append(
            checks.Error("EXTERNAL_ISSUER stands in authz's place, not beside it.", hint=hint, id="paraph.E003")
        )
    named = [
        ("EXTERNAL_ISSUER", settings.EXTERNAL_ISSUER),
        ("EXTERNAL_INTROSPECTION_URL", settings.EXTERNAL_INTROSPECTION_URL),
        *(("EXTERNAL_ORIGINS", origin) for origin in settings.EXTERNAL_ORIGINS),
    ]
    for name, value in named:
        address = urlsplit(value)
        is_secure = address.scheme == "https" or (settings.DEVELOPMENT and address.scheme == "http")
        if value and (not is_secure or not address.hostname or address.query or address.fragment):
            found.append(checks.Error(f"{name} is no https address without query and fragment.", id="paraph.E004"))
    for name, choices in _CHOICES.items():
        if getattr(settings, name) not in choices:
            found.append(checks.Error(f"{name} is neither {' nor '.join(choices)}.", id="paraph.E005"))
    if not {"openid", "service"} <= set(settings.EXTERNAL_LOGIN_SCOPE.split()):
        found.append(checks.Error("EXTERNAL_LOGIN_SCOPE must hold openid and service.", id="paraph.E005"))
    return found


@register(Tags.security)
def check_accent(**_kwargs: Any) -> list[CheckMessage]:
    """``paraph.E006`` PRODUCT_ACCENT is no colour, or one that some people could not read."""
    try:
        if settings.PRODUCT_ACCENT:
            derive_palette(settings.PRODUCT_ACCENT)
    except UnreadableColourError as error:
        return [checks.Error(f"PRODUCT_ACCENT: {error}", id="paraph.E006")]
    return []

"""Weak settings, as numbered messages of ``manage.py check --deploy``."""

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Tags, register


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


@register(Tags.security)
def check_external_issuer(**_kwargs: Any) -> list[CheckMessage]:
    """``paraph.E003``: another provider in authz's place, for a role that knows authz alone."""
    others = sorted(set(settings.ROLES) - {"rssp"})
    if not settings.EXTERNAL_ISSUER or not others:
        return []
    hint = "Serve rssp alone where EXTERNAL_ISSUER is set: ROLES=rssp."
    return [checks.Error(f"EXTERNAL_ISSUER is not for {', '.join(others)}.", hint=hint, id="paraph.E003")]

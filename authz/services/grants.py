"""Authorization codes: made once, taken once, and remembered so that a replay ends what the code gave."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlencode, urlsplit, urlunsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from authz.models import AccessToken, Application, Consent, Grant, RefreshToken, User
from authz.services.secrets import checksum, create_secret

CODE_LIFETIME = timedelta(seconds=60)


def write_redirect(*, redirect_uri: str, state: str | None, parameters: Mapping[str, str]) -> str:
    """The redirect URI with the answer, ``state`` and this server's ``iss`` (RFC 9207), in its query."""
    answer = {**parameters, **({} if state is None else {"state": state}), "iss": settings.ISSUER}
    return append_query(redirect_uri, answer)


def append_query(address: str, parameters: Mapping[str, str]) -> str:
    """The address with these after what its query has already."""
    parts = urlsplit(address)
    query = "&".join(filter(None, (parts.query, urlencode(parameters))))
    return urlunsplit(parts._replace(query=query))


def create_code(*, consent: Consent, user: User, auth_time: datetime, amr: list[str], sid: str = "") -> str:
    """A fresh code for an approved consent; only its checksum is kept. ``sid`` is the login that it came from."""
    code = create_secret()
    asked = consent.request
    Grant.objects.create(
        application=consent.application,
        user=user,
        code=checksum(code),
        expires=timezone.now() + CODE_LIFETIME,
        redirect_uri=asked["redirect_uri"],
        scope=" ".join(asked["scopes"]),
        code_challenge=asked["code_challenge"],
        code_challenge_method="S256",
        face=asked["face"],
        nonce=asked["nonce"],
        dpop_jkt=asked.get("dpop_jkt", ""),
        resource=asked["resources"],
        consent=consent,
        auth_time=auth_time,
        amr=amr,
        # Who is told nothing of a login need not be told of its end.
        sid=sid if "openid" in asked["scopes"] else "",
    )
    return code


def is_taken_now(*, grant: Grant) -> bool:
    """Takes the code: one conditional UPDATE, so of any number of parallel calls exactly one sees True."""
    now = timezone.now()
    taken: int = Grant.objects.filter(pk=grant.pk, used=None, expires__gt=now).update(used=now)
    return taken == 1


def create_used_grant(
    *,
    application: Application,
    user: User | None,
    scope: str,
    resources: list[str],
    auth_time: datetime | None,
    amr: list[str],
    consent: Consent | None = None,
) -> Grant:
    """What stands for tokens that no code was redeemed for: their family, which can be ended as one."""
    now = timezone.now()
    grant: Grant = Grant.objects.create(
        application=application,
        user=user,
        code=checksum(create_secret()),
        expires=now,
        used=now,
        scope=scope,
        resource=resources,
        consent=consent,
        auth_time=auth_time,
        amr=amr,
    )
    return grant


def hold_grant(*, grant: Grant) -> None:
    """Inside a transaction: whoever writes or ends this grant's tokens does so one after the other."""
    Grant.objects.select_for_update().get(pk=grant.pk)


def revoke_grant(*, grant: Grant) -> bool:
    """Ends every token that came from this grant, refreshed ones too (RFC 6749, section 4.1.2); whether any lived."""
    with transaction.atomic():
        hold_grant(grant=grant)
        refreshing = RefreshToken.objects.filter(grant=grant, revoked=None).update(revoked=timezone.now())
        return bool(refreshing + AccessToken.objects.filter(grant=grant).delete()[0])

"""``account_token`` of the CSC API (v1, 8.3.2; v2, 8.4.2): which account a client wants to be answered by.

A JWT that the client signs with HS256, keyed by the SHA-256 of its secret (the 32 bytes): the very value that this
server keeps of a secret.
"""

import time
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from authz.errors import InvalidRequestError
from authz.models import Application, UsedChallenge, User
from authz.services.secrets import checksum, unseal_key
from authz.wire import parse_csc_object

MAX_AGE_SECONDS = 300
CLOCK_SKEW_SECONDS = 30
_LONGEST_TOKEN = 4096
_LONGEST_CLAIM = 255


@dataclass(frozen=True)
class AccountToken:
    """``account`` is an account's ``sub`` or e-mail address; ``checksum`` stands for the token's one use."""

    account: str
    checksum: str


def read_account_token(*, token: str, application: Application) -> AccountToken:
    """Raises `InvalidRequestError` unless it is this client's, well formed and made within the last 5 minutes."""
    claims = _verify(token, application)
    account, token_id, issued = claims.get("sub"), claims.get("jti"), claims.get("iat")
    if not all(isinstance(item, str) and 1 <= len(item) <= _LONGEST_CLAIM for item in (account, token_id)):
        raise InvalidRequestError("Invalid parameter account_token")
    if isinstance(issued, bool) or not isinstance(issued, int | float):
        raise InvalidRequestError("Invalid parameter account_token")
    age = time.time() - issued
    if not -CLOCK_SKEW_SECONDS <= age <= MAX_AGE_SECONDS or claims.get("azp") != application.client_id:
        raise InvalidRequestError("Invalid parameter account_token")
    return AccountToken(str(account), checksum(f"account_token\n{application.client_id}\n{token_id}"))


def _verify(token: str, application: Application) -> dict[str, Any]:
    key = unseal_key(application.client_secret)
    if key is None or len(token) > _LONGEST_TOKEN:
        raise InvalidRequestError("Invalid parameter account_token")
    try:
        signed = jws.deserialize_compact(token, OctKey.import_key(key), algorithms=["HS256"])
    except (JoseError, ValueError):
        raise InvalidRequestError("Invalid parameter account_token") from None
    if signed.headers().get("typ") not in (None, "JWT"):
        raise InvalidRequestError("Invalid parameter account_token")
    try:
        return parse_csc_object(signed.payload)
    except InvalidRequestError:
        raise InvalidRequestError("Invalid parameter account_token") from None


def take_account_token(*, token: AccountToken) -> None:
    """Uses it up; raises `InvalidRequestError` for all but the first of parallel calls."""
    try:
        with transaction.atomic():
            UsedChallenge.objects.create(checksum=token.checksum)
    except IntegrityError:
        raise InvalidRequestError("Invalid parameter account_token") from None


def is_account(*, name: str, user: User) -> bool:
    """Whether ``name``, empty or as a client has it, is this user's."""
    return name in ("", str(user.sub)) or User.objects.normalize_email(name) == user.email

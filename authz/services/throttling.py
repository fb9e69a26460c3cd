"""Limits on attempts: by account and address together, by account, and by address.

An attempt is counted before it is judged, in a transaction of its own, so that parallel guesses count each and a
failure later cannot roll the count back. A right answer clears the tight count (account and address), so that a
person is not punished for yesterday's typing, and someone elsewhere who guesses locks out himself first.
"""

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from django.db.models import F
from django.utils import timezone

from authz.errors import ThrottledError
from authz.models import Throttle

WINDOW = timedelta(minutes=15)


@dataclass(frozen=True)
class Limit:
    """At most ``attempts`` under one key in a window."""

    name: str
    attempts: int


ACCOUNT_AT_ADDRESS = Limit("account-address", 10)
ACCOUNT = Limit("account", 60)
ADDRESS = Limit("address", 100)
SIGN_UP_AT_ADDRESS = Limit("sign-up", 60)
ADDRESS_LINKS = Limit("address-links", 5)
APPROVAL_REQUESTS = Limit("approval-requests", 20)
APPROVAL_REQUESTS_OF_CLIENT = Limit("approval-requests-of-client", 10)


def _key(limit: Limit, *values: str) -> str:
    return sha256("\0".join((limit.name, *values)).encode()).hexdigest()


def _count(limit: Limit, key: str) -> None:
    now = timezone.now()
    Throttle.objects.get_or_create(key=key, defaults={"opened": now})
    Throttle.objects.filter(key=key, opened__lte=now - WINDOW).update(attempts=0, opened=now)
    # One conditional statement: of two parallel attempts only one can take the last place.
    taken = Throttle.objects.filter(key=key, attempts__lt=limit.attempts).update(attempts=F("attempts") + 1)
    if not taken:
        opened = Throttle.objects.values_list("opened", flat=True).get(key=key)
        raise ThrottledError(max(1, int((opened + WINDOW - now).total_seconds())))


def count_attempt(*, account: str, address: str) -> None:
    """Counts one guess at ``account`` (its e-mail address in lower case); raises `ThrottledError` over a limit."""
    _count(ADDRESS, _key(ADDRESS, address))
    _count(ACCOUNT_AT_ADDRESS, _key(ACCOUNT_AT_ADDRESS, account, address))
    _count(ACCOUNT, _key(ACCOUNT, account))


def forgive_attempt(*, account: str, address: str) -> None:
    """A right answer was no guess: takes back what `count_attempt` counted for it."""
    keys = [_key(ADDRESS, address), _key(ACCOUNT, account), _key(ACCOUNT_AT_ADDRESS, account, address)]
    Throttle.objects.filter(key__in=keys, attempts__gt=0).update(attempts=F("attempts") - 1)


def forgive_account(*, account: str, address: str) -> None:
    """After both factors: this account starts afresh at this address."""
    forgive_attempt(account=account, address=address)
    Throttle.objects.filter(key=_key(ACCOUNT_AT_ADDRESS, account, address)).update(attempts=0)


def count_sign_up(*, address: str) -> None:
    """Counts one sign-up; raises `ThrottledError` over the limit."""
    _count(SIGN_UP_AT_ADDRESS, _key(SIGN_UP_AT_ADDRESS, address))


def count_approval_request(*, account: str, client_id: str) -> None:
    """Counts one request out of band to ``account`` for a client; raises `ThrottledError` over a limit."""
    _count(APPROVAL_REQUESTS_OF_CLIENT, _key(APPROVAL_REQUESTS_OF_CLIENT, account, client_id))
    _count(APPROVAL_REQUESTS, _key(APPROVAL_REQUESTS, account))


def count_address_link(*, account: str) -> None:
    """Counts one link to an account's address; raises `ThrottledError` over the limit."""
    _count(ADDRESS_LINKS, _key(ADDRESS_LINKS, account))


def clear_throttles() -> int:
    """Removes counters whose window is over."""
    return Throttle.objects.filter(opened__lte=timezone.now() - WINDOW).delete()[0]

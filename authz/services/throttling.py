"""Limits on attempts: by account and address together, by account, by address, and by known device.

An attempt is counted before it is judged, in a transaction of its own, so that parallel guesses count each and a
failure later cannot roll the count back. A right answer clears the tight count (account and address), so that a
person is not punished for yesterday's typing, and someone elsewhere who guesses locks out himself first.

A browser in which both factors of the account verified before has a counter of its own, and so has somebody who is
logged in and approves: whatever strangers use up elsewhere, from however many addresses, they do not wait for it.
"""

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address

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
DEVICE = Limit("device", 10)
APPROVALS = Limit("approvals", 10)
PASSWORD_LINKS_AT_ADDRESS = Limit("password-links-address", 20)
PASSWORD_LINKS = Limit("password-links", 3)
SIGN_UP_AT_ADDRESS = Limit("sign-up", 60)
SIGN_UP_LINKS = Limit("sign-up-links", 3)
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


def _network(address: str) -> str:
    """What one subscriber has of an address: IPv6 is given out by /64 at the least. What is none counts as it is."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
    return str(parsed)


def _keys(account: str, address: str, device: str) -> list[tuple[Limit, str]]:
    if device:
        return [(DEVICE, _key(DEVICE, account, device))]
    network = _network(address)
    return [
        (ADDRESS, _key(ADDRESS, network)),
        (ACCOUNT_AT_ADDRESS, _key(ACCOUNT_AT_ADDRESS, account, network)),
        (ACCOUNT, _key(ACCOUNT, account)),
    ]


def count_attempt(*, account: str, address: str, device: str = "") -> None:
    """Counts one guess at ``account`` (its e-mail address in lower case); raises `ThrottledError` over a limit.

    ``device`` names a browser that the account is known in, and is empty for every other.
    """
    for limit, key in _keys(account, address, device):
        _count(limit, key)


def forgive_attempt(*, account: str, address: str, device: str = "") -> None:
    """A right answer was no guess: takes back what `count_attempt` counted for it."""
    keys = [key for _limit, key in _keys(account, address, device)]
    Throttle.objects.filter(key__in=keys, attempts__gt=0).update(attempts=F("attempts") - 1)


def forgive_account(*, account: str, address: str, device: str = "") -> None:
    """After both factors: this account starts afresh at this address, or in this browser."""
    forgive_attempt(account=account, address=address, device=device)
    limit, tight = (DEVICE, (account, device)) if device else (ACCOUNT_AT_ADDRESS, (account, _network(address)))
    Throttle.objects.filter(key=_key(limit, *tight)).update(attempts=0)


def count_address_attempt(*, address: str) -> None:
    """Counts an answer that names its account by itself, as a passkey does; raises `ThrottledError` over the limit."""
    _count(ADDRESS, _key(ADDRESS, _network(address)))


def forgive_address_attempt(*, address: str) -> None:
    """It was right."""
    Throttle.objects.filter(key=_key(ADDRESS, _network(address)), attempts__gt=0).update(attempts=F("attempts") - 1)


def count_approval(*, account: str) -> None:
    """Counts a try of somebody who is logged in to ``account``; raises `ThrottledError` over the limit."""
    _count(APPROVALS, _key(APPROVALS, account))


def forgive_approval(*, account: str) -> None:
    """Both factors fitted."""
    Throttle.objects.filter(key=_key(APPROVALS, account)).update(attempts=0)


def count_password_link(*, address: str) -> None:
    """Counts a wish for a link to a new password; raises `ThrottledError` over the limit of the address alone: whether
    an account has had its links is told to nobody."""
    _count(PASSWORD_LINKS_AT_ADDRESS, _key(PASSWORD_LINKS_AT_ADDRESS, _network(address)))


def may_send_password_link(*, account: str) -> bool:
    """Whether the account's own limit leaves room for one more link; counts it."""
    try:
        _count(PASSWORD_LINKS, _key(PASSWORD_LINKS, account))
    except ThrottledError:
        return False
    return True


def may_send_sign_up_link(*, email: str) -> bool:
    """The same for links to a sign-up, whether or not the address has an account."""
    try:
        _count(SIGN_UP_LINKS, _key(SIGN_UP_LINKS, email))
    except ThrottledError:
        return False
    return True


def count_sign_up(*, address: str) -> None:
    """Counts one sign-up; raises `ThrottledError` over the limit."""
    _count(SIGN_UP_AT_ADDRESS, _key(SIGN_UP_AT_ADDRESS, _network(address)))


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

"""Revocation lists: issued by whoever asks for one that is stale, published once for all processes.

No process is told that a certificate was revoked, and none needs to be: the change and the scope's count are committed
together, and a list whose count is behind is stale from that moment on. Who asks for it then (a relying party, or the
regular round that rings with a request of its own) has it made anew before it is answered.

Numbers are taken one by one in the database, so no two lists bear the same one. The HSM is asked outside every
transaction; a list is published only if its number and its count are ahead of what is published, so that a slow process
never puts an older truth in place of a newer one. A number whose list was not published is left out.
"""

import hashlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import router, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from rssp.clients.publication import request_publication
from rssp.errors import AuthorityMissingError, HsmError, RevocationListUnavailableError, RsspError
from rssp.models import Certificate, RevocationList, RevocationScope
from rssp.pki.crl import ListDraft, RevokedCertificate, build_revocation_list
from rssp.services.authority import open_authority_key
from rssp.services.scopes import list_address, list_path

log = logging.getLogger(__name__)

# How long others leave the making of a list to the process that took its number.
_MAKING = timedelta(seconds=20)
_WAIT_SECONDS = 10.0
_CHUNK = 2000


@dataclass(frozen=True)
class _Turn:
    """One process's right to make the next list of a scope. ``changes`` was counted before any entry is read."""

    scope: RevocationScope
    number: int
    changes: int


def read_revocation_list(*, issuer: Certificate, partition: int) -> RevocationList:
    """The list to publish now, without its content (`read_content`); made first where none is in force.

    While another process makes one, or the HSM is away, it is the last one as long as that is in force; of an authority
    that has ended it is the last one for good. Raises
    `AuthorityMissingError` where there is no such scope, or `RevocationListUnavailableError`.
    """
    scope = _find_scope(issuer, partition)
    is_here = scope.issuer.hsm_key_id is not None
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        published = _find_published(scope)
        if published is not None and (_is_current(published) or issuer.not_after <= timezone.now()):
            return published
        # Of a root whose key is elsewhere the list comes as a file (`rssp.services.root_lists`).
        turn = _take_turn(scope) if is_here else None
        if turn is not None:
            made = _make(turn)
            published = made or _find_published(scope)
        if published is not None and published.next_update > timezone.now():
            return published
        if turn is not None or not is_here or time.monotonic() > deadline:
            raise RevocationListUnavailableError("there is no revocation list in force, and none could be made")
        time.sleep(0.1)


def read_content(published: RevocationList) -> RevocationList:
    """The list with its content; if it was followed meanwhile, the one that follows it."""
    return RevocationList.objects.filter(scope_id=published.scope_id).order_by("-number")[0]


def ring_revocation_lists() -> int:
    """Asks for every list as anybody would, so that none grows stale for want of an asker; answers how many came. For
    processes that cannot open the HSM. Of an authority whose key is elsewhere nobody here can make one."""
    scopes = RevocationScope.objects.select_related("issuer").exclude(issuer__hsm_key_id=None)
    scopes = scopes.filter(issuer__not_after__gt=timezone.now())
    addresses = [f"{settings.RSSP_URL}/pki/{list_path(scope.issuer, scope.partition)}" for scope in scopes]
    return sum(map(request_publication, addresses))


def _find_scope(issuer: Certificate, partition: int) -> RevocationScope:
    """A stranger's request makes no scope but an authority's first one, and has no other key sign."""
    scope = RevocationScope.objects.filter(issuer=issuer, partition=partition).first()
    if scope is None and partition == 0 and issuer.role in {Certificate.Role.ROOT, Certificate.Role.ISSUING}:
        scope, _ = RevocationScope.objects.get_or_create(issuer=issuer, partition=0)
    if scope is None:
        raise AuthorityMissingError("there is no such revocation list")
    return scope


def _find_published(scope: RevocationScope) -> RevocationList | None:
    return RevocationList.objects.filter(scope=scope).defer("der").select_related("scope").order_by("-number").first()


def _is_current(published: RevocationList) -> bool:
    """Nothing changed since, and half of its life is before it."""
    refreshed = published.this_update + settings.CRL_LIFETIME / 2
    return published.changes == published.scope.changes and timezone.now() < min(refreshed, published.next_update)


def _take_turn(scope: RevocationScope) -> _Turn | None:
    now = timezone.now()
    with transaction.atomic(using=router.db_for_write(RevocationScope), durable=True):
        free = RevocationScope.objects.filter(pk=scope.pk).filter(Q(taken_until=None) | Q(taken_until__lt=now))
        if not free.update(number=F("number") + 1, taken_until=now + _MAKING):
            return None
        taken = RevocationScope.objects.select_related("issuer").get(pk=scope.pk)
    return _Turn(taken, taken.number, taken.changes)


def _make(turn: _Turn) -> RevocationList | None:
    """None if it could not be made, or another process published a newer truth meanwhile."""
    try:
        made = _sign(turn)
    except RsspError as error:
        log.log(logging.WARNING if isinstance(error, HsmError) else logging.ERROR, "no revocation list: %s", error)
        made = None
    return _publish(turn, made)


def _sign(turn: _Turn) -> RevocationList:
    issuer = turn.scope.issuer
    is_root = issuer.issuer_id is None
    this_update = timezone.now().replace(microsecond=0)
    draft = ListDraft(
        number=turn.number,
        this_update=this_update,
        next_update=this_update + settings.CRL_LIFETIME,
        address=None if is_root else list_address(issuer, turn.scope.partition),
        is_for_authorities=is_root,
        expired_since=issuer.not_before,
    )
    entries = _Entries(turn.scope)
    with open_authority_key(issuer) as key:
        der = build_revocation_list(draft=draft, issuer=bytes(issuer.der), revoked=entries, key=key)
    return RevocationList(
        scope=turn.scope,
        number=turn.number,
        changes=turn.changes,
        this_update=draft.this_update,
        next_update=draft.next_update,
        entries=entries.count,
        sha256=hashlib.sha256(der).hexdigest(),
        der=der,
    )


class _Entries:
    """What is revoked or on hold in a scope, expired or not (expiredCertsOnCRL): read as it is encoded.

    A row whose signature is of unknown outcome can be revoked too, since its certificate may exist.
    """

    def __init__(self, scope: RevocationScope) -> None:
        self._rows = Certificate.objects.filter(issuer_id=scope.issuer_id, partition=scope.partition).exclude(
            status=Certificate.Status.VALID
        )
        self.count = 0

    def __iter__(self) -> Iterator[RevokedCertificate]:
        # Without a date it is as if it had never been valid.
        since = Coalesce("revoked_at", "not_before")
        rows = self._rows.order_by("pk").values_list("serial_number", since, "revocation_reason")
        for serial_number, revoked_at, reason in rows.iterator(chunk_size=_CHUNK):
            self.count += 1
            yield RevokedCertificate(int(serial_number, 16), revoked_at, reason)


def _publish(turn: _Turn, made: RevocationList | None) -> RevocationList | None:
    with transaction.atomic(using=router.db_for_write(RevocationList), durable=True):
        mine = RevocationScope.objects.select_for_update().filter(pk=turn.scope.pk)
        mine.get()
        mine.filter(number=turn.number).update(taken_until=None)
        if made is None:
            return None
        published = _find_published(turn.scope)
        if published is not None and (published.number > made.number or published.changes > made.changes):
            return None
        RevocationList.objects.filter(scope=turn.scope).exclude(der=b"").update(der=b"")
        made.save(force_insert=True)
    return made

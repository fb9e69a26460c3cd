"""A commit that waits for no disk: what it is, and that the next one is an ordinary one again."""

import pytest
from django.db import IntegrityError, connections, transaction

from rssp.models import RestoreEpoch
from rssp.services.commits import committed_with_the_next
from tests.rssp.conftest import ALIAS

NORMAL, FULL = 1, 2

pytestmark = pytest.mark.django_db(databases=[ALIAS, "default"], transaction=True)


def synchronous() -> int:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("PRAGMA synchronous")
        found: int = cursor.fetchone()[0]
        return found


def test_it_is_committed_and_the_next_commit_waits_for_the_disk_again() -> None:
    assert synchronous() == FULL
    with committed_with_the_next(using=ALIAS):
        assert synchronous() == NORMAL
        RestoreEpoch.objects.create(number=7)
    assert synchronous() == FULL
    connections[ALIAS].close()
    assert RestoreEpoch.objects.filter(number=7).exists()


def test_an_error_takes_everything_back_and_the_next_commit_waits_for_the_disk_again() -> None:
    RestoreEpoch.objects.create(number=7)
    with pytest.raises(IntegrityError), committed_with_the_next(using=ALIAS):
        RestoreEpoch.objects.bulk_create([RestoreEpoch(number=8), RestoreEpoch(number=7)])
    assert synchronous() == FULL
    assert [row.number for row in RestoreEpoch.objects.all()] == [7]


def test_it_is_nothing_for_the_inside_of_somebody_s_transaction() -> None:
    with transaction.atomic(using=ALIAS):
        with pytest.raises(RuntimeError, match="durable"), committed_with_the_next(using=ALIAS):
            pass
        assert synchronous() == FULL

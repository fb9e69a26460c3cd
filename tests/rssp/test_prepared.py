"""Statements that are written once find what their querysets find."""

from pathlib import Path

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from rssp.models import ActivatedDigest, Activation, AuthenticationObject
from rssp.models.insertion import insert_row, insert_rows
from rssp.models.prepared import Prepared
from tests.rssp.conftest import ALIAS, Signer, digest
from tests.rssp.explicit import PIN, data, make_explicit
from tests.rssp.test_explicit import authorize
from tests.support import prepared

LEASE = digest("Lease")
ROOT = Path(__file__).parents[2]


def test_every_statement_finds_what_its_queryset_finds(alice: Signer, bob: Signer) -> None:
    make_explicit(alice, "PIN")
    bearer = alice.log_in()
    made = authorize(alice, bearer, LEASE, authData=data(PIN=PIN))
    assert alice.sign(bearer, LEASE, SAD=made.json()["SAD"]).status_code == 200
    assert bob.sign(bob.approve(LEASE), LEASE).status_code == 200
    found = prepared.compare()
    # Of tokens and clients there are none here; tests/flows has both on PostgreSQL.
    assert {name for name, count in found.items() if not count} == {"extended", "extensions", "token", "client"}


def test_both_roles_have_the_same_module() -> None:
    """Roles share no code: what two need stands in both, and stays the same."""
    assert (ROOT / "rssp/models/prepared.py").read_text() == (ROOT / "authz/models/prepared.py").read_text()


def test_a_row_that_is_missing_is_none(client: Client) -> None:
    statement = Prepared(lambda nonce: Activation.objects.filter(nonce=nonce), str)
    assert statement.first("no such nonce") is None
    assert statement.all("no such nonce") == []


def test_what_is_inserted_is_what_the_orm_reads(alice: Signer) -> None:
    row = Activation(
        nonce="ab" * 32,
        sad_checksum="cd" * 32,
        kind=Activation.Kind.EXPLICIT,
        issuer="issuer",
        client_id="client",
        subject="subject",
        factors="PIN",
        credential=alice.credential,
        num_signatures=2,
        expires=timezone.now(),
        passkey_id=b"\x00\xff",
        mac="mac",
    )
    insert_row(row)
    slots = [ActivatedDigest(activation=row, position=place, hash_type="dtbsr", digest="00") for place in range(2)]
    insert_rows(slots)
    insert_rows([])
    read = Activation.objects.get(pk=row.pk)
    for field in Activation._meta.concrete_fields:
        assert prepared.describe(getattr(read, field.attname)) == prepared.describe(getattr(row, field.attname))
    assert list(read.digests.order_by("position").values_list("position", "state")) == [
        (0, "authorised"),
        (1, "authorised"),
    ]
    read.factors = "changed"
    row.save(update_fields=["factors"])  # it knows that it is a row by now


def test_what_the_database_refuses_is_refused(alice: Signer) -> None:
    make_explicit(alice, "PIN")
    known = AuthenticationObject.objects.get()
    with pytest.raises(IntegrityError), transaction.atomic(using=ALIAS):
        insert_rows([AuthenticationObject(credential=known.credential, identifier="PIN", kind="pin", label="again")])

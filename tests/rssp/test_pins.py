"""A PIN is known by a code that only the token can make."""

from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.hashers import make_password

from rssp.hsm.interface import CODE_KEY_ID
from rssp.services.hsm import get_hsm
from rssp.services.operating import list_orphan_keys
from rssp.services.pins import is_outdated, is_pin, keep_pin
from rssp.services.sealing import seal, unseal
from tests.rssp.conftest import Signer, digest
from tests.rssp.explicit import PIN, data, factor, make_explicit
from tests.rssp.test_explicit import authorize
from tests.support.softhsm import Token

LEASE = digest("Lease")


def kept_of(signer: Signer) -> str:
    found = factor(signer.credential, "PIN")
    return unseal(sealed=found.secret, place=f"{signer.credential.credential_id}/PIN")


@pytest.mark.parametrize(
    ("pin", "place"), [("Bench-4828", "a/PIN"), ("bench-4827", "a/PIN"), ("", "a/PIN"), ("Bench-4827", "b/PIN")]
)
def test_another_pin_or_another_place_is_refused(token: Token, pin: str, place: str) -> None:
    kept = keep_pin(pin="Bench-4827", place="a/PIN")
    assert is_pin(pin="Bench-4827", kept=kept, place="a/PIN")
    assert not is_pin(pin=pin, kept=kept, place=place)


def test_one_pin_is_never_kept_alike(token: Token) -> None:
    kept = {keep_pin(pin="Bench-4827", place="a/PIN") for _ in range(3)}
    assert len(kept) == 3
    assert not any("4827" in text for text in kept)


@pytest.mark.parametrize("place", [1, 2])
def test_a_changed_salt_or_code_is_refused(token: Token, place: int) -> None:
    parts = keep_pin(pin="Bench-4827", place="a/PIN").split("$")
    parts[place] = ("0" if parts[place][0] != "0" else "1") + parts[place][1:]
    assert not is_pin(pin="Bench-4827", kept="$".join(parts), place="a/PIN")


def test_another_token_knows_no_pin(token: Token, tmp_path: Any) -> None:
    """What a stolen database and all secrets of the settings lack."""
    kept = keep_pin(pin="Bench-4827", place="a/PIN")
    _, salt, code = kept.split("$")
    hsm = get_hsm()
    assert not hsm.verify_code(data=b"something else", code=bytes.fromhex(code))
    assert len(bytes.fromhex(code)) == 32
    assert len(bytes.fromhex(salt)) == 16


def test_the_secret_is_no_orphan(alice: Signer) -> None:
    make_explicit(alice, "PIN")
    assert CODE_KEY_ID in get_hsm().list_key_ids()
    assert CODE_KEY_ID not in list_orphan_keys()


def test_a_pin_that_argon2_keeps_still_opens_and_is_kept_anew(alice: Signer) -> None:
    make_explicit(alice, "PIN")
    found = factor(alice.credential, "PIN")
    place = f"{alice.credential.credential_id}/PIN"
    found.secret = seal(value=make_password(PIN), place=place)
    found.save()
    bearer = alice.log_in()
    assert authorize(alice, bearer, LEASE, authData=data(PIN="Wrong-9182")).status_code == 400
    assert is_outdated(kept_of(alice))
    assert authorize(alice, bearer, LEASE, authData=data(PIN=PIN)).status_code == 200
    assert not is_outdated(kept_of(alice))
    assert authorize(alice, bearer, LEASE, authData=data(PIN=PIN)).status_code == 200
    assert authorize(alice, bearer, LEASE, authData=data(PIN="Wrong-9182")).status_code == 400


def test_a_token_that_is_gone_costs_no_try(alice: Signer, token: Token) -> None:
    make_explicit(alice, "PIN")
    bearer = alice.log_in()
    token.move_away()
    try:
        for _ in range(django_settings.RSSP_FACTOR_TRIES + 1):
            assert authorize(alice, bearer, LEASE, authData=data(PIN=PIN)).status_code == 503
    finally:
        token.bring_back()
    assert factor(alice.credential, "PIN").attempts == 0

"""Beat rings, a web process fills the pool, and whoever wants a certificate gets a key that was ready."""

import pytest

from tests.flows.chain import Chain, eventually

pytestmark = [pytest.mark.instance, pytest.mark.postgresql, pytest.mark.xdist_group("flows-several")]
POOLED = 3


def pooled(chain: Chain) -> set[int]:
    return {row for (row,) in chain.rows("rssp", "SELECT id FROM rssp_signingkey WHERE state = 'pooled'")}


def test_the_pool_is_filled_and_used_and_filled_again(several: Chain) -> None:
    ready = eventually(lambda: (found := pooled(several)) and len(found) >= POOLED and found)
    assert len(ready) <= POOLED + 1
    with several.signer("Bob", "ec-p256") as bob:
        sql = (
            "SELECT k.id FROM rssp_signingkey k JOIN rssp_credential c ON c.key_id = k.id"
            " WHERE c.credential_id = ? AND k.state = 'assigned'"
        )
        [(mine,)] = several.rows("rssp", sql, bob.credential)
        # Every key that was there before anybody came was made for nobody.
        assert mine in ready
    eventually(lambda: len(pooled(several)) >= POOLED)
    assert mine not in pooled(several)

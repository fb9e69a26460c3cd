"""The key-encryption key is rotated under a running instance while signHash is called all the time: no call fails,
every signature verifies, and the old key is gone from the token.

With one web process on SQLite, and with two on PostgreSQL, each of which remembers the old key's handles.
"""

import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest

from tests.flows.chain import Chain, Signer, eventually
from tests.flows.test_explicit import PIN, authorize_body, create, pin_file, sign, verified
from tests.flows.test_parallel import POSTGRESQL, SQLITE
from tests.support.walk import digest_of

THREADS, BATCH, ROTATIONS = 3, 20, 2


@pytest.fixture
def signer(request: pytest.FixtureRequest) -> Iterator[Signer]:
    chain: Chain = request.getfixturevalue(request.param)
    with chain.signer("Alice", "ec-p256") as found:
        yield found


def read_keks(chain: Chain) -> dict[str, str]:
    """CKA_ID and state, the oldest first."""
    found = chain.rows("rssp", "SELECT key_id, state FROM rssp_keyencryptionkey ORDER BY id")
    return {bytes(key_id).hex(): state for key_id, state in found}


def list_token(chain: Chain) -> set[str]:
    """The ids of every secret and private key in the token, as a fresh process sees it."""
    ask = "from rssp.services.hsm import get_hsm; print(*(key.hex() for key in get_hsm().list_key_ids()), sep=chr(10))"
    return set(chain.instance.manage("shell", "-v", "0", "-c", ask, capture=True).split())


class Signing:
    """Threads that sign until they are told to end, each call for one digest, and what was answered."""

    def __init__(self, signer: Signer, credential: str) -> None:
        self.signer, self.credential = signer, credential
        self.answers: list[tuple[bytes, httpx.Response]] = []
        self.over = threading.Event()

    def sign_on(self) -> None:
        with httpx.Client(timeout=60, trust_env=False) as http:
            mine = replace(self.signer, client=replace(self.signer.client, http=http))
            while not self.over.is_set():
                digests = [digest_of(secrets.token_hex(8)) for _ in range(BATCH)]
                body = authorize_body(self.credential, digests, 2, authData=[{"id": "PIN", "value": PIN}])
                authorised = mine.client.call("credentials/authorize", body, mine.service_token)
                assert authorised.status_code == 200, authorised.text
                for digest in digests:
                    answer = sign(mine, self.credential, [digest], 2, authorised.json()["SAD"])
                    self.answers.append((digest, answer))

    def wait_for_more(self) -> None:
        """Until each thread has most probably signed again."""
        before = len(self.answers)
        eventually(lambda: len(self.answers) >= before + 3 * THREADS)


@pytest.mark.parametrize("signer", [SQLITE, POSTGRESQL], indirect=True)
def test_nobody_who_signs_meanwhile_notices_a_rotation(signer: Signer) -> None:
    chain = signer.chain
    credential = create(signer, "--pin-file", pin_file(chain))
    signing = Signing(signer, credential)
    with ThreadPoolExecutor(THREADS) as threads:
        running = [threads.submit(signing.sign_on) for _ in range(THREADS)]
        try:
            for _ in range(ROTATIONS):
                signing.wait_for_more()
                before = len(signing.answers)
                told = chain.instance.manage("rotate_kek", "--batch", "1", capture=True)
                assert told.startswith("rotated: ")
                assert told.endswith("old keys destroyed: 1\n")
                assert len(signing.answers) > before, "nothing was signed meanwhile"
            signing.wait_for_more()
        finally:
            signing.over.set()
        for thread in running:
            thread.result()
    assert {answer.status_code for _, answer in signing.answers} == {200}
    digests = [digest for digest, _ in signing.answers]
    for digest, answer in signing.answers:
        verified(signer, credential, [digest], answer)
    assert set(chain.ledger(digests)) == {"signed"}
    keks = read_keks(chain)
    *old, new = keks
    assert len(old) >= ROTATIONS
    assert {keks[key] for key in old} == {"destroyed"}
    assert keks[new] == "active"
    assert list_token(chain) & set(keks) == {new}

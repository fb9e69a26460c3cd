"""What one approval is not: every other use of it is refused by name, and the running HSM is never asked.

The tokens are authz's own, the assertions a passkey's. Where the attacker is somebody with a database in his hands, the
rows are altered in place, behind the role's back.
"""

import base64
import secrets
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import httpx
import pytest

from tests.flows.chain import Chain, Signer, eventually
from tests.support.walk import digest_of

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("flows-one")]

NOT_AUTHORIZED = "Hash is not authorized by the SAD."
INVALID_SAD = "Invalid parameter SAD"


@pytest.fixture
def lease() -> bytes:
    return digest_of(secrets.token_hex(8))


@pytest.fixture
def other() -> bytes:
    return digest_of(secrets.token_hex(8))


@pytest.fixture
def asked_nothing(chain: Chain) -> Callable[[], Any]:
    """A block in which nothing reaches a key of the HSM."""

    @contextmanager
    def block() -> Iterator[None]:
        before = chain.sign_calls()
        yield
        assert chain.sign_calls() == before

    return block


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    body = answer.json()
    assert set(body) == {"error", "error_description", "request_id"}
    return answer.status_code, body["error"], body["error_description"]


def assert_signs_once(chain: Chain, alice: Signer, token: str, *digests: bytes) -> None:
    """The approval is as good as before: its digests are signed, each by one use of the key."""
    before = chain.signatures_made()
    answer = alice.sign(token, *digests)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["signatures"]) == len(digests)
    assert chain.signatures_made() == before + len(digests)


# --- Other digests ------------------------------------------------------------------------------------------


def test_no_digest_but_the_approved_one_is_signed(
    chain: Chain, alice: Signer, lease: bytes, other: bytes, asked_nothing: Any
) -> None:
    token = alice.ask(lease)
    with asked_nothing():
        for digests in [(other,), (lease, other), (other, lease), (lease, lease), (bytes(32),)]:
            assert refusal(alice.sign(token, *digests)) == (400, "invalid_request", NOT_AUTHORIZED)
    assert chain.ledger([lease]) == ["authorised"]
    assert_signs_once(chain, alice, token, lease)


def test_two_approved_are_two_and_no_third(chain: Chain, alice: Signer, lease: bytes, asked_nothing: Any) -> None:
    token = alice.ask(lease, lease)
    assert_signs_once(chain, alice, token, lease, lease)
    with asked_nothing():
        assert refusal(alice.sign(token, lease)) == (400, "invalid_request", NOT_AUTHORIZED)


def test_a_document_digest_is_approved_but_never_signed_by_sign_hash(
    alice: Signer, lease: bytes, asked_nothing: Any
) -> None:
    token = alice.ask(lease, hash_type="sdr")
    with asked_nothing():
        assert refusal(alice.sign(token, lease)) == (400, "invalid_request", NOT_AUTHORIZED)
        assert refusal(alice.sign(token, lease, hashType="dtbsr")) == (400, "invalid_request", NOT_AUTHORIZED)


def test_the_approved_hash_algorithm_is_part_of_it(chain: Chain, alice: Signer, asked_nothing: Any) -> None:
    longer = sha256(secrets.token_bytes(8)).digest() * 2
    token = alice.ask(longer[:32])
    with asked_nothing():
        answer = alice.sign(token, longer, signAlgo="1.2.840.10045.4.3.4", hashAlgorithmOID="2.16.840.1.101.3.4.2.3")
        assert refusal(answer) == (400, "invalid_request", NOT_AUTHORIZED)
        # Another algorithm of the same length is another approval too.
        answer = alice.sign(token, longer[:32], signAlgo="2.16.840.1.101.3.4.3.10")
        assert answer.status_code == 400
    assert_signs_once(chain, alice, token, longer[:32])


# --- Other credentials, people and clients --------------------------------------------------------------------


def test_the_approval_is_for_one_credential(
    chain: Chain, alice: Signer, bob: Signer, lease: bytes, asked_nothing: Any
) -> None:
    token = alice.ask(lease)
    with asked_nothing():
        # Whether it is another one of Alice's, Bob's or nobody's, the answer is the same.
        for credential in (alice.credentials[1], bob.credential, str(uuid.uuid4())):
            answer = alice.sign(token, lease, credential=credential)
            assert refusal(answer) == (400, "invalid_request", "Invalid parameter credentialID")
        answer = alice.client.sign(alice.service_token, alice.credentials[1], [lease], SAD=token)
        assert refusal(answer) == (400, "invalid_request", INVALID_SAD)
    assert_signs_once(chain, alice, token, lease)


def test_nobody_signs_with_another_ones_credential_by_his_own_approval(
    alice: Signer, bob: Signer, lease: bytes, asked_nothing: Any
) -> None:
    token = bob.ask(lease, credential=alice.credential)
    with asked_nothing():
        answer = bob.sign(token, lease, credential=alice.credential)
        assert refusal(answer) == (400, "invalid_request", "Invalid parameter credentialID")
        assert refusal(bob.sign(token, lease)) == (400, "invalid_request", "Invalid parameter credentialID")
        answer = bob.client.sign(bob.service_token, bob.credential, [lease], SAD=token)
        assert refusal(answer) == (400, "invalid_request", INVALID_SAD)


def test_a_sad_beside_a_service_token_is_the_same_users_and_clients(
    chain: Chain, alice: Signer, bob: Signer, lease: bytes, asked_nothing: Any
) -> None:
    token = alice.ask(lease)
    elsewhere = bob.client.log_in(alice.walker)
    with asked_nothing():
        # Bob's login with Alice's SAD, on either one's credential; then Alice's login at another client.
        answer = bob.client.sign(bob.service_token, alice.credential, [lease], SAD=token)
        assert refusal(answer) == (400, "invalid_request", "Invalid parameter credentialID")
        answer = bob.client.sign(bob.service_token, bob.credential, [lease], SAD=token)
        assert refusal(answer) == (400, "invalid_request", INVALID_SAD)
        answer = bob.client.sign(elsewhere, alice.credential, [lease], SAD=token)
        assert refusal(answer) == (400, "invalid_request", INVALID_SAD)
    answer = alice.client.sign(alice.service_token, alice.credential, [lease], SAD=token)
    assert answer.status_code == 200, answer.text
    assert chain.ledger([lease]) == ["signed"]


def test_a_service_token_alone_signs_nothing(alice: Signer, lease: bytes, asked_nothing: Any) -> None:
    with asked_nothing():
        status, code, _ = refusal(alice.sign(alice.service_token, lease))
        assert (status, code) == (400, "invalid_request")
        answer = alice.sign(alice.service_token, lease, SAD=alice.service_token)
        assert refusal(answer) == (400, "invalid_request", INVALID_SAD)


# --- Again, too late, and invented ------------------------------------------------------------------------------


def test_a_used_approval_signs_nothing_more(chain: Chain, alice: Signer, lease: bytes, asked_nothing: Any) -> None:
    token = alice.ask(lease)
    assert_signs_once(chain, alice, token, lease)
    with asked_nothing():
        for _ in range(3):
            assert refusal(alice.sign(token, lease)) == (400, "invalid_request", NOT_AUTHORIZED)
        answer = alice.client.sign(alice.service_token, alice.credential, [lease], SAD=token)
        assert refusal(answer) == (400, "invalid_request", NOT_AUTHORIZED)
    of_this_key = "SELECT result FROM rssp_auditevent WHERE action = 'sign' AND credential_id = ?"
    results = chain.rows("rssp", f"{of_this_key} ORDER BY sequence DESC LIMIT 5", alice.credential)
    assert [result for (result,) in results] == ["replay"] * 4 + ["signed"]


def test_an_expired_token_is_refused(chain: Chain, alice: Signer, lease: bytes, asked_nothing: Any) -> None:
    token = alice.ask(lease)
    changed = chain.rows(
        "authz",
        "UPDATE authz_accesstoken SET expires = '2020-01-01 00:00:00' WHERE token_checksum = ?",
        sha256(token.encode()).hexdigest(),
    )
    assert changed == [(1,)]
    with asked_nothing():
        assert refusal(alice.sign(token, lease))[:2] == (401, "invalid_token")
        answer = alice.client.sign(alice.service_token, alice.credential, [lease], SAD=token)
        assert refusal(answer) == (400, "invalid_request", INVALID_SAD)
    assert chain.ledger([lease]) == []


def test_an_expired_approval_is_refused_behind_a_live_token(
    chain: Chain, alice: Signer, lease: bytes, other: bytes, asked_nothing: Any
) -> None:
    token = alice.ask(lease, other)
    assert_signs_once(chain, alice, token, other)
    checksum = sha256(token.encode()).hexdigest()
    sql = "UPDATE rssp_activation SET expires = '2020-01-01 00:00:00' WHERE sad_checksum = ?"
    assert chain.rows("rssp", sql, checksum) == [(1,)]
    with asked_nothing():
        assert refusal(alice.sign(token, lease)) == (400, "invalid_request", "SAD expired")
        chain.rows(
            "authz",
            "UPDATE authz_accesstoken SET expires = '2020-01-01 00:00:00' WHERE token_checksum = ?",
            checksum,
        )
        answer = alice.client.sign(alice.service_token, alice.credential, [lease], SAD=token)
        assert refusal(answer) == (400, "invalid_request", "SAD expired")


@pytest.mark.parametrize(
    "token",
    [
        "zT1nQfVq0cYxkJ6bR3mH8sWdLpA2eG5uXo9iN7tKvEw",
        # {"alg":"none"} and a payload that claims everything.
        base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
        + "."
        + base64.urlsafe_b64encode(b'{"active":true,"scope":"credential"}').rstrip(b"=").decode()
        + ".",
        "../../introspect",
        "a" * 4096,
    ],
)
def test_an_invented_token_is_refused(alice: Signer, lease: bytes, asked_nothing: Any, token: str) -> None:
    with asked_nothing():
        assert refusal(alice.sign(token, lease))[:2] == (401, "invalid_token")
        answer = alice.client.sign(alice.service_token, alice.credential, [lease], SAD=token)
        assert refusal(answer) == (400, "invalid_request", INVALID_SAD)


def test_a_token_with_one_letter_changed_is_refused(
    chain: Chain, alice: Signer, lease: bytes, asked_nothing: Any
) -> None:
    token = alice.ask(lease)
    with asked_nothing():
        forged = token[:-1] + ("A" if token[-1] != "A" else "B")
        assert refusal(alice.sign(forged, lease))[:2] == (401, "invalid_token")
    assert_signs_once(chain, alice, token, lease)


# --- A liar at the authorization server -------------------------------------------------------------------------


def consent_of(chain: Chain, token: str) -> str:
    sql = "SELECT consent_id FROM authz_accesstoken WHERE token_checksum = ?"
    found: str = chain.rows("authz", sql, sha256(token.encode()).hexdigest())[0][0]
    return found


def flipped(value: bytes) -> bytes:
    return value[:-1] + bytes([value[-1] ^ 1])


@pytest.mark.parametrize("part", ["authenticator_data", "client_data_json", "signature", "nonce"])
def test_an_assertion_that_was_altered_in_place_is_refused(
    chain: Chain, alice: Signer, lease: bytes, asked_nothing: Any, part: str
) -> None:
    token = alice.ask(lease)
    consent = consent_of(chain, token)
    genuine = chain.rows("authz", f"SELECT {part} FROM authz_consent WHERE id = ?", consent)[0][0]  # noqa: S608  (ours)
    change = f"UPDATE authz_consent SET {part} = ? WHERE id = ?"  # noqa: S608  (ours)
    assert chain.rows("authz", change, sqlite3.Binary(flipped(genuine)), consent) == [(1,)]
    with asked_nothing():
        assert refusal(alice.sign(token, lease)) == (400, "invalid_request", INVALID_SAD)
    assert chain.ledger([lease]) == []
    chain.rows("authz", change, sqlite3.Binary(genuine), consent)
    assert_signs_once(chain, alice, token, lease)


REPLACED = "json_set(details, '$[0].documentDigests[0].hash', json_extract(?, '$'))"
ADDED = """json_set(details, '$[0].numSignatures', 2, '$[0].documentDigests[1]',
    json_object('hash', json_extract(?, '$'), 'label', 'x.pdf', 'hashType', 'dtbsr'))"""


@pytest.mark.parametrize("alter", [REPLACED, ADDED], ids=["another", "one more"])
def test_an_assertion_over_other_digests_is_refused(
    chain: Chain, alice: Signer, lease: bytes, other: bytes, asked_nothing: Any, alter: str
) -> None:
    token = alice.ask(lease)
    wanted = f'"{base64.b64encode(other).decode()}"'
    change = f"UPDATE authz_consent SET details = {alter} WHERE id = ?"  # noqa: S608  (ours)
    assert chain.rows("authz", change, wanted, consent_of(chain, token)) == [(1,)]
    with asked_nothing():
        for digests in [(other,), (lease,), (lease, other)]:
            assert refusal(alice.sign(token, *digests)) == (400, "invalid_request", INVALID_SAD)
    assert chain.ledger([lease, other]) == []


@pytest.mark.parametrize(
    ("alter", "value"),
    [
        ("details = json_set(details, '$[0].credentialID', ?)", "second"),
        ("details = json_set(details, '$[0].documentDigests[0].hashType', ?)", "dtbsr"),
        ("details = json_set(details, '$[0].documentDigests[0].label', ?)", "Gift.pdf"),
        ("approval_expires = ?", "2035-01-01 00:00:00"),
    ],
)
def test_whatever_else_was_approved_is_refused(
    chain: Chain, alice: Signer, lease: bytes, asked_nothing: Any, alter: str, value: str
) -> None:
    token = alice.ask(lease, hash_type="sdr" if value == "dtbsr" else "dtbsr")
    credential = alice.credentials[1] if value == "second" else alice.credential
    change = f"UPDATE authz_consent SET {alter} WHERE id = ?"  # noqa: S608  (ours)
    given = credential if value == "second" else value
    assert chain.rows("authz", change, given, consent_of(chain, token)) == [(1,)]
    with asked_nothing():
        answer = alice.sign(token, lease, credential=credential)
        assert refusal(answer) == (400, "invalid_request", INVALID_SAD)
    assert chain.ledger([lease]) == []


def test_a_passkey_that_the_authorization_server_swaps_for_its_own_signs_nothing(
    chain: Chain, alice: Signer, bob: Signer, lease: bytes, asked_nothing: Any
) -> None:
    token = alice.ask(lease)
    change = "UPDATE authz_consent SET passkey_credential_id = ?, passkey_public_key = ? WHERE id = ?"
    key = bob.walker.key
    chain.rows("authz", change, key.credential_id, key.public_key, consent_of(chain, token))
    with asked_nothing():
        assert refusal(alice.sign(token, lease)) == (400, "invalid_request", INVALID_SAD)


@pytest.mark.parametrize("used_first", [True, False])
def test_a_second_token_around_one_assertion_buys_nothing(
    chain: Chain, alice: Signer, lease: bytes, other: bytes, asked_nothing: Any, used_first: bool
) -> None:
    token, second = alice.ask(lease, other), secrets.token_urlsafe(32)
    assert_signs_once(chain, alice, token, lease)
    if used_first:
        assert_signs_once(chain, alice, token, other)
    names = [name for _, name, *_ in chain.rows("authz", "PRAGMA table_info(authz_accesstoken)") if name != "id"]
    kept = ", ".join("?" if name == "token_checksum" else f'"{name}"' for name in names)
    columns = ", ".join(f'"{name}"' for name in names)
    copy = f"INSERT INTO authz_accesstoken ({columns}) SELECT {kept} FROM authz_accesstoken WHERE token_checksum = ?"  # noqa: S608  (ours)
    checksums = [sha256(value.encode()).hexdigest() for value in (second, token)]
    assert chain.rows("authz", copy, *checksums) == [(1,)]
    with asked_nothing():
        for digests in [(lease,), (other,), (lease, other)]:
            assert refusal(alice.sign(second, *digests)) == (400, "invalid_request", INVALID_SAD)
    assert chain.ledger([other]) == ["signed" if used_first else "authorised"]
    if not used_first:
        assert_signs_once(chain, alice, token, other)


def test_every_signature_made_stands_in_the_audit(chain: Chain, alice: Signer) -> None:
    def all_agree() -> bool:
        # The instance's worker may be in the middle of somebody else's signature.
        audited = chain.rows("rssp", "SELECT COUNT(*) FROM rssp_auditevent WHERE action = 'sign' AND result = 'signed'")
        in_ledger = chain.rows("rssp", "SELECT COUNT(*) FROM rssp_activateddigest WHERE state = 'signed'")
        return audited == in_ledger == [(chain.signatures_made(),)]

    assert eventually(all_agree)

"""Many uses of one approval at the same moment: each approved digest is signed once, each code redeemed once.

On SQLite with one web process and its threads; on PostgreSQL with two web processes that share databases and token,
and with Redis as the workers' broker.
"""

import base64
import json
import os
import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any, TypeVar

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509 import CRLDistributionPoints, load_der_x509_certificate

from tests.flows.chain import Chain, Signer, eventually, report
from tests.flows.test_explicit import PIN, approve_on_the_page, authorize_body, create, pin_file, read_password
from tests.flows.verdicts import read_root, verify
from tests.support.pdfs import make_pdf
from tests.support.walk import digest_of

T = TypeVar("T")
PARALLEL = 50
# `make soak` asks for more.
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "1"))
SQLITE = pytest.param("chain", marks=[pytest.mark.instance, pytest.mark.xdist_group("flows-one")], id="sqlite")
POSTGRESQL = pytest.param(
    "several",
    marks=[pytest.mark.instance, pytest.mark.postgresql, pytest.mark.xdist_group("flows-several")],
    id="postgresql",
)
on_both = pytest.mark.parametrize("where", [SQLITE, POSTGRESQL], indirect=True)


@pytest.fixture(scope="module")
def signers() -> Iterator[dict[str, Any]]:
    """One signer for each instance, kept to the end of the module."""
    kept: dict[str, Any] = {}
    yield kept
    for context in kept.values():
        context[0].__exit__(None, None, None)


@pytest.fixture
def where(request: pytest.FixtureRequest, signers: dict[str, Any]) -> Signer:
    name: str = request.param
    if name not in signers:
        context = request.getfixturevalue(name).signer("Alice", "ec-p256")
        signers[name] = (context, context.__enter__())
    signer: Signer = signers[name][1]
    return signer


def at_once(calls: Sequence[Callable[[httpx.Client], T]]) -> list[T]:
    """Each from a connection of its own, all let go together."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[httpx.Client], T]) -> T:
        with httpx.Client(timeout=120, trust_env=False) as http:
            barrier.wait()
            return call(http)

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def use(signer: Signer, token: str, *digests: bytes) -> Callable[[httpx.Client], httpx.Response]:
    return lambda http: replace(signer.client, http=http).sign(token, signer.credential, list(digests))


def sign_until_every_process_did(signer: Signer, processes: int) -> None:
    """Which process answers is the kernel's choice: rounds of ten at once, until it chose each that there is."""
    before = Counter(call.process for call in signer.chain.all_sign_calls())
    for _ in range(20):
        digests = [digest_of(secrets.token_hex(8)) for _ in range(10)]
        token = signer.ask(*digests)
        answers = at_once([use(signer, token, digest) for digest in digests])
        assert {answer.status_code for answer in answers} == {200}
        now = Counter(call.process for call in signer.chain.all_sign_calls())
        if len(now - before) == processes:
            return
    raise AssertionError(f"not every one of {processes} processes signed")


@on_both
@pytest.mark.parametrize("round_", range(ROUNDS))
def test_fifty_uses_of_one_approval_are_one_signature(where: Signer, round_: int) -> None:
    chain, lease = where.chain, digest_of(secrets.token_hex(8))
    token = where.ask(lease)
    before = chain.signatures_made()
    answers = at_once([use(where, token, lease)] * PARALLEL)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: PARALLEL - 1}
    assert {answer.json()["error"] for answer in answers if answer.status_code != 200} == {"invalid_request"}
    made = chain.signatures_made() - before
    assert made == 1
    assert chain.signatures_over(lease) == {lease: 1}
    assert chain.ledger([lease]) == ["signed"]
    audited = chain.rows("rssp", "SELECT result FROM rssp_auditevent WHERE digest = ?", lease.hex())
    assert audited == [("signed",)]
    asked = chain.signatures_over(lease)[lease]
    report(
        f"{PARALLEL} calls with one approval: 1 answered 200, {made} C_Sign with signers' keys, {asked} over its digest"
    )


@on_both
@pytest.mark.parametrize("round_", range(max(1, ROUNDS // 3)))
def test_fifty_uses_of_ten_approved_digests_are_ten_signatures(where: Signer, round_: int) -> None:
    chain, digests = where.chain, [digest_of(secrets.token_hex(8)) for _ in range(10)]
    token = where.ask(*digests)
    before = chain.signatures_made()
    wanted = digests * 5
    random.Random(round_).shuffle(wanted)  # noqa: S311  (an order, no secret)
    answers = at_once([use(where, token, digest) for digest in wanted])
    assert Counter(answer.status_code for answer in answers) == {200: 10, 400: 40}
    pairs = zip(wanted, answers, strict=True)
    given = [(digest, answer.json()["signatures"][0]) for digest, answer in pairs if answer.status_code == 200]
    assert sorted(digest for digest, _ in given) == sorted(digests)
    assert chain.signatures_made() == before + 10
    asked = chain.signatures_over(*digests)
    assert set(asked.values()) == {1}
    report(f"{PARALLEL} calls for ten approved digests: 10 answered 200, {asked.total()} C_Sign over them, each one")
    assert Counter(chain.ledger(digests)) == {"signed": 10}
    key = public_key_of(where)
    for digest, signature in given:
        key.verify(_decoded(signature), digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))


@on_both
def test_fifty_replays_of_a_used_approval_are_no_signature(where: Signer) -> None:
    chain, lease = where.chain, digest_of(secrets.token_hex(8))
    token = where.ask(lease)
    assert where.sign(token, lease).status_code == 200
    before = chain.sign_calls()
    answers = at_once([use(where, token, lease)] * PARALLEL)
    assert {answer.status_code for answer in answers} == {400}
    assert chain.sign_calls() == before


@on_both
def test_fifty_calls_with_added_and_doubled_digests_cannot_slip_in_beside_the_one_approved(where: Signer) -> None:
    chain, lease, other = where.chain, digest_of(secrets.token_hex(8)), digest_of(secrets.token_hex(8))
    token = where.ask(lease)
    before = chain.signatures_made()
    lists = [[lease], [lease, other], [lease, lease], [other], [other, lease]] * (PARALLEL // 5)
    answers = at_once([use(where, token, *digests) for digests in lists])
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: PARALLEL - 1}
    assert [lists[index] for index, answer in enumerate(answers) if answer.status_code == 200] == [[lease]]
    assert chain.signatures_made() == before + 1
    assert chain.signatures_over(lease, other) == {lease: 1, other: 0}
    assert chain.ledger([lease, other]) == ["signed"]


@on_both
def test_fifty_calls_for_all_of_an_approval_are_all_of_it_once(where: Signer) -> None:
    """Two are approved: whoever takes both takes them whole, and nobody gets a third."""
    chain, digests = where.chain, [digest_of(secrets.token_hex(8)) for _ in range(2)]
    token = where.ask(*digests)
    before = chain.signatures_made()
    answers = at_once([use(where, token, *digests)] * PARALLEL)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: PARALLEL - 1}
    assert chain.signatures_made() == before + 2
    assert set(chain.signatures_over(*digests).values()) == {1}


@on_both
def test_a_revocation_list_signed_meanwhile_is_the_authoritys_own_signature(where: Signer) -> None:
    """One that is stale is signed by whoever serves it next: a count of all keys together takes it for a second use."""
    chain, lease = where.chain, digest_of(secrets.token_hex(8))
    info = where.client.call("credentials/info", {"credentialID": where.credential}, where.service_token).json()
    address = list_address(info["cert"]["certificates"][0])
    token = where.ask(lease)
    chain.rows("rssp", "UPDATE rssp_revocationscope SET changes = changes + 1")
    signers, all_keys = chain.signatures_made(), authority_signatures(chain)
    answers = at_once([lambda http: http.get(address), *[use(where, token, lease)] * PARALLEL])
    assert Counter(answer.status_code for answer in answers) == {200: 2, 400: PARALLEL - 1}
    assert chain.signatures_over(lease) == {lease: 1}
    assert chain.signatures_made() == signers + 1
    assert authority_signatures(chain) > all_keys


def authority_signatures(chain: Chain) -> int:
    """With keys of the token over a digest: what an HMAC is asked for is longer."""
    return sum(call.is_signature and call.of_token and len(call.data) <= 128 for call in chain.all_sign_calls())


def list_address(certificate: str) -> str:
    points = load_der_x509_certificate(_decoded(certificate)).extensions.get_extension_for_class(CRLDistributionPoints)
    names = next(iter(points.value)).full_name
    assert names is not None
    return str(names[0].value)


@on_both
def test_fifty_extensions_of_one_sad_are_one_and_the_count_is_not_doubled(where: Signer) -> None:
    chain, credential = where.chain, create(where, "--pin-file", pin_file(where.chain))
    digests = [digest_of(secrets.token_hex(8)) for _ in range(2)]
    body = authorize_body(credential, digests, 2, authData=[{"id": "PIN", "value": PIN}])
    sad = where.client.call("credentials/authorize", body, where.service_token).json()["SAD"]

    def extend(http: httpx.Client) -> httpx.Response:
        asked = {"credentialID": credential, "SAD": sad}
        return replace(where.client, http=http).call("credentials/extendTransaction", asked, where.service_token)

    answers = at_once([extend] * PARALLEL)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: PARALLEL - 1}
    fresh = next(answer.json()["SAD"] for answer in answers if answer.status_code == 200)
    before = chain.signatures_made()

    def sign(which: str, digest: bytes) -> Callable[[httpx.Client], httpx.Response]:
        return lambda http: replace(where.client, http=http).sign(where.service_token, credential, [digest], SAD=which)

    answers = at_once([sign(which, digest) for which in (sad, fresh) for digest in digests] * 10)
    assert Counter(answer.status_code for answer in answers) == {200: 2, 400: 38}
    assert chain.signatures_made() == before + 2
    assert set(chain.signatures_over(*digests).values()) == {1}


@on_both
def test_fifty_token_requests_with_one_code_are_one_token(where: Signer) -> None:
    chain, lease = where.chain, digest_of(secrets.token_hex(8))
    form = where.client.authorize(where.walker, **where.client.details(where.credential, lease))
    answers = at_once([lambda http: replace(where.client, http=http).redeem(form)] * PARALLEL)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: PARALLEL - 1}
    assert {answer.json()["error"] for answer in answers if answer.status_code != 200} == {"invalid_grant"}
    # Who came second may have stolen the code: what the first one got is ended (RFC 6749, section 4.1.2).
    token = next(answer.json()["access_token"] for answer in answers if answer.status_code == 200)
    before = chain.sign_calls()
    assert where.sign(token, lease).status_code == 401
    assert chain.sign_calls() == before


def open_with(signer: Signer, credential: str, *factors: dict[str, str]) -> Callable[[httpx.Client], httpx.Response]:
    body = authorize_body(credential, [digest_of("Lease")], 2, authData=list(factors))
    return lambda http: replace(signer.client, http=http).call("credentials/authorize", body, signer.service_token)


@on_both
def test_fifty_wrong_pins_at_once_are_as_many_tries_as_there_are(where: Signer) -> None:
    credential = create(where, "--pin-file", pin_file(where.chain))
    answers = at_once([open_with(where, credential, {"id": "PIN", "value": "000000"})] * PARALLEL)
    assert Counter(answer.json()["error_description"] for answer in answers) == {
        "The authentication data is invalid": 5,
        "Credential locked": PARALLEL - 5,
    }
    sql = (
        "SELECT o.attempts, o.lockouts FROM rssp_authenticationobject o"
        " JOIN rssp_credential c ON o.credential_id = c.id WHERE c.credential_id = ?"
    )
    assert where.chain.rows("rssp", sql, credential) == [(5, 1)]
    refused = at_once([open_with(where, credential, {"id": "PIN", "value": PIN})])
    assert refused[0].json()["error_description"] == "Credential locked"


@on_both
def test_fifty_uses_of_one_password_are_one_sad(where: Signer) -> None:
    credential = create(where, "--email-otp")
    asked = {"credentialID": credential, "authObjectID": "MAIL"}
    assert where.client.call("credentials/getChallenge", asked, where.service_token).status_code == 204
    password = read_password(where.chain, where.walker.email)
    answers = at_once([open_with(where, credential, {"id": "MAIL", "value": password})] * PARALLEL)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: PARALLEL - 1}


@on_both
def test_fifty_questions_after_one_approval_are_one_sad(where: Signer) -> None:
    credential = create(where, "--implicit")
    body = authorize_body(credential, [digest_of("Lease")], 2, description="Lease")
    handle = where.client.call("credentials/authorize", body, where.service_token).json()
    approve_on_the_page(where)

    def check(http: httpx.Client) -> httpx.Response:
        return replace(where.client, http=http).call("credentials/authorizeCheck", handle, where.service_token)

    answers = at_once([check] * PARALLEL)
    assert Counter(answer.status_code for answer in answers)[200] == 1
    assert {answer.status_code for answer in answers} <= {200, 202, 400}
    assert at_once([check])[0].json()["error_description"] == "Invalid parameter handle"


@on_both
def test_pkcs11_spy_saw_no_call_that_was_not_counted(where: Signer) -> None:
    """Last of the races: every assertion about signatures above is as good as what it counts."""

    def counted() -> int:
        # A key of the authority may be asked for a signature between the two counts.
        calls = sum(1 for _ in where.chain.all_sign_calls())
        return calls if where.chain.spied_calls() == calls else 0

    calls = eventually(counted)
    report(f"pkcs11-spy saw {calls} C_SignInit and C_Sign with any key, and none beside those that were counted")


@pytest.mark.instance
@pytest.mark.postgresql
@pytest.mark.xdist_group("flows-several")
def test_several_web_processes_on_postgresql_and_a_worker_on_redis_sign_a_document(
    several: Chain, tmp_path: Path
) -> None:
    original = make_pdf(pages=2)
    with several.walker("Bob") as bob:
        bob.sign_up()
        bob.get_certificate("rsa-2048")
        signed = [bob.sign(original, name=f"{number}.pdf") for number in range(3)]
    for pdf in signed:
        verify(pdf, original=original, root=read_root(several.base_url), folder=tmp_path)
    assert not list((several.instance.var_dir / "broker").glob("queue/*"))
    # Otherwise the tests of this module say less than they seem to.
    with several.signer("Alice", "ec-p256") as alice:
        sign_until_every_process_did(alice, 2)


@pytest.mark.instance
@pytest.mark.postgresql
@pytest.mark.xdist_group("flows-several")
def test_statements_written_once_find_on_postgresql_what_their_querysets_find(several: Chain) -> None:
    with several.signer("Alice", "ec-p256") as alice:
        sign_until_every_process_did(alice, 2)
    script = "import json; from tests.support.prepared import compare; print(json.dumps(compare()))"
    told = several.instance.manage("shell", "--no-imports", "-c", script, capture=True)
    found = json.loads(told.strip().splitlines()[-1])
    assert all(found[name] for name in ("credential", "locked", "slots", "token", "client")), found


def public_key_of(signer: Signer) -> ec.EllipticCurvePublicKey:
    info = signer.client.call("credentials/info", {"credentialID": signer.credential}, signer.service_token)
    key = load_der_x509_certificate(_decoded(info.json()["cert"]["certificates"][0])).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def _decoded(text: str) -> bytes:
    return base64.b64decode(text)

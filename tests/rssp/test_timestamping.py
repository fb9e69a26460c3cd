"""The time-stamping authority over HTTP, with its key in a SoftHSM token and clocks that this test moves."""

import base64
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms
from django.core.checks import run_checks
from django.db import DatabaseError, connections
from django.test import Client

from authz.models import User
from rssp.models import Certificate, Timestamp, TimestampTally
from rssp.pki.clock import Clock, KernelState, KernelTimeSource, Unvouched, read_kernel_state
from rssp.pki.tsa import DEMONSTRATION_POLICIES
from rssp.services import timestamp_records, timestamping
from rssp.services.authority import read_chain
from rssp.services.timestamping import clear_timestamps
from rssp.views.timestamping import LONGEST_QUERY, QUERY, REPLY
from tests.authz.conftest import Person
from tests.conformance.tables import TIMESTAMP
from tests.rssp import remote as remote_side
from tests.rssp.conftest import ALIAS, Asked, Signer, call, digest, have_authority
from tests.rssp.test_tsa import MD5, SHA1
from tests.rssp.timestamps import Reply, build_query, openssl, read_reply
from tests.support.softhsm import Token

LEASE = digest("Lease")
POLICY = DEMONSTRATION_POLICIES["none"]
SYNCHRONISED, UNSYNCHRONISED = 0x2001, 0x0040


@pytest.fixture
def authority(token: Token) -> Token:
    have_authority()
    return token


def post(query: bytes, content_type: str = QUERY, **headers: str) -> Any:
    address = headers.pop("REMOTE_ADDR", "192.0.2.1")
    return Client(enforce_csrf_checks=True).post("/pki/tsa", query, content_type, headers=headers, REMOTE_ADDR=address)


def stamp(query: bytes = build_query(LEASE), **headers: str) -> Reply:
    answer = post(query, **headers)
    assert (answer.status_code, answer["Content-Type"], answer["Cache-Control"]) == (200, REPLY, "no-store")
    return read_reply(answer.content)


# --- Tokens -------------------------------------------------------------------------------------------------


def test_a_token_is_what_was_asked_for_and_is_recorded(authority: Token, asked: Asked) -> None:
    reply = stamp(build_query(LEASE, nonce=2**64 + 1))
    certificate = Certificate.objects.get(role="tsa")
    info = reply.info
    assert reply.status == "granted"
    assert info["nonce"].native == 2**64 + 1
    assert info["policy"].dotted == POLICY
    assert info["accuracy"]["seconds"].native == 1
    assert info["ordering"].native is False
    assert abs(info["gen_time"].native - datetime.now(UTC)) < timedelta(seconds=20)
    chain = read_chain(certificate)
    # The root is known to whoever trusts it.
    assert {each.dump() for each in reply.certificates} == set(chain[:-1])
    [own] = [each for each in reply.certificates if each.dump() == chain[0]]
    assert info["tsa"].chosen == own.subject
    assert own.extended_key_usage_value.native == ["time_stamping"]
    serial = info["serial_number"].native
    assert serial.bit_length() == 128
    row, tally = Timestamp.objects.get(), TimestampTally.objects.get()
    assert (row.serial_number, row.imprint, row.address) == (f"{serial:x}", LEASE.hex(), "192.0.2.1")
    assert (tally.issued, tally.latest) == (1, info["gen_time"].native)


def test_the_certificates_are_left_out_if_nobody_asks(authority: Token) -> None:
    assert stamp(build_query(LEASE, cert_req=False)).certificates == []


@pytest.mark.parametrize("nonce", [True, False])
@pytest.mark.parametrize("certificates", [True, False])
def test_openssl_verifies_a_token_up_to_the_root(
    authority: Token, tmp_path: Path, nonce: bool, certificates: bool
) -> None:
    (tmp_path / "lease").write_bytes(b"Lease")
    wanted = [*(["-cert"] if certificates else []), *([] if nonce else ["-no_nonce"])]
    openssl("ts", "-query", "-data", tmp_path / "lease", "-sha512", *wanted, "-out", tmp_path / "query")
    (tmp_path / "reply").write_bytes(stamp((tmp_path / "query").read_bytes()).raw)
    pem = [
        openssl("x509", "-inform", "DER", "-in", _file(tmp_path / f"{number}.cer", der))
        for number, der in enumerate(read_chain(Certificate.objects.get(role="tsa")))
    ]
    (tmp_path / "untrusted.pem").write_text("".join(pem[:-1]))
    (tmp_path / "root.pem").write_text(pem[-1])
    trusted = ["-CAfile", tmp_path / "root.pem", *([] if certificates else ["-untrusted", tmp_path / "untrusted.pem"])]
    for what in (("-queryfile", tmp_path / "query"), ("-data", tmp_path / "lease")):
        assert "Verification: OK" in openssl("ts", "-verify", "-in", tmp_path / "reply", *what, *trusted)


def _file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.django_db(databases=[ALIAS, "default"], transaction=True)
def test_parallel_queries_get_serial_numbers_of_their_own(authority: Token) -> None:
    stamp()  # the authority's own certificate

    def one(_: int) -> int:
        try:
            return int(stamp().info["serial_number"].native)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        serials = list(pool.map(one, range(24)))
    assert len(set(serials)) == 24
    assert TimestampTally.objects.get().issued == Timestamp.objects.count() == 25


@pytest.mark.django_db(databases=[ALIAS, "default"], transaction=True)
def test_who_waits_for_a_commit_shares_the_next_one_and_its_fate(
    authority: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp()
    commit, sizes = timestamp_records._commit, []
    begun, queued = threading.Event(), threading.Event()

    def slow(batch: Any) -> None:
        sizes.append(len(batch))
        if len(sizes) == 1:
            begun.set()
            assert queued.wait(30)
        if len(sizes) == 3:
            raise DatabaseError("the disk is full")
        commit(batch)

    monkeypatch.setattr(timestamp_records, "_commit", slow)

    def one(_: int) -> Any:
        try:
            return stamp()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(one, 0)
        assert begun.wait(30)
        others = [pool.submit(one, number) for number in range(7)]
        deadline = time.monotonic() + 30
        while len(timestamp_records.RECORDER._queue) < 7 and time.monotonic() < deadline:
            time.sleep(0.01)
        queued.set()
        replies = [first.result(), *(other.result() for other in others)]
    assert sizes == [1, 7]
    assert len({reply.info["serial_number"].native for reply in replies}) == 8
    times = {row.serial_number: row.generated for row in Timestamp.objects.all()}
    assert {f"{reply.info['serial_number'].native:x}" for reply in replies} < set(times)
    assert stamp().failures == {"system_failure"}
    assert TimestampTally.objects.get().issued == Timestamp.objects.count() == 9


# --- Refusals -----------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[bytes, str]] = {
    "text": (b"what time is it", "bad_data_format"),
    "something behind": (build_query(LEASE) + b"\x00", "bad_data_format"),
    "a short imprint": (build_query(LEASE[:-1]), "bad_data_format"),
    "version 2": (build_query(LEASE, version=2), "bad_request"),
    "SHA-1": (build_query(bytes(20), hash_oid=SHA1), "bad_alg"),
    "MD5": (build_query(bytes(16), hash_oid=MD5), "bad_alg"),
    "an unknown hash": (build_query(LEASE, hash_oid="2.25.99"), "bad_alg"),
    "another policy": (build_query(LEASE, req_policy="1.2.3.4"), "unaccepted_policy"),
    "a critical extension": (
        build_query(LEASE, extensions=[{"extn_id": "2.25.8", "critical": True, "extn_value": b"\x05\x00"}]),
        "unaccepted_extensions",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_is_an_answer_and_asks_the_hsm_nothing(authority: Token, asked: Asked, name: str) -> None:
    query, failure = REFUSED[name]
    reply = stamp(query)
    assert (reply.status, reply.failures, reply.token) == ("rejection", {failure}, None)
    assert asked.count == 0
    assert not Timestamp.objects.exists()


def test_the_policy_that_there_is_may_be_asked_for(authority: Token, settings: Any) -> None:
    assert stamp(build_query(LEASE, req_policy=POLICY)).status == "granted"
    settings.TSA_POLICY_OID = "2.25.1000"
    assert stamp(build_query(LEASE, req_policy=POLICY)).failures == {"unaccepted_policy"}
    assert stamp().info["policy"].dotted == "2.25.1000"


def test_what_is_no_query_at_all_is_refused_by_http(authority: Token, asked: Asked) -> None:
    good = build_query(LEASE)
    answers = [
        (post(good, "application/octet-stream"), 415),
        (post(good, "application/timestamp-reply"), 415),
        (post(good, "text/html"), 415),
        (post(bytes(LONGEST_QUERY + 1)), 413),
        (post(bytes(50_000_000)), 413),
        *((getattr(Client(), method)("/pki/tsa"), 405) for method in ("get", "put", "delete", "patch", "head")),
    ]
    for answer, status in answers:
        assert answer.status_code == status
        assert "html" not in answer["Content-Type"]
    assert answers[-1][0]["Allow"] == "POST"
    assert post(good, f"{QUERY}; name=lease").status_code == 200


def test_a_token_that_is_gone_is_a_system_failure_and_comes_back(authority: Token) -> None:
    assert stamp().status == "granted"
    authority.move_away()
    try:
        reply = stamp()
        assert (reply.status, reply.failures) == ("rejection", {"system_failure"})
    finally:
        authority.bring_back()
    deadline = time.monotonic() + 60
    while stamp().status != "granted":
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_without_an_authority_there_is_no_token(token: Token) -> None:
    assert not Certificate.objects.exists()
    assert stamp().failures == {"system_failure"}


def test_what_nobody_foresaw_is_a_system_failure_too(authority: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timestamp_records, "_commit", lambda _batch: 1 / 0)
    assert stamp().failures == {"system_failure"}


# --- The clock ----------------------------------------------------------------------------------------------


@dataclass
class Hands:
    """A clock's hands: ``wall`` is what it shows, ``elapsed`` what nobody can set. Seconds."""

    wall: float = 1_800_000_000.0
    elapsed: float = 500.0
    state: KernelState = field(default_factory=lambda: KernelState(SYNCHRONISED, 4000))

    def go(self, seconds: float) -> None:
        self.wall += seconds
        self.elapsed += seconds

    def clock(self, *, accuracy: float = 1.0, vouched: bool = True) -> Clock:
        return Clock(
            source=KernelTimeSource(lambda: self.state) if vouched else Unvouched(),
            accuracy=timedelta(seconds=accuracy),
            largest_step=timedelta(seconds=2),
            read_wall=lambda: self.wall,
            read_elapsed=lambda: self.elapsed,
        )


@pytest.fixture
def hands() -> Hands:
    """Within the authority's own validity."""
    return Hands(wall=float(int(time.time())))


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Clock], None]:
    return lambda clock: monkeypatch.setattr(timestamping, "get_clock", lambda: clock)


def test_the_time_is_the_clock_s_cut_to_what_the_accuracy_needs(hands: Hands) -> None:
    hands.wall += 0.123456
    moment = datetime.fromtimestamp(int(hands.wall), UTC)
    assert hands.clock(accuracy=1).read_time() == moment + timedelta(milliseconds=123)
    assert hands.clock(accuracy=2).read_time() == moment


@pytest.mark.parametrize(
    ("change", "is_good"),
    [
        ({"state": KernelState(SYNCHRONISED, 998_000)}, True),
        ({"state": KernelState(SYNCHRONISED, 999_001)}, False),
        ({"state": KernelState(UNSYNCHRONISED, 0)}, False),
        ({"state": KernelState(SYNCHRONISED | UNSYNCHRONISED, 10)}, False),
        ({"wall": 1.9}, True),
        ({"wall": -1.9}, True),
        ({"wall": 2.1}, False),
        ({"wall": -2.1}, False),
        ({"wall": 86_400.0}, False),
        ({"elapsed": 3.0}, False),
    ],
)
def test_a_clock_that_may_be_wrong_gives_no_token(
    authority: Token, asked: Asked, settings: Any, hands: Hands, use: Any, change: dict[str, Any], is_good: bool
) -> None:
    settings.TSA_TIME_SOURCE = "kernel"
    use(hands.clock())
    hands.go(60)
    for name, value in change.items():
        setattr(hands, name, value if name == "state" else getattr(hands, name) + value)
    reply = stamp()
    if is_good:
        assert reply.info["policy"].dotted == DEMONSTRATION_POLICIES["kernel"]
    else:
        assert (reply.failures, reply.token) == ({"time_not_available"}, None)
        assert not Timestamp.objects.exists()


def test_no_token_states_an_earlier_time_than_one_before_whatever_process_issued_it(
    authority: Token, hands: Hands, use: Any
) -> None:
    use(hands.clock(vouched=False))
    first = stamp().info["gen_time"].native
    hands.wall -= 5
    use(hands.clock(vouched=False))  # a process that started after the clock was set back
    assert stamp().failures == {"time_not_available"}
    hands.go(3)
    assert stamp().failures == {"time_not_available"}
    hands.go(1.5)  # within the accuracy: another process may have been faster
    assert stamp().status == "granted"
    assert TimestampTally.objects.get().latest == first
    hands.go(60)
    assert stamp().info["gen_time"].native > first
    assert TimestampTally.objects.get().issued == 3


def test_a_clock_set_back_again_gives_tokens_again(authority: Token, hands: Hands, use: Any) -> None:
    use(hands.clock(vouched=False))
    hands.wall += 3600
    assert stamp().failures == {"time_not_available"}
    hands.wall -= 3600
    assert stamp().status == "granted"


def test_the_kernel_is_really_asked(settings: Any) -> None:
    state = read_kernel_state()
    assert state.largest_error >= 0
    said = subprocess.run(["timedatectl", "show", "-p", "NTPSynchronized"], capture_output=True, text=True, check=False)
    if said.returncode == 0:
        assert said.stdout.strip() == f"NTPSynchronized={'no' if state.status & UNSYNCHRONISED else 'yes'}"


# --- Who may ask, and how often -----------------------------------------------------------------------------


def test_one_address_gets_its_tokens_for_a_minute_and_no_more(
    authority: Token, asked: Asked, settings: Any, hands: Hands
) -> None:
    settings.TSA_TOKENS_PER_MINUTE = 3
    for _ in range(3):
        assert stamp().status == "granted"
    before = asked.count
    answer = post(build_query(LEASE))
    assert answer.status_code == 429
    assert 10 <= int(answer["Retry-After"]) <= 20  # of twenty seconds, some of which a slow machine has used
    assert asked.count == before
    assert stamp(b"nonsense").failures == {"bad_data_format"}  # costs nothing, and is not counted
    assert stamp(REMOTE_ADDR="192.0.2.2").status == "granted"
    # A header that a stranger writes changes nothing; a trusted proxy's does.
    assert post(build_query(LEASE), **{"X-Forwarded-For": "198.51.100.1"}).status_code == 429
    settings.TRUSTED_PROXIES = ["192.0.2.1"]
    assert stamp(**{"X-Forwarded-For": "192.0.2.1, 198.51.100.1"}).status == "granted"
    settings.TSA_TOKENS_PER_MINUTE = 0
    settings.TRUSTED_PROXIES = []
    assert stamp().status == "granted"


def test_an_ipv6_subscriber_counts_as_one_address(authority: Token, settings: Any) -> None:
    settings.TSA_TOKENS_PER_MINUTE = 1
    assert stamp(REMOTE_ADDR="2001:db8:1:2::1").status == "granted"
    assert post(build_query(LEASE), REMOTE_ADDR="2001:db8:1:2:ffff::9").status_code == 429
    assert stamp(REMOTE_ADDR="2001:db8:1:3::1").status == "granted"
    assert stamp(REMOTE_ADDR="192.0.2.9").status == "granted"
    assert post(build_query(LEASE), REMOTE_ADDR="::ffff:192.0.2.9").status_code == 429


def test_a_service_token_may_be_required(authority: Token, remote: remote_side.Remote, settings: Any) -> None:
    settings.TSA_REQUIRES_BEARER = True
    settings.TSA_TOKENS_PER_MINUTE = 1
    good, other = remote.grant("alice", "openid service"), remote.grant("alice", "credential")
    for header in ("", "Basic abc", "Bearer nothing", f"Bearer {other}"):
        answer = post(build_query(LEASE), **({"Authorization": header} if header else {}))
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="tsa"')
    for _ in range(3):  # whoever is known is not counted by address
        assert stamp(Authorization=f"Bearer {good}").status == "granted"
    assert set(Timestamp.objects.values_list("client_id", flat=True)) == {"paraph-gateway"}


def test_operators_look_tokens_up_and_change_none(authority: Token) -> None:
    stamp()
    person = Person("Bob").exist()
    User.objects.filter(email=person.email).update(is_staff=True, is_superuser=True)
    person.log_in("/admin/")
    row = Timestamp.objects.get()
    assert row.serial_number in person.browser.get(f"/admin/rssp/timestamp/?q={LEASE.hex()}").content.decode()
    assert person.browser.post(f"/admin/rssp/timestamp/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Client().get("/admin/rssp/timestamp/").status_code == 302
    assert Timestamp.objects.get() == row


def test_records_go_when_their_retention_ends_and_the_count_stays(authority: Token, settings: Any) -> None:
    stamp()
    stamp()
    assert clear_timestamps() == 0
    Timestamp.objects.filter(pk=Timestamp.objects.earliest("pk").pk).update(
        generated=datetime.now(UTC) - settings.TSA_RETENTION - timedelta(seconds=1)
    )
    assert clear_timestamps() == 1
    assert (Timestamp.objects.count(), TimestampTally.objects.get().issued) == (1, 2)


# --- signatures/timestamp -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("row", TIMESTAMP, ids=lambda row: row.case)
def test_the_csc_method_answers_as_its_table_says(alice: Signer, version: Any, row: Any) -> None:
    good = {"hash": base64.b64encode(LEASE).decode(), "hashAlgo": "2.16.840.1.101.3.4.2.1"}
    body = row.change(good, version)
    answer = call("signatures/timestamp", body, alice.log_in(), version=version)
    assert answer.status_code == row.answer.status
    if answer.status_code != 200:
        assert answer.json()["error_description"] == row.answer.sentence(version)
        return
    token = cms.ContentInfo.load(base64.b64decode(answer.json()["timestamp"], validate=True), strict=True)
    info = token["content"]["encap_content_info"]["content"].parsed
    assert info["message_imprint"]["hashed_message"].native == LEASE
    assert info["nonce"].native == (int(body["nonce"], 16) if "nonce" in body else None)


def test_system_checks_name_what_is_weak(settings: Any) -> None:
    settings.TSA_TIME_SOURCE, settings.TSA_TOKENS_PER_MINUTE = "none", 0
    ids = {message.id for message in run_checks(include_deployment_checks=True)}
    assert {"rssp.W020", "rssp.W021"} <= ids
    settings.TSA_TIME_SOURCE, settings.TSA_TOKENS_PER_MINUTE = "kernel", 10
    ids = {message.id for message in run_checks(include_deployment_checks=True)}
    assert not {"rssp.W020", "rssp.W021", "rssp.E020"} & ids
    for name, value in (
        ("TSA_TIME_SOURCE", "sundial"),
        ("TSA_POLICY_OID", "1.2.x"),
        ("TSA_ACCURACY", timedelta(0)),
        ("TSA_RETENTION", timedelta(days=-1)),
    ):
        before = getattr(settings, name)
        setattr(settings, name, value)
        assert "rssp.E020" in {message.id for message in run_checks()}
        setattr(settings, name, before)

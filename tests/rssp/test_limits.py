"""How often somebody may ask: each client of the API, each address without a token, and what is kept of them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import connections, transaction
from django.test import Client
from django.utils import timezone

from rssp.errors import TooManyRequestsError
from rssp.models import RateLimit
from rssp.services import limiting
from rssp.services.clearing import clear_expired
from rssp.services.describing import METHODS
from rssp.services.limiting import Limit, network_of, take_shared
from tests.rssp.conftest import ALIAS, Asked, Signer, call, digest

LEASE = digest("Lease")
TOO_MANY = "Too many requests: try again later."
NEEDING_A_TOKEN = [(version, method) for version in METHODS for method in METHODS[version] if method != "info"]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Moves the time of both limits of the API."""
    made = Clock()
    monkeypatch.setattr(limiting, "clients", Limit(made))
    monkeypatch.setattr(limiting, "addresses", Limit(made))
    return made


def taken(limit: Limit, tries: int, **per_minute: int) -> int:
    done = 0
    for _ in range(tries):
        try:
            limit.take(per_minute)
        except TooManyRequestsError:
            continue
        done += 1
    return done


def ask_info(version: int = 2, **meta: Any) -> Any:
    return Client().post(f"/csc/v{version}/info", "{}", "application/json", **meta)


def is_refused(answer: Any, seconds: int) -> None:
    body = answer.json()
    assert (answer.status_code, answer["Content-Type"]) == (429, "application/json")
    assert (body["error"], body["error_description"]) == ("too_many_requests", TOO_MANY)
    assert (answer["Retry-After"], answer["Cache-Control"]) == (str(seconds), "no-store")


# --- The rule -----------------------------------------------------------------------------------------------


def test_what_was_used_comes_back_evenly_and_never_more_than_a_minute_s() -> None:
    clock = Clock()
    limit = Limit(clock)
    assert taken(limit, 80, alice=60) == 60
    assert taken(limit, 80, bob=60) == 60
    clock.now += 10
    assert taken(limit, 80, alice=60) == 10
    clock.now += 3600
    assert taken(limit, 80, alice=60) == 60
    assert taken(limit, 1000, alice=0) == 1000


def test_who_is_refused_by_one_limit_uses_nothing_of_another() -> None:
    limit = Limit(Clock())
    assert taken(limit, 10, alice=3, everybody=5) == 3
    assert taken(limit, 10, bob=10, everybody=5) == 2
    assert taken(limit, 10, bob=10) == 8


@pytest.mark.parametrize(("per_minute", "seconds"), [(1, 60), (3, 20), (60, 1), (7, 9), (6000, 1)])
def test_the_seconds_that_are_told_are_enough_and_not_a_second_too_many(per_minute: int, seconds: int) -> None:
    clock = Clock()
    limit = Limit(clock)
    assert taken(limit, per_minute, alice=per_minute) == per_minute
    with pytest.raises(TooManyRequestsError) as refusal:
        limit.take({"alice": per_minute})
    assert refusal.value.seconds == seconds
    if seconds > 1:
        clock.now += seconds - 1
        assert taken(limit, 1, alice=per_minute) == 0
        clock.now += 1
    else:
        clock.now += 1
    assert taken(limit, 1, alice=per_minute) == 1


def test_a_lowered_number_holds_at_once() -> None:
    clock = Clock()
    limit = Limit(clock)
    assert taken(limit, 100, alice=100) == 100
    clock.now += 30
    assert taken(limit, 100, alice=2) == 1


def test_no_more_callers_are_remembered_than_fit_and_the_busy_ones_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiting, "_MOST_KEYS", 10)
    limit = Limit(Clock())
    for number in range(500):
        limit.take({f"192.0.2.{number}": 60, "everybody": 6000})
    assert len(limit._moments) == 10
    assert "everybody" in limit._moments


def test_no_thread_gets_what_another_one_used() -> None:
    limit = Limit(Clock())
    ready = threading.Barrier(8)

    def ask(_: int) -> int:
        ready.wait()
        return taken(limit, 100, alice=50)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 50


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", "unknown"),
        ("nonsense", "unknown"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_an_address_stands_for_a_subscriber(address: str, network: str) -> None:
    assert network_of(address) == network


# --- Clients ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "method"), NEEDING_A_TOKEN)
def test_every_method_has_the_client_s_limit(
    alice: Signer, settings: Any, clock: Clock, version: int, method: str
) -> None:
    settings.CSC_CALLS_PER_CLIENT = 2
    token = alice.remote.grant(
        alice.subject, "service credential-creation credential-deletion passkey-binding", client_id="busy"
    )
    for _ in range(2):
        assert call(method, {"credentialID": 1}, token, version=version).status_code == 400 or method.endswith("list")
    is_refused(call(method, {}, token, version=version), 30)
    # Whatever the method and the version, it is the same client.
    is_refused(call("credentials/list", {}, token, version=3 - version), 30)
    assert call("credentials/list", {}, alice.log_in(client_id="calm"), version=version).status_code == 200
    clock.now += 30
    assert call("credentials/list", {}, token, version=version).status_code == 200
    is_refused(call("credentials/list", {}, token, version=version), 30)


def test_a_refused_call_signs_nothing_and_spends_nothing(
    alice: Signer, asked: Asked, settings: Any, clock: Clock
) -> None:
    settings.CSC_CALLS_PER_CLIENT = 1
    token = alice.approve(LEASE, digest("Annex"))
    assert alice.sign(token, LEASE).status_code == 200
    is_refused(alice.sign(token, digest("Annex")), 60)
    assert asked.count == 1
    clock.now += 60
    assert alice.sign(token, digest("Annex")).status_code == 200
    settings.CSC_CALLS_PER_CLIENT = 0
    for _ in range(5):
        assert call("credentials/list", {}, alice.log_in()).status_code == 200


def test_a_client_s_limit_is_counted_before_its_body_is_read(alice: Signer, settings: Any) -> None:
    settings.CSC_CALLS_PER_CLIENT = 1
    token = alice.log_in()
    assert call("credentials/list", b"{", token).status_code == 400
    is_refused(call("credentials/list", b"{", token), 60)


# --- Addresses ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2])
def test_info_has_the_address_s_limit(settings: Any, clock: Clock, version: int) -> None:
    settings.CSC_CALLS_PER_ADDRESS = 2
    for _ in range(2):
        assert ask_info(version).status_code == 200
    is_refused(ask_info(version), 30)
    is_refused(ask_info(3 - version), 30)
    assert ask_info(version, REMOTE_ADDR="192.0.2.2").status_code == 200
    clock.now += 30
    assert ask_info(version).status_code == 200
    settings.CSC_CALLS_PER_ADDRESS = 0
    for _ in range(5):
        assert ask_info(version).status_code == 200


@pytest.mark.parametrize(("version", "method"), NEEDING_A_TOKEN)
@pytest.mark.parametrize(("header", "statuses"), [("", {400}), ("Bearer unknown", {401})])
def test_who_shows_no_good_token_has_the_address_s_limit(
    alice: Signer, settings: Any, version: int, method: str, header: str, statuses: set[int]
) -> None:
    settings.CSC_CALLS_PER_ADDRESS = 2
    headers = {"Authorization": header} if header else {}

    client = Client()
    client.get("/healthz")  # its start takes a moment, which shall not be counted

    def ask() -> Any:
        return client.post(f"/csc/v{version}/{method}", "{}", "application/json", headers=headers)

    assert {ask().status_code for _ in range(2)} == statuses
    is_refused(ask(), 30)
    # Good tokens from behind the same address are not kept out by bad ones.
    assert call("credentials/list", {}, alice.log_in(), version=version).status_code == 200


def test_a_forged_header_changes_nothing_and_a_trusted_proxy_s_last_entry_counts(settings: Any) -> None:
    settings.CSC_CALLS_PER_ADDRESS = 1

    def claim(address: str) -> int:
        forged = {
            "X-Forwarded-For": address,
            "Forwarded": f"for={address}",
            "X-Real-IP": address,
            "X-Client-IP": address,
        }
        return int(ask_info(REMOTE_ADDR="198.51.100.1", headers=forged).status_code)

    assert [claim(f"203.0.113.{number}") for number in range(5)] == [200] + [429] * 4
    settings.TRUSTED_PROXIES = ["198.51.100.1"]
    assert claim("203.0.113.1") == 200
    assert [claim(f"203.0.113.{number}, 203.0.113.1") for number in range(2, 6)] == [429] * 4
    assert claim("203.0.113.1, 203.0.113.9") == 200


def test_a_subscriber_of_ipv6_is_one_address(settings: Any) -> None:
    settings.CSC_CALLS_PER_ADDRESS = 1
    assert ask_info(REMOTE_ADDR="2001:db8:1:2::1").status_code == 200
    assert ask_info(REMOTE_ADDR="2001:db8:1:2:ffff::9").status_code == 429
    assert ask_info(REMOTE_ADDR="2001:db8:1:3::1").status_code == 200


# --- For all processes together -----------------------------------------------------------------------------


def take(key: str = "tsa 192.0.2.1", per_minute: int = 3) -> bool:
    try:
        with transaction.atomic(using=ALIAS):
            take_shared(key=key, per_minute=per_minute)
    except TooManyRequestsError:
        return False
    return True


def test_a_shared_limit_is_kept_as_one_moment_and_forgotten_when_it_has_passed() -> None:
    assert [take() for _ in range(5)] == [True] * 3 + [False] * 2
    assert take("tsa 192.0.2.2")
    assert RateLimit.objects.count() == 2
    assert clear_expired() == 0
    RateLimit.objects.filter(key="tsa 192.0.2.1").update(moment=timezone.now() + timedelta(seconds=39))
    assert [take() for _ in range(3)] == [True, False, False]
    RateLimit.objects.update(moment=timezone.now() - timedelta(seconds=1))
    assert clear_expired() == 2
    assert [take() for _ in range(5)] == [True] * 3 + [False] * 2
    assert all(take("tsa 192.0.2.3", 0) for _ in range(5))
    assert RateLimit.objects.count() == 1


def test_a_clock_set_back_shuts_nobody_out_for_longer_than_a_minute() -> None:
    take()
    RateLimit.objects.update(moment=timezone.now() + timedelta(hours=3))
    with pytest.raises(TooManyRequestsError) as refusal, transaction.atomic(using=ALIAS):
        take_shared(key="tsa 192.0.2.1", per_minute=3)
    assert refusal.value.seconds == 20


@pytest.mark.django_db(databases=[ALIAS, "default"], transaction=True)
def test_of_parallel_calls_a_shared_limit_lets_its_number_through() -> None:
    ready = threading.Barrier(8)

    def ask(_: int) -> bool:
        ready.wait()
        try:
            return take()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 3


# --- Settings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["CSC_CALLS_PER_CLIENT", "CSC_CALLS_PER_ADDRESS", "OCSP_SIGNATURES"])
def test_system_checks_name_limits_that_are_none(settings: Any, name: str) -> None:
    def said(value: int) -> set[str | None]:
        setattr(settings, name, value)
        found = {message.id for message in run_checks(include_deployment_checks=True) if name in message.msg}
        return found & {"rssp.E035", "rssp.W035"}

    assert (said(-1), said(0), said(1)) == ({"rssp.E035"}, {"rssp.W035"}, set())

"""F14: a web process whose clock is set back answers nothing before the clock says again what it said."""

from dataclasses import dataclass

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from config import clock
from config.clock import LARGEST_STEP, Watch
from config.roles import ALL_ROLES


@dataclass
class Hands:
    wall: float = 1_000_000.0
    elapsed: float = 500.0

    def go_on(self, seconds: float) -> None:
        self.wall, self.elapsed = self.wall + seconds, self.elapsed + seconds

    def watch(self) -> Watch:
        return Watch(lambda: self.wall, lambda: self.elapsed)


@pytest.mark.parametrize("idle", [0.0, 86_400.0])
def test_f14_what_was_set_back_is_waited_for_and_no_longer(idle: float) -> None:
    hands = Hands()
    watch = hands.watch()
    hands.go_on(idle)
    hands.wall -= 600
    assert watch.read_missing() == 600
    hands.go_on(599)
    assert watch.read_missing() == pytest.approx(1)
    hands.go_on(1)
    assert watch.read_missing() == 0
    hands.go_on(3600)
    assert watch.read_missing() == 0


def test_f14_set_back_twice_it_waits_for_both() -> None:
    hands = Hands()
    watch = hands.watch()
    hands.wall -= 600
    assert watch.read_missing() == 600
    hands.go_on(300)
    hands.wall -= 600
    assert watch.read_missing() == 900


def test_f14_set_right_again_it_answers_at_once() -> None:
    hands = Hands()
    watch = hands.watch()
    hands.wall -= 3600
    assert watch.read_missing() == 3600
    hands.wall += 3600
    assert watch.read_missing() == 0


def test_f14_what_discipline_does_to_a_clock_is_no_matter_but_its_sum_is() -> None:
    hands = Hands()
    watch = hands.watch()
    for _ in range(int(LARGEST_STEP)):
        hands.wall -= 1
        assert watch.read_missing() == 0
    hands.wall -= 1
    assert watch.read_missing() == LARGEST_STEP + 1


def test_f14_a_clock_that_was_ahead_and_is_set_right_is_waited_for() -> None:
    """What ended meanwhile has ended."""
    hands = Hands()
    watch = hands.watch()
    hands.wall += 600
    assert watch.read_missing() == 0
    hands.wall -= 600
    assert watch.read_missing() == 600


def test_f14_a_machine_that_slept_and_a_leap_second_are_nothing() -> None:
    hands = Hands()
    watch = hands.watch()
    hands.go_on(86_400)
    hands.wall -= 1
    assert watch.read_missing() == 0


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Hands:
    hands = Hands()
    monkeypatch.setattr(clock, "WATCH", hands.watch())
    hands.wall -= 600
    return hands


@pytest.mark.parametrize(
    "path",
    ["/csc/v2/info", "/csc/v2/signatures/signHash", "/authz/oauth2/token", "/gateway/v1/jobs", "/csc/healthz"],
)
def test_f14_an_api_says_so_in_its_json(client: Client, late: Hands, path: str) -> None:
    answer = client.post(path, "{}", content_type="application/json")
    assert (answer.status_code, answer["Retry-After"]) == (503, "600")
    told = answer.json()
    assert told["error"] == "temporarily_unavailable"
    assert told["error_description"] == "The clock of this service was set back. Nothing was done; try again later."
    assert told["request_id"] == answer["X-Request-Id"]


@pytest.mark.parametrize("path", ["/", "/authz/login", "/admin/", "/pki/ocsp", "/healthz", "/pki/tsa"])
@pytest.mark.django_db(databases=["default"])
def test_f14_so_does_every_page(client: Client, late: Hands, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer["Retry-After"]) == (503, "600")
    assert "was set back" in answer.content.decode()


@pytest.mark.django_db(databases=["default"])
def test_f14_a_page_s_looks_are_still_there(client: Client, late: Hands) -> None:
    assert client.get("/static/nothing.css").status_code == 404


def test_f14_a_database_that_is_down_at_the_start_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(role: str) -> None:
        raise OperationalError("down")

    monkeypatch.setattr(clock, "WATCH", Hands().watch())
    monkeypatch.setattr(clock, "_read_latest", fail)
    monkeypatch.setattr(clock.connections, "close_all", lambda: None)
    clock.expect_what_was_recorded()
    assert clock.WATCH.read_missing() == 0
    assert "the clock was not compared with what rssp recorded: OperationalError" in caplog.text


def test_f14_without_a_record_any_time_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "WATCH", Hands(wall=timezone.now().timestamp()).watch())
    monkeypatch.setattr(clock, "_read_latest", dict.fromkeys(ALL_ROLES).get)
    monkeypatch.setattr(clock.connections, "close_all", lambda: None)
    clock.expect_what_was_recorded()
    assert clock.WATCH.read_missing() == 0

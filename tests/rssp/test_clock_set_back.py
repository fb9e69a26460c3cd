"""F14: what has ended opens no key after the clock was set back, in the running process or before a new one."""

import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from config import clock as watching
from rssp.models import Activation, AuditEvent, Certificate, Intent
from rssp.services.auditing import read_latest_moment, record_events
from rssp.services.epochs import begin_epoch
from tests.rssp.conftest import Asked, Signer, digest
from tests.rssp.test_authorising import allow
from tests.rssp.test_epochs import _epoch_of_its_own  # noqa: F401  (fixture)
from tests.rssp.test_extending import ask as extend
from tests.rssp.test_ocsp import ask_about, issuer, post, read  # noqa: F401  (fixture)
from tests.rssp.test_timestamping import post as ask_for_timestamp
from tests.rssp.timestamps import build_query
from tests.support.moved_clock import MovedClock

LEASE, ANNEX = digest("Lease"), digest("Annex")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MovedClock:
    return MovedClock(monkeypatch)


def by_approval(signer: Signer) -> Callable[[], Any]:
    token = signer.approve(LEASE)
    return lambda: signer.sign(token, LEASE)


def by_sad(signer: Signer) -> Callable[[], Any]:
    sad = allow(signer, LEASE)
    return lambda: signer.sign(signer.log_in(), LEASE, SAD=sad)


def by_extension(signer: Signer) -> Callable[[], Any]:
    sad = allow(signer, LEASE, num_signatures=2)
    return lambda: extend(signer, sad)


@pytest.fixture(params=[by_approval, by_sad, by_extension])
def ended(request: pytest.FixtureRequest, alice: Signer, clock: MovedClock) -> Callable[[], Any]:
    """A use of something that has ended, which the service has said."""
    use: Callable[[], Any] = request.param(alice)
    clock(minutes=20)
    assert use().status_code in {400, 401}
    return use


def test_f14_a_clock_set_back_revives_nothing(ended: Callable[[], Any], asked: Asked, clock: MovedClock) -> None:
    clock.set_back(minutes=19)
    for _ in range(2):
        answer = ended()
        assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
        assert int(answer["Retry-After"]) == pytest.approx(19 * 60, abs=5)
    clock(minutes=19, seconds=1)
    assert ended().status_code in {400, 401}
    assert asked.count == Intent.objects.count() == 0


@pytest.mark.parametrize("kind", ["approval", "SAD"])
def test_f14_nor_does_a_restart_after_it(alice: Signer, asked: Asked, clock: MovedClock, kind: str) -> None:
    """What was written down last says how late it is; another machine's clock may be a minute behind."""
    assert alice.sign(alice.approve(ANNEX), ANNEX).status_code == 200
    if kind == "SAD":
        sad = allow(alice, LEASE, lifetime=timedelta(minutes=-2))
        ended = partial(alice.sign, alice.log_in(), LEASE, SAD=sad)
    else:
        ended = partial(alice.sign, alice.approve(LEASE, expires_at=int(time.time()) - 120), LEASE)
    assert (ended().status_code, ended().json()["error_description"]) == (400, "SAD expired")
    clock.set_back(minutes=10)
    clock.restart()
    latest = read_latest_moment()
    assert latest is not None
    watching.WATCH.expect((latest - watching.LEEWAY).timestamp())
    assert ended().status_code == 503
    clock(minutes=9, seconds=5)
    assert (ended().status_code, ended().json()["error_description"]) == (400, "SAD expired")
    assert asked.count == 1


def test_f14_what_lives_signs_when_time_is_back(alice: Signer, asked: Asked, clock: MovedClock) -> None:
    """Nothing was spent meanwhile, and it lives no longer than it would have by the clock."""
    token = alice.approve(LEASE)
    clock.set_back(minutes=5)
    assert alice.sign(token, LEASE).status_code == 503
    assert not Activation.objects.exists()
    clock(minutes=5, seconds=1)
    assert alice.sign(token, LEASE).status_code == 200
    assert asked.count == 1


def test_f14_no_status_and_no_time_stamp_of_an_earlier_time(
    alice: Signer,
    issuer: Certificate,  # noqa: F811
    clock: MovedClock,
) -> None:
    before = read(post(ask_about(alice.credential.certificate))).this_update_utc
    clock.set_back(hours=1)
    assert post(ask_about(alice.credential.certificate)).status_code == 503
    assert ask_for_timestamp(build_query(LEASE)).status_code == 503
    clock(hours=1, seconds=1)
    assert read(post(ask_about(alice.credential.certificate))).this_update_utc >= before


def test_f14_what_was_written_before_an_epoch_is_not_waited_for(alice: Signer, clock: MovedClock) -> None:
    """A clock that was years ahead has written so; ending everything from then is the way on."""
    record_events([AuditEvent(action="sign", result="refused", happened=timezone.now() + timedelta(days=3650))])
    latest = read_latest_moment()
    assert latest is not None
    assert latest > timezone.now() + timedelta(days=3649)
    begin_epoch()
    latest = read_latest_moment()
    assert latest is not None
    assert latest <= timezone.now()

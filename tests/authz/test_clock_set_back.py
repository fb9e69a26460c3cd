"""F14: no token, code, login, link or page of an approval lives longer because the clock was set back."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from authz.models import SecurityEvent
from authz.services import sign_up_links
from authz.services.events import read_latest_moment
from config import clock as watching
from tests.authz.conftest import GATEWAY, RSSP, Flow, Person, Pkce, basic
from tests.authz.test_recovery import link_in_mail, reset_link
from tests.support.moved_clock import MovedClock

Use = Callable[[], Any]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MovedClock:
    return MovedClock(monkeypatch)


def a_token(alice: Person, flow: Flow) -> tuple[Use, Callable[[Any], bool]]:
    token = flow.token(alice)["access_token"]
    introspect = lambda: Client().post("/authz/oauth2/introspect", {"token": token}, headers=basic(RSSP))  # noqa: E731
    return introspect, lambda answer: answer.json() == {"active": False}


def a_code(alice: Person, flow: Flow) -> tuple[Use, Callable[[Any], bool]]:
    pkce = Pkce()
    code = flow.code(alice, pkce)
    return lambda: flow.server.redeem(code, pkce), lambda answer: answer.json()["error"] == "invalid_grant"


def a_pushed_request(alice: Person, flow: Flow) -> tuple[Use, Callable[[Any], bool]]:
    address = flow.server.push(flow.make(Pkce())).json()["request_uri"]
    asked = {"client_id": GATEWAY[0], "request_uri": address}
    return lambda: alice.browser.get("/authz/oauth2/authorize", asked), lambda answer: answer.status_code == 400


def a_page_to_approve(alice: Person, flow: Flow) -> tuple[Use, Callable[[Any], bool]]:
    location = flow.open(alice, Pkce())
    return lambda: alice.browser.get(location), lambda answer: answer.status_code in {302, 400}


def a_login_half_way(alice: Person, flow: Flow) -> tuple[Use, Callable[[Any], bool]]:
    address = alice.browser.post("/authz/login", {"email": alice.email, "password": "correct horse battery staple"})
    assert alice.browser.get(address["Location"]).status_code == 200
    return lambda: alice.browser.get(address["Location"]), lambda answer: answer.status_code == 302


def a_session(alice: Person, flow: Flow) -> tuple[Use, Callable[[Any], bool]]:
    assert alice.browser.get("/authz/passkeys").status_code == 200
    return lambda: alice.browser.get("/authz/passkeys"), lambda answer: answer.status_code == 302


def a_link_for_a_password(alice: Person, flow: Flow) -> tuple[Use, Callable[[Any], bool]]:
    link = reset_link(alice)
    return lambda: Client().get(link), lambda answer: answer.status_code >= 400


def a_link_to_sign_up(alice: Person, flow: Flow) -> tuple[Use, Callable[[Any], bool]]:
    sign_up_links.send_link(email="new@example.org", next_path="", browser="", language="")
    link = link_in_mail()
    return lambda: Client().get(link), lambda answer: answer.status_code >= 400


KINDS = [
    a_token,
    a_code,
    a_pushed_request,
    a_page_to_approve,
    a_login_half_way,
    a_session,
    a_link_for_a_password,
    a_link_to_sign_up,
]


@pytest.mark.parametrize("kind", KINDS)
def test_f14_a_clock_set_back_revives_nothing(
    alice: Person, flow: Flow, clock: MovedClock, kind: Callable[..., tuple[Use, Callable[[Any], bool]]]
) -> None:
    alice.log_in()
    use, has_ended = kind(alice, flow)
    clock(days=90)
    assert has_ended(use())
    clock.set_back(days=90)
    assert use().status_code == 503
    clock(days=90, seconds=1)
    assert has_ended(use())


def test_f14_nor_does_a_restart_after_it(alice: Person, flow: Flow, clock: MovedClock) -> None:
    alice.log_in()
    use, has_ended = a_token(alice, flow)
    clock(days=1)
    alice.log_in()
    assert SecurityEvent.objects.latest("pk").happened == pytest.approx(timezone.now(), abs=watching.LEEWAY)
    clock.set_back(days=1)
    clock.restart()
    latest = read_latest_moment()
    assert latest is not None
    watching.WATCH.expect((latest - watching.LEEWAY).timestamp())
    assert use().status_code == 503
    clock(days=1)
    assert has_ended(use())

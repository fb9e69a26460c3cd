"""Clients are told that a login ended: by a logout token (OpenID Connect Back-Channel Logout 1.0) or in the browser
(Front-Channel Logout 1.0)."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from joserfc import jwt
from joserfc.jwk import KeySet

from authz.models import Application, Grant, LogoutNotice, Session
from authz.services import ended_logins, recovery_codes
from authz.services.events import Visitor
from tests.authz.conftest import PASSWORD, SIGNAPP, Flow, Person, Pkce, Server, block, query
from tests.support.authenticator import Authenticator

Login = Callable[..., tuple[str, Pkce]]
EVENT = "http://schemas.openid.net/event/backchannel-logout"
NOBODY = Visitor("127.0.0.1")
FRAME = f"{settings.SIGNAPP_URL}/front?tenant=1"


class Receiver(ThreadingHTTPServer):
    """A client's own address for logout tokens."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.taken, self.hits = 200, list[dict[str, list[str]]](), 0

    @property
    def url(self) -> str:
        return f"http://localhost:{self.server_port}/out"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.hits += 1
        assert self.headers["Content-Type"] == "application/x-www-form-urlencoded"
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if self.server.status == 200:
            self.server.taken.append(form)
        self.send_response(self.server.status)
        self.send_header("Location", self.server.url)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as http:
        threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        Application.objects.filter(client_id=SIGNAPP[0]).update(backchannel_logout_uri=http.url)
        yield http
        http.shutdown()


def read_told(receiver: Receiver) -> list[dict[str, Any]]:
    """What the receiver was told by now, verified by the published keys."""
    ended_logins.tell_of_logouts()
    keys = KeySet.import_key_set(Client().get("/authz/oauth2/jwks").json())
    told = []
    for form in receiver.taken:
        assert set(form) == {"logout_token"}
        token = jwt.decode(form["logout_token"][0], keys, algorithms=["RS256", "ES256"])
        assert token.header["typ"] == "logout+jwt"
        told.append(token.claims | {"alg": token.header["alg"]})
    receiver.taken.clear()
    return told


@pytest.fixture
def log_in(server: Server, login_code: Login) -> Callable[[Person], dict[str, Any]]:
    """Logs a person in at signapp, and answers the ID token's claims, with the token responses's members beside."""

    def run(person: Person) -> dict[str, Any]:
        code, pkce = login_code(person)
        answer = server.redeem(code, pkce, SIGNAPP).json()
        keys = KeySet.import_key_set(server.http.get("/authz/oauth2/jwks").json())
        return answer | jwt.decode(answer["id_token"], keys, algorithms=["RS256", "ES256"]).claims

    return run


# --- Whose, which, and what is said ------------------------------------------------------------------------------


def test_a_logout_token_says_whose_login_ended_and_nothing_else(
    alice: Person, log_in: Any, receiver: Receiver, server: Server
) -> None:
    login = log_in(alice)
    assert read_told(receiver) == []
    alice.browser.post("/authz/logout")
    (told,) = read_told(receiver)
    assert set(told) == {"iss", "aud", "iat", "exp", "jti", "events", "sub", "sid", "alg"}
    assert (told["iss"], told["aud"], told["events"]) == (settings.ISSUER, SIGNAPP[0], {EVENT: {}})
    assert (told["sub"], told["sid"]) == (str(alice.user.sub), login["sid"])
    assert told["exp"] - told["iat"] == 120
    # Told once, and what the client had of it is dead.
    assert read_told(receiver) == []
    assert not LogoutNotice.objects.exists()
    assert not server.introspect(login["access_token"])["active"]
    refreshed = server.token({"grant_type": "refresh_token", "refresh_token": login["refresh_token"]}, SIGNAPP)
    assert refreshed.json()["error"] == "invalid_grant"


def by_its_owner(person: Person) -> None:
    person.browser.post("/authz/logout")


def on_a_client_s_word(person: Person) -> None:
    person.browser.get("/authz/oauth2/logout", {"id_token_hint": person.hint})  # type: ignore[attr-defined]


def on_the_sessions_page(person: Person) -> None:
    at_work = Person("Alice")
    at_work.key = person.key
    at_work.log_in()
    row = Session.objects.get(sid=person.sid)  # type: ignore[attr-defined]
    at_work.browser.post("/authz/sessions/end", {"session": row.pk})


def everywhere(person: Person) -> None:
    person.browser.post("/authz/sessions/end-all")


def by_a_new_password(person: Person) -> None:
    new = "another horse battery staple"
    form = {"current": PASSWORD, "password": new, "again": new}
    answer = person.browser.post("/authz/password", form)
    assert answer.status_code == 302, answer.content


def by_an_operator_who_closes_the_account(person: Person) -> None:
    boss = Person("Boss").exist()
    user = boss.user
    user.is_staff = user.is_superuser = True
    user.save()
    boss.log_in()
    address = f"/admin/authz/user/{person.user.pk}/change/"
    form = {"name": person.name, "passkeys-TOTAL_FORMS": "0", "passkeys-INITIAL_FORMS": "0"}
    assert boss.browser.post(address, form).status_code == 302
    user = person.user
    assert not user.is_active


def by_somebody_who_takes_over_the_browser(person: Person) -> None:
    mallory = Person("Mallory").exist()
    mallory.browser = person.browser
    assert mallory.log_in().status_code == 302


@pytest.mark.parametrize(
    "end",
    [
        by_its_owner,
        on_a_client_s_word,
        on_the_sessions_page,
        everywhere,
        by_a_new_password,
        by_an_operator_who_closes_the_account,
        by_somebody_who_takes_over_the_browser,
    ],
)
def test_however_a_login_ends_the_client_is_told(
    alice: Person, bob: Person, log_in: Any, receiver: Receiver, end: Callable[[Person], None]
) -> None:
    login = log_in(alice)
    alice.hint, alice.sid = login["id_token"], login["sid"]  # type: ignore[attr-defined]
    log_in(bob)
    end(alice)
    assert [(told["sub"], told["sid"]) for told in read_told(receiver)] == [(str(alice.user.sub), login["sid"])]


def test_what_ends_nothing_tells_nobody(
    alice: Person, mallory: Person, log_in: Any, receiver: Receiver, server: Server
) -> None:
    login = log_in(alice)
    mallory.log_in()
    row = Session.objects.get(sid=login["sid"]).pk
    mallory.browser.post("/authz/sessions/end", {"session": row})
    mallory.browser.post("/authz/sessions/end-all")
    for token in (login["id_token"], "x"):
        mallory.browser.get("/authz/oauth2/logout", {"id_token_hint": token})
    Client(enforce_csrf_checks=True).post("/authz/logout")
    alice.browser.post("/authz/password", {"current": "wrong", "password": "x" * 20, "again": "x" * 20})
    # Another login of hers in this very browser is the same session.
    assert log_in(alice)["sid"] == login["sid"]
    assert read_told(receiver) == []
    assert server.introspect(login["access_token"])["active"]


def test_each_browser_s_login_has_a_name_of_its_own(alice: Person, log_in: Any, receiver: Receiver) -> None:
    at_work = Person("Alice")
    at_work.key = alice.key
    names = {log_in(alice)["sid"], log_in(at_work)["sid"]}
    assert len(names) == 2
    assert not names & {row.session_key for row in Session.objects.all()}
    at_work.browser.post("/authz/logout")
    names.add(log_in(at_work)["sid"])
    assert len(names) == 3, "a login that ended has a name that never comes again"
    assert len(read_told(receiver)) == 1
    alice.browser.post("/authz/sessions/end-all")
    assert len(read_told(receiver)) == 2


def test_after_a_new_password_the_session_goes_on_under_another_name(
    alice: Person, log_in: Any, receiver: Receiver
) -> None:
    before = log_in(alice)["sid"]
    by_a_new_password(alice)
    assert log_in(alice)["sid"] != before


def test_a_client_that_knows_of_no_login_is_told_of_no_end(
    alice: Person, receiver: Receiver, login_code: Login, server: Server, flow: Flow
) -> None:
    # Access to an account without OpenID, and an approval.
    code, pkce = login_code(alice, scope="service")
    kept = server.redeem(code, pkce, SIGNAPP).json()
    approval = flow.token(alice)
    assert not Grant.objects.exclude(sid="").exists()
    alice.browser.post("/authz/logout")
    assert read_told(receiver) == []
    assert server.introspect(kept["access_token"])["active"]
    assert server.introspect(approval["access_token"])["active"]


def test_a_code_of_a_login_that_ended_gives_nothing(
    alice: Person, receiver: Receiver, login_code: Login, server: Server
) -> None:
    code, pkce = login_code(alice)
    alice.browser.post("/authz/logout")
    assert server.redeem(code, pkce, SIGNAPP).json()["error"] == "invalid_grant"
    assert read_told(receiver) == []


def test_a_logout_token_is_no_hint_and_no_token(alice: Person, log_in: Any, receiver: Receiver) -> None:
    log_in(alice)
    at_work = Person("Alice")
    at_work.key = alice.key
    log_in(at_work)
    alice.browser.post("/authz/logout")
    ended_logins.tell_of_logouts()
    token = receiver.taken[0]["logout_token"][0]
    assert at_work.browser.get("/authz/oauth2/logout", {"id_token_hint": token}).status_code == 400
    assert Client().get("/authz/oauth2/userinfo", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    assert at_work.browser.get("/authz/passkeys").status_code == 200


# --- Delivery ------------------------------------------------------------------------------------------------------


def test_what_was_not_taken_is_told_again_with_growing_pauses_and_not_for_ever(
    alice: Person, log_in: Any, receiver: Receiver
) -> None:
    log_in(alice)
    alice.browser.post("/authz/logout")
    pauses = []
    for status in (500, 302, 400, 503, 404, 501):
        receiver.status = status
        begun = timezone.now()
        assert ended_logins.tell_of_logouts() == 0
        assert ended_logins.tell_of_logouts() == 0, "not before the pause is over"
        pauses += [round((row.next_attempt - begun).total_seconds()) for row in LogoutNotice.objects.all()]
        LogoutNotice.objects.update(next_attempt=timezone.now())
    assert receiver.hits == 6
    assert pauses == [10, 40, 160, 640, 2560]
    assert not LogoutNotice.objects.exists()


def test_a_client_that_was_away_learns_of_it_later(alice: Person, log_in: Any, receiver: Receiver) -> None:
    login = log_in(alice)
    Application.objects.filter(client_id=SIGNAPP[0]).update(backchannel_logout_uri="http://localhost:1/out")
    alice.browser.post("/authz/logout")
    assert ended_logins.tell_of_logouts() == 0
    # A worker that died in the middle held it no longer than this pause either.
    LogoutNotice.objects.update(next_attempt=timezone.now() - timedelta(seconds=1))
    Application.objects.filter(client_id=SIGNAPP[0]).update(backchannel_logout_uri=receiver.url)
    assert [told["sid"] for told in read_told(receiver)] == [login["sid"]]


def test_of_two_workers_one_tells(alice: Person, log_in: Any, receiver: Receiver) -> None:
    log_in(alice)
    alice.browser.post("/authz/logout")
    notice = LogoutNotice.objects.select_related("application").get()
    assert [ended_logins._tell(notice), ended_logins._tell(notice)] == [True, False]
    assert receiver.hits == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:{port}/out",
        "https://[::ffff:127.0.0.1]:{port}/out",
        "http://localhost:{port}/out",
        "https://localhost:{port}/out",
        "http://127.1:{port}/out",
        "file:///etc/passwd",
        "https://user@localhost:{port}/out",
        "",
    ],
)
def test_h1_no_inner_address_is_told(alice: Person, log_in: Any, receiver: Receiver, url: str) -> None:
    # A foreign client's, however it came into its record.
    log_in(alice)
    Application.objects.filter(client_id=SIGNAPP[0]).update(is_own=False)
    alice.browser.post("/authz/logout")
    Application.objects.filter(client_id=SIGNAPP[0]).update(
        backchannel_logout_uri=url.format(port=receiver.server_port)
    )
    assert LogoutNotice.objects.count() == 1
    assert ended_logins.tell_of_logouts() == 0
    assert receiver.hits == 0


def test_discovery_names_both_ways() -> None:
    metadata = Client().get("/authz/.well-known/openid-configuration").json()
    for name in ("frontchannel", "backchannel"):
        assert metadata[f"{name}_logout_supported"] is True
        assert metadata[f"{name}_logout_session_supported"] is True
    assert "sid" in metadata["claims_supported"]


# --- In the browser ------------------------------------------------------------------------------------------------


def frames(answer: Any) -> list[str]:
    found = re.findall(r'<iframe src="([^"]*)"', answer.content.decode())
    return [url.replace("&amp;", "&") for url in found]


@pytest.mark.parametrize("way", ["/authz/logout", "/authz/sessions/end-all", "/authz/oauth2/logout"])
def test_the_page_that_says_so_opens_the_client_s_address(
    alice: Person, log_in: Any, way: str, login_code: Login
) -> None:
    home = "https://elsewhere.example/bye"
    Application.objects.filter(client_id=SIGNAPP[0]).update(
        frontchannel_logout_uri=FRAME, post_logout_redirect_uris=home
    )
    login = log_in(alice)
    asked = {"id_token_hint": login["id_token"], "post_logout_redirect_uri": home, "state": "s"}
    page = alice.browser.post(way, asked)
    assert page.status_code == 200
    (url,) = frames(page)
    assert url.startswith(FRAME)
    assert query(url) == {"tenant": "1", "iss": settings.ISSUER, "sid": login["sid"]}
    policy = page["Content-Security-Policy"]
    assert f"frame-src {settings.SIGNAPP_URL}" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page["Cache-Control"] == "no-store"
    assert (f'href="{home}?state=s"' in page.content.decode()) == (way == "/authz/oauth2/logout")
    assert alice.browser.get("/authz/passkeys").status_code == 302
    # Once, by whoever had the login.
    assert frames(alice.browser.post("/authz/logout")) == []


def test_a_client_may_want_no_names_in_its_address(alice: Person, log_in: Any) -> None:
    Application.objects.filter(client_id=SIGNAPP[0]).update(
        frontchannel_logout_uri=FRAME, frontchannel_logout_session_required=False
    )
    log_in(alice)
    assert frames(alice.browser.post("/authz/logout")) == [FRAME]


def test_nobody_else_s_address_is_opened(alice: Person, bob: Person, log_in: Any, login_code: Login) -> None:
    Application.objects.filter(client_id=SIGNAPP[0]).update(frontchannel_logout_uri=FRAME)
    log_in(bob)
    login_code(alice)  # never redeemed: the client knows of no login
    answer = alice.browser.post("/authz/logout")
    assert (answer.status_code, answer["Location"]) == (302, "/authz/logged-out")
    assert "frame-src" not in alice.browser.get("/authz/logged-out")["Content-Security-Policy"]


# --- By which key --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "algorithm"),
    [({}, "RS256"), ({"id_token_signed_response_alg": "ES256"}, "ES256"), ({"jwt_access_tokens": True}, "RS256")],
)
def test_what_is_signed_for_a_client_is_signed_as_its_record_says(
    alice: Person, log_in: Any, receiver: Receiver, record: dict[str, Any], algorithm: str
) -> None:
    Application.objects.filter(client_id=SIGNAPP[0]).update(**record | {"jwt_access_tokens": True})
    login = log_in(alice)
    keys = Client().get("/authz/oauth2/jwks").json()["keys"]
    assert [(key["alg"], key["use"]) for key in keys] == [("RS256", "sig"), ("ES256", "sig")]
    assert not any({"d", "p", "q"} & set(key) for key in keys)
    for token in (login["id_token"], login["access_token"]):
        head = jwt.decode(token, KeySet.import_key_set({"keys": keys}), algorithms=[algorithm]).header
        assert head["alg"] == algorithm
        assert head["kid"] in {key["kid"] for key in keys if key["alg"] == algorithm}
    alice.browser.get("/authz/oauth2/logout", {"id_token_hint": login["id_token"]})
    assert [told["alg"] for told in read_told(receiver)] == [algorithm]


def test_a_recovery_tells_of_every_login(alice: Person, log_in: Any, receiver: Receiver) -> None:
    login = log_in(alice)
    # In the very browser: its session goes on, under another name.
    alice.browser.post("/authz/login", {"email": alice.email, "password": PASSWORD})
    alice.browser.post(
        "/authz/login/recovery", {"code": recovery_codes.create_codes(user=alice.user, visitor=NOBODY)[0]}
    )
    page = alice.browser.get("/authz/login/recovery/passkey")
    alice.key = Authenticator(rp_id=settings.WEBAUTHN_RP_ID, origin=settings.WEBAUTHN_ORIGIN)
    made = alice.key.create(block(page)[0]["options"])
    alice.browser.post("/authz/login/recovery/passkey", {"response": json.dumps(made), "name": "New"})
    assert [told["sid"] for told in read_told(receiver)] == [login["sid"]]
    assert log_in(alice)["sid"] != login["sid"]

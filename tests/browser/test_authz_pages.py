"""Every page of the authorization server in Chromium: accessible (WCAG 2.2 AA as far as axe sees it), and nothing wider
than a small phone, light and dark. A template that no page here comes from fails."""

import json
import re
import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core import mail
from PIL import Image
from playwright.sync_api import Browser, Route, sync_playwright
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from authz import tasks
from authz.models import Application, User
from authz.services import accounts, logos
from tests.authz import signing_service
from tests.authz.conftest import (
    BINDING,
    CREATION,
    DELETION,
    PASSWORD,
    SIGNAPP,
    Flow,
    Person,
    Pkce,
    Server,
    alice,
    block,
    clients,
    credential_request,
    flow,
    foreign,
    login_code,
    server,
)
from tests.authz.signing_service import SigningService, credential
from tests.authz.test_qualifiers import qualified
from tests.browser.inspection import Inspection
from tests.support.authenticator import Authenticator

__all__ = ["alice", "clients", "credential_request", "flow", "foreign", "login_code", "server"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(databases=["default"], transaction=True)]
ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = {f"authz/{path.name}" for path in (ROOT / "templates" / "authz").glob("[!_]*.html")}
Pages = dict[str, Any]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright's loop runs in this thread, and Django would take that for an asynchronous caller.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def pages(
    alice: Person,
    flow: Flow,
    foreign: tuple[str, str],
    login_code: Any,
    server: Server,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> Pages:
    """Each page by a name, as the server answered it to somebody."""
    monkeypatch.setattr(tasks.send_sign_up_link, "delay", tasks.send_sign_up_link)
    monkeypatch.setattr(tasks.send_password_link, "delay", tasks.send_password_link)
    settings.CLIENT_TRANSPORT = "tests.authz.signing_service.transport_for"
    monkeypatch.setattr(signing_service, "current", SigningService())
    return {
        **strangers(settings),
        **at_login(alice),
        **account(alice),
        **consents(alice, flow, foreign, settings),
        **choices(alice, flow),
        **recovery(alice),
        **endings(alice, login_code, server),
    }


def mailed() -> str:
    found = re.search(r"http\S+(/authz/\S+)", str(mail.outbox[-1].body))
    assert found
    return found[1]


def strangers(settings: Settings) -> Pages:
    carol = Person("Carol")
    found = {"sign-up": carol.browser.get("/authz/signup")}
    found["sign-up refused"] = carol.browser.post("/authz/signup", {"name": "", "email": "x", "password": "x"})
    settings.SIGN_UP_BY_LINK = True
    found["sign-up by link"] = carol.browser.get("/authz/signup")
    found["sign-up by link refused"] = carol.browser.post("/authz/signup", {"email": "x"})
    found["sign-up sent"] = carol.browser.post("/authz/signup", {"email": carol.email})
    found["sign-up at the link"] = carol.browser.get(mailed())
    carol.browser.post(mailed(), {"name": carol.name, "password": PASSWORD})
    found["first passkey"] = carol.browser.get("/authz/signup/passkey")
    invitation = accounts.invite_operator(email="dora@example.org", name="Dora Example")
    found["invitation"] = carol.browser.get(f"/authz/invitations/{invitation}")
    found["problem"] = carol.browser.get("/authz/password/x")
    return found


def at_login(alice: Person) -> Pages:
    found = {"login": alice.browser.get("/authz/login")}
    wrong = {"email": alice.email, "password": "wrong"}
    found["login refused"] = alice.browser.post("/authz/login", wrong)
    alice.browser.post("/authz/login", wrong | {"password": PASSWORD})
    found["login, passkey"] = alice.browser.get("/authz/login/passkey")
    found["login, passkey refused"] = alice.browser.post("/authz/login/passkey", {"response": "{}"})
    alice.log_in()
    return found


def account(alice: Person) -> Pages:
    get, post = alice.browser.get, alice.browser.post
    found = {"passkeys, one": get("/authz/passkeys"), "add a passkey": get("/authz/passkeys/add")}
    second = Authenticator(rp_id=alice.key.rp_id, origin=alice.key.origin)
    made = second.create(block(get("/authz/passkeys/add"))[0]["options"])
    post("/authz/passkeys/add", {"response": json.dumps(made), "name": "Blue key"})
    found["passkeys, two"] = get("/authz/passkeys")
    for name in ("sessions", "approvals", "password", "address/change"):
        found[name] = get(f"/authz/{name}")
    found["password refused"] = post("/authz/password", {"current": "wrong", "password": "x", "again": "y"})
    post("/authz/address")
    found["address"] = get(mailed())
    post("/authz/address/change", {"email": "alice@elsewhere.example", "password": PASSWORD})
    link = mailed()
    found["new address"] = get(link)
    post(link)
    found["address, back"] = get(mailed())
    found["make codes"] = get("/authz/recovery-codes")
    found["codes"] = post("/authz/recovery-codes/new")
    alice.email = alice_email = "alice@elsewhere.example"
    assert alice.user.email == alice_email
    return found


def consents(alice: Person, flow: Flow, foreign: tuple[str, str], settings: Settings) -> Pages:
    client = Application.objects.get(client_id=foreign[0])
    client.consent_text = "We file your leases."
    client.save()
    picture = BytesIO()
    Image.new("RGB", (64, 64), "teal").save(picture, format="PNG")
    logos.keep_logo(application=client, png=logos.draw_logo(picture.getvalue()))
    asked = {"client_id": foreign[0], "response_type": "code", "scope": "service", "code_challenge_method": "S256"}
    asked |= {"code_challenge": Pkce().challenge}
    found = {"access": alice.browser.get(alice.browser.get("/authz/oauth2/authorize", asked)["Location"])}
    automatic, settings.REGISTRATION = settings.REGISTRATION, {"demonstration": "verified-email"}
    User.objects.filter(pk=alice.user.pk).update(verified_email="")
    found["create, address first"] = alice.browser.get(flow.open(alice, Pkce(), CREATION))
    settings.REGISTRATION = automatic
    User.objects.filter(pk=alice.user.pk).update(verified_email=alice.email)
    for name, details in (("sign", None), ("create", CREATION), ("delete", DELETION), ("bind", BINDING)):
        location = flow.open(alice, Pkce(), details)
        found[name] = alice.browser.get(location)
        found[f"{name}, refused"] = alice.browser.post(location, {"password": "wrong", "response": "{}"})
    return found


def choices(alice: Person, flow: Flow) -> Pages:
    location, service = flow.open(alice, Pkce(), qualified("Lease.pdf", "Annex.pdf")), signing_service.current
    found = {"choose, none": alice.browser.get(location)}
    lasting = credential("one", description="Alice Example, ECDSA P-256, demonstration")
    found["choose, gone"] = alice.browser.post(location, {"answer": "choose", "credential": "gone"})
    service.credentials = [lasting, credential("two", description="", shortLived={}, multisign=2)]
    found["choose"] = alice.browser.get(location)
    alice.browser.post(location, {"answer": "choose", "credential": "one"})
    found["chosen"] = alice.browser.get(location)
    alice.browser.post(location, {"answer": "choose-again"})
    service.failure = httpx.ConnectError("away")
    found["choose, away"] = alice.browser.get(location)
    return found


def recovery(alice: Person) -> Pages:
    somebody = Person("Alice")
    somebody.email = alice.email
    found = {"forgotten": somebody.browser.get("/authz/forgotten")}
    found["forgotten sent"] = somebody.browser.post("/authz/forgotten", {"email": alice.email})
    found["new password"] = somebody.browser.get(mailed())
    code = re.findall(
        r'<li class="mono">([A-Z2-7-]+)</li>', alice.browser.post("/authz/recovery-codes/new").content.decode()
    )
    somebody.browser.post("/authz/login", {"email": alice.email, "password": PASSWORD})
    found["use a code"] = somebody.browser.get("/authz/login/recovery")
    found["use a code, refused"] = somebody.browser.post("/authz/login/recovery", {"code": "x"})
    somebody.browser.post("/authz/login/recovery", {"code": code[0]})
    found["passkey after a code"] = somebody.browser.get("/authz/login/recovery/passkey")
    return found


def endings(alice: Person, login_code: Any, server: Server) -> Pages:
    found = {"log out?": alice.browser.get("/authz/oauth2/logout")}
    home = "https://elsewhere.example/bye"
    Application.objects.filter(client_id=SIGNAPP[0]).update(
        frontchannel_logout_uri="http://localhost:1/front", post_logout_redirect_uris=home
    )
    code, pkce = login_code(alice)
    hint = server.redeem(code, pkce, SIGNAPP).json()["id_token"]
    asked = {"id_token_hint": hint, "post_logout_redirect_uri": home}
    found["logged out, telling"] = alice.browser.get("/authz/oauth2/logout", asked)
    found["logged out"] = alice.browser.get("/authz/logged-out")
    return found


@pytest.fixture
def seen(pages: Pages) -> Pages:
    """Every template stands for a page of it at least."""
    used = {template.name for page in pages.values() for template in page.templates}
    assert {
        name: page.status_code for name, page in pages.items() if page.status_code >= 300 and page.status_code < 400
    } == {}
    assert TEMPLATES - used == set()
    return pages


def test_every_page_is_accessible_fits_the_screen_and_keeps_its_budget(
    live_server: LiveServer, chromium: Browser, seen: Pages
) -> None:
    inspection = Inspection()
    context = chromium.new_context(bypass_csp=True)
    page, url = context.new_page(), live_server.url
    # What stands in a frame, or where a page goes on to, is somebody else's.
    context.route(re.compile(rf"^(?!{re.escape(url)}).*$"), lambda route: route.fulfill(body=""))
    context.route("**/authz/logout.js", lambda route: route.abort())
    # Pages that only a form leads to have no address, so each is put where the server's own files can be had.
    bodies: list[bytes] = []
    page.route("**/page-under-test", lambda route: route.fulfill(body=bodies[-1], content_type="text/html"))
    for name, answer in seen.items():
        bodies.append(answer.content)
        page.goto(f"{url}/page-under-test")
        inspection(page, name)
    context.close()
    assert inspection.faults == []


def test_a_logout_is_told_in_a_frame_and_goes_on_to_the_client(
    live_server: LiveServer, chromium: Browser, alice: Person, login_code: Any, server: Server, settings: Settings
) -> None:
    """With the policy of the page in force: the client's frame is loaded, and no other origin's could be."""
    told, frame, home = [], "https://elsewhere.example/front", "https://elsewhere.example/bye"
    Application.objects.filter(client_id=SIGNAPP[0]).update(
        frontchannel_logout_uri=frame, post_logout_redirect_uris=home
    )
    code, pkce = login_code(alice)
    hint = server.redeem(code, pkce, SIGNAPP).json()["id_token"]
    answer = alice.browser.get("/authz/oauth2/logout", {"id_token_hint": hint, "post_logout_redirect_uri": home})
    context = chromium.new_context()
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)

    def take(route: Route) -> None:
        told.append(route.request.url)
        route.fulfill(body="bye")

    context.route("https://elsewhere.example/**", take)
    headers = {"Content-Security-Policy": answer["Content-Security-Policy"]}
    page.route(
        "**/page-under-test",
        lambda route: route.fulfill(body=answer.content, content_type="text/html", headers=headers),
    )
    page.goto(f"{live_server.url}/page-under-test")
    page.wait_for_url(home)
    context.close()
    assert [url.partition("?")[0] for url in told] == [frame, home]
    assert "sid=" in told[0]
    assert complaints == []

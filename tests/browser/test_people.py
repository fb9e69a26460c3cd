"""People and their accounts in Chromium: passkeys, recovery, and what goes wrong."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from scripts.demo import SAMPLE
from scripts.instance import Instance
from scripts.walk import Person, Walk, open_chromium

pytestmark = [pytest.mark.browser, pytest.mark.instance, pytest.mark.xdist_group("people")]
BOB = Person("Bob Example", "bob@example.org", "nine boats below the bridge")
NEW_PASSWORD = "ten boats below the bridge"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with open_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def bob(people_instance: Instance, chromium: Browser) -> Iterator[Walk]:
    """Logged in, with a certificate."""
    walk = Walk(chromium, people_instance.base_url, reduced_motion="reduce")
    walk.sign_up(BOB)
    walk.get_certificate(BOB)
    yield walk
    walk.close()


_LATEST: dict[str, dict[str, Any]] = {}


def hold(walk: Walk, passkey: dict[str, Any]) -> None:
    """Only this one is in the device, which keeps one for each account; with its counter where it was left."""
    remember(walk)
    walk.device.clear()
    walk.device.add(_LATEST.get(passkey["credentialId"], passkey))


def lose(walk: Walk) -> None:
    """Nothing is in the device."""
    remember(walk)
    walk.device.clear()


def remember(walk: Walk) -> None:
    for each in walk.device.passkeys():
        known = _LATEST.get(each["credentialId"], each)
        _LATEST[each["credentialId"]] = max(each, known, key=lambda item: int(item["signCount"]))


def held(walk: Walk) -> list[dict[str, Any]]:
    return walk.device.passkeys()


def confirm(walk: Walk, password: str = BOB.password) -> None:
    """The step-up, where it is asked for."""
    walk.await_heading("Confirm that it is you")
    walk.page.locator('input[name="password"]').fill(password)
    walk.press("Continue")
    walk.await_heading("Use your passkey")
    walk.press("Log in with passkey")


def log_in(walk: Walk, path: str, password: str = BOB.password) -> None:
    walk.context.clear_cookies()
    walk.open(path)
    walk.log_in(Person(BOB.name, BOB.email, password))


@pytest.fixture(scope="module")
def pair(bob: Walk) -> tuple[dict[str, Any], dict[str, Any]]:
    """Bob's first passkey, and the second that he adds with it."""
    (first,) = held(bob)
    bob.open("/authz/passkeys")
    bob.press("Add a passkey")
    bob.await_heading("Add a passkey")
    bob.page.get_by_label("Name").fill("Blue key")
    lose(bob)
    bob.press("Add a passkey")
    bob.await_heading("Passkeys")
    expect(bob.page.get_by_role("heading", name="Blue key")).to_be_visible()
    (second,) = held(bob)
    hold(bob, first)
    return first, second


def test_a_second_passkey_signs_after_the_first_one_let_it(
    bob: Walk, pair: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    first, second = pair
    bob.open("/account")
    bob.page.locator("summary", has_text="Passkeys that sign with it").click()
    bob.press("Let another passkey sign")
    bob.await_heading("You are about to let another passkey sign")
    bob.page.get_by_role("radio", name="Blue key").check()
    hold(bob, first)
    bob.approve(BOB)
    expect(bob.page.get_by_text("2 passkeys sign with this certificate now.")).to_be_visible()
    hold(bob, second)
    bob.upload(SAMPLE)
    bob.prepare()
    bob.go_to_approval()
    bob.approve(BOB)
    bob.await_signed()
    # The page that was answered is over; going back does no harm.
    bob.page.go_back()
    bob.page.go_back()
    hold(bob, first)


def test_a_passkey_alone_shows_the_account_and_changes_nothing(
    bob: Walk, pair: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    hold(bob, pair[0])
    bob.context.clear_cookies()
    bob.open("/authz/login?next=/authz/passkeys")
    bob.press("Use a passkey alone")
    bob.await_heading("Passkeys")
    bob.press("Change the password")
    bob.await_heading("Confirm that it is you")
    confirm(bob)
    bob.await_heading("Change your password")
    bob.open("/authz/sessions")
    expect(bob.page.get_by_text("Passkey added")).to_be_visible()


def test_the_browser_offers_the_passkey_in_the_field(
    people_instance: Instance, chromium: Browser, bob: Walk, pair: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """Conditional mediation: this device takes the offer at once, where a person would choose it."""
    elsewhere = Walk(chromium, people_instance.base_url, autofill=True)
    remember(bob)
    hold(elsewhere, pair[0])
    elsewhere.open("/authz/login?next=/authz/sessions")
    elsewhere.await_heading("Sessions")
    remember(elsewhere)
    lose(bob)
    elsewhere.close()


def test_what_goes_wrong_is_said_and_loses_nothing(bob: Walk, pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    bob.context.clear_cookies()
    bob.open("/authz/login")
    bob.page.get_by_label("E-mail address").fill(BOB.email)
    bob.page.locator('input[name="password"]').fill("not this one")
    bob.press("Continue")
    expect(bob.page.get_by_text("That did not match.")).to_be_visible()
    bob.page.locator('input[name="password"]').fill(BOB.password)
    bob.press("Continue")
    bob.await_heading("Use your passkey")
    # No passkey of this account at hand: the prompt is over.
    lose(bob)
    bob.press("Log in with passkey")
    expect(bob.page.get_by_text("The passkey prompt was closed.")).to_be_visible()
    hold(bob, pair[0])
    # A newer page took this one's place.
    other = bob.context.new_page()
    other.goto(bob.base_url + "/authz/login/passkey")
    other.close()
    bob.press("Log in with passkey")
    expect(bob.page.get_by_text("That did not match.")).to_be_visible()
    bob.press("Log in with passkey")
    bob.await_heading("Passkeys")
    bob.open("/authz/sessions")
    bob.await_heading("Sessions")
    bob.page.go_back()  # the page is kept by nobody, and is asked for again
    bob.await_heading("Passkeys")


def test_a_button_that_is_pressed_before_its_script_ran_posts_nothing(
    bob: Walk, pair: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    hold(bob, pair[0])
    bob.context.clear_cookies()
    bob.page.route("**/authz/passkey*.js", lambda route: route.fulfill(content_type="text/javascript", body=""))
    bob.open("/authz/login")
    bob.page.get_by_label("E-mail address").fill(BOB.email)
    bob.page.locator('input[name="password"]').fill(BOB.password)
    bob.press("Continue")
    bob.await_heading("Use your passkey")
    button = bob.page.get_by_role("button", name="Log in with passkey")
    expect(button).to_be_disabled()
    bob.page.unroute_all()
    bob.page.reload()
    expect(button).to_be_enabled()
    bob.press("Log in with passkey")
    bob.await_heading("Passkeys")


def test_a_removed_passkey_logs_in_no_more(bob: Walk, pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    first, second = pair
    hold(bob, first)
    log_in(bob, "/authz/login?next=/authz/passkeys")
    sheet = bob.page.locator("section.sheet", has=bob.page.get_by_role("heading", name="Blue key"))
    sheet.locator("summary").click()
    sheet.get_by_role("button", name="Remove this passkey").click()
    bob.page.get_by_role("button", name="Remove it").click()
    expect(bob.page.get_by_role("heading", name="Blue key")).to_have_count(0)
    hold(bob, second)
    bob.context.clear_cookies()
    bob.open("/authz/login")
    bob.press("Use a passkey alone")
    expect(bob.page.get_by_text("That did not match.")).to_be_visible()
    hold(bob, first)


def test_a_printed_code_gets_bob_back_in(bob: Walk, pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    hold(bob, pair[0])
    log_in(bob, "/authz/login?next=/authz/recovery-codes")
    bob.await_heading("Recovery codes")
    bob.press("Make new codes")
    bob.await_heading("Your recovery codes")
    codes = bob.page.locator(".codes li").all_inner_texts()
    assert len(set(codes)) == 8
    bob.page.emulate_media(media="print")
    expect(bob.page.locator(".codes li").first).to_be_visible()
    expect(bob.page.get_by_role("button", name="Print the codes")).to_be_hidden()
    bob.page.emulate_media(media="screen")
    # The device is lost.
    lose(bob)
    bob.context.clear_cookies()
    bob.open("/authz/login")
    bob.page.get_by_label("E-mail address").fill(BOB.email)
    bob.page.locator('input[name="password"]').fill(BOB.password)
    bob.press("Continue")
    bob.press("I have no passkey at hand: use a recovery code")
    bob.await_heading("Use a recovery code")
    bob.page.get_by_label("Recovery code").fill(codes[0].lower())
    bob.press("Continue to a new passkey")
    bob.await_heading("Add a new passkey")
    bob.press("Add the passkey")
    bob.await_heading("Passkeys")
    expect(bob.page.get_by_text("7 codes left")).to_be_visible()


def test_a_forgotten_password_is_set_anew(people_instance: Instance, bob: Walk) -> None:
    bob.context.clear_cookies()
    bob.open("/authz/login")
    bob.page.get_by_role("link", name="Forgot your password?").click()
    bob.await_heading("Forgot your password?")
    bob.page.get_by_label("E-mail address").fill(BOB.email)
    bob.press("Send me a link")
    bob.await_heading("Look at your mail")
    bob.page.goto(people_instance.mailbox.await_link(BOB.email, "/authz/password/"))
    bob.await_heading("Set a new password")
    bob.page.locator('input[name="password"]').fill(NEW_PASSWORD)
    bob.press("Set it with passkey")
    bob.await_heading("Log in")
    expect(bob.page.get_by_text("Your new password is set.")).to_be_visible()
    log_in(bob, "/authz/login?next=/authz/sessions", NEW_PASSWORD)
    expect(bob.page.get_by_text("Forgotten password replaced")).to_be_visible()


def test_a_new_address_is_confirmed_and_the_old_one_can_undo_it(people_instance: Instance, bob: Walk) -> None:
    bob.open("/authz/address/change")
    bob.page.get_by_label("New e-mail address").fill("bob@elsewhere.example")
    bob.page.locator('input[name="password"]').fill(NEW_PASSWORD)
    bob.press("Send the link")
    bob.page.goto(people_instance.mailbox.await_link("bob@elsewhere.example", "/authz/address/change/"))
    bob.press("Change the address")
    expect(bob.page.get_by_text("Your account has its new address.")).to_be_visible()
    bob.page.goto(people_instance.mailbox.await_link(BOB.email, "/authz/address/undo/"))
    expected = re.compile(r"status of (400|422|404)|net::ERR_ABORTED")
    assert [text for text in bob.complaints if not expected.search(text)] == []

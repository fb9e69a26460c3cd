"""One person's browser: Chromium with a passkey device inside, led through the pages by what stands on them.

    with open_chromium() as chromium:
        alice = Walk(chromium, "http://localhost:8000")
        alice.sign_up(ALICE)
        alice.get_certificate(ALICE)
        alice.upload(Path("lease.pdf"))

Everything that a page complains about on the way (a script's error, something that the policy refuses) is kept in
``complaints``. ``on_page`` is called with a name at every page worth looking at.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, ViewportSize, expect, sync_playwright

from scripts.letters import Mailbox

DESKTOP, PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=390, height=844)
# How long a page or what is to come on it may take: five seconds, as it comes, are not enough for a busy machine.
_STEP_MS, _SIGNED_MS = 60_000, 180_000
expect.set_options(timeout=_STEP_MS)
# A device that always agrees answers the offer in a field before anybody chose it there.
_NO_AUTOFILL = "PublicKeyCredential.isConditionalMediationAvailable = async () => false"


class WalkError(Exception):
    """The walk does not go on; the message is a sentence."""


@dataclass(frozen=True)
class Person:
    name: str
    email: str
    password: str


ALICE = Person("Alice Example", "alice@example.org", "seven herons over the canal")


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """Headless, and without its sandbox where it runs as root, which it otherwise refuses.

    The machine's own, or the one that Playwright downloaded where the machine has none.
    """
    arguments = ["--disable-gpu", "--disable-background-networking"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


class PasskeyDevice:
    """A virtual authenticator that lives in one page and always agrees."""

    def __init__(self, page: Page) -> None:
        self._cdp: CDPSession = page.context.new_cdp_session(page)
        self._cdp.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        self.authenticator_id: str = self._cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})[
            "authenticatorId"
        ]

    def passkeys(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._send("getCredentials")["credentials"]
        return found

    def add(self, passkey: dict[str, Any]) -> None:
        """``passkey`` is what `passkeys` of another device or ``manage.py seed_demo`` gives."""
        self._send("addCredential", credential=passkey)

    def clear(self) -> None:
        self._send("clearCredentials")

    def _send(self, method: str, **parameters: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._cdp.send(
            f"WebAuthn.{method}", {"authenticatorId": self.authenticator_id, **parameters}
        )
        return answer


def _ignore(_name: str) -> None:
    return None


class Walk:
    """A browser of its own for one person, with one passkey device. With ``autofill`` passkeys are offered in fields,
    and so used as soon as a page does. Who is given the instance's ``mail`` confirms the address
    when asked to."""

    def __init__(
        self,
        chromium: Browser,
        base_url: str,
        *,
        on_page: Callable[[str], None] = _ignore,
        autofill: bool = False,
        mail: Mailbox | None = None,
        **context: Any,
    ) -> None:
        self.base_url = base_url
        self.mail = mail
        self.context = chromium.new_context(**{"viewport": DESKTOP, **context})
        self.context.set_default_timeout(_STEP_MS)
        if not autofill:
            self.context.add_init_script(_NO_AUTOFILL)
        self.page = self.context.new_page()
        self.device = PasskeyDevice(self.page)
        self.on_page = on_page
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self._complain(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self._complain(str(error)))

    def _complain(self, text: str) -> None:
        self.complaints.append(f"{self.page.url}: {text}")

    def close(self) -> None:
        self.context.close()

    def open(self, path: str) -> None:
        self.page.goto(self.base_url + path)

    def press(self, label: str) -> None:
        """The one button or link that is called so, once the page's scripts have run."""
        self.page.wait_for_load_state()
        self.page.get_by_role("button", name=label, exact=True).or_(
            self.page.get_by_role("link", name=label, exact=True)
        ).first.click()

    def await_heading(self, text: str) -> None:
        """Raises `AssertionError` with what the page says instead."""
        try:
            expect(self.page.get_by_role("heading", level=1)).to_contain_text(text, timeout=_STEP_MS)
        except AssertionError as error:
            shown = self.page.locator("main").inner_text(timeout=10_000)
            raise AssertionError(
                f"{error}\nat {self.page.url}, {self.complaints or 'no complaints'}:\n{shown}"
            ) from None

    def sign_up(self, person: Person) -> None:
        """From the landing page to the documents, logged in."""
        self.open("/")
        self.on_page("landing")
        self.press("Create your account")
        self.await_heading("Create your account")
        self.page.get_by_label("Your name").fill(person.name)
        self.page.get_by_label("E-mail address").fill(person.email)
        self.page.locator('input[name="password"]').fill(person.password)
        self.on_page("sign-up")
        self.press("Continue to your passkey")
        self.await_heading("Add your passkey")
        self.on_page("passkey")
        self.press("Add a passkey")
        self.await_heading("Documents")
        self.on_page("documents")

    def log_in(self, person: Person) -> None:
        """From wherever the login page was opened to where it leads."""
        self.await_heading("Log in")
        self.page.get_by_label("E-mail address").fill(person.email)
        self.page.locator('input[name="password"]').fill(person.password)
        self.on_page("login")
        self.press("Continue")
        self.await_heading("Use your passkey")
        self.on_page("login-passkey")
        self.press("Log in with passkey")

    def get_certificate(self, person: Person) -> None:
        """From the documents, by an approval, back to them."""
        self.press("Get your certificate")
        self.await_heading("Get your certificate")
        self.on_page("certificate")
        self.press("Continue to approval")
        heading = self.page.get_by_role("heading", level=1)
        expect(heading).to_have_text(re.compile("Confirm your address first|You are about to create"), timeout=_STEP_MS)
        if self.mail is not None and "Confirm" in heading.inner_text():
            self.confirm_address(person, self.mail)
        self.await_heading("You are about to create a signing certificate")
        self.on_page("certificate-consent")
        self.approve(person)
        self.await_heading("Documents")
        expect(self.page.get_by_text("Your certificate is ready.")).to_be_visible()
        self.on_page("certificate-ready")

    def confirm_address(self, person: Person, mail: Mailbox) -> None:
        """By the link that was mailed, from the page that asks for it and back to it. Raises `NoLetterError`."""
        self.await_heading("Confirm your address first")
        self.on_page("address-first")
        asked = self.page.url
        self.page.goto(mail.await_link(person.email, "/authz/address/"))
        self.await_heading("Confirm your address")
        self.on_page("address")
        self.press("Confirm the address")
        self.await_heading("Passkeys")
        self.page.goto(asked)

    def upload(self, document: Path) -> None:
        """To the reader, with every page shown."""
        self.open("/documents")
        self.page.set_input_files('input[type="file"]', document)
        self.on_page("upload")
        self.page.locator('form[enctype] button[type="submit"]:not([name])').click()
        refused = self.page.locator(".field__error:visible")
        expect(refused.or_(self.page.locator("[data-reader]")).first).to_be_visible(timeout=_STEP_MS)
        if refused.count():
            raise WalkError(refused.first.inner_text())

    def read(self) -> None:
        """Goes through every page, as a reader would."""
        self.page.wait_for_selector(".reader__paper canvas")
        self.on_page("reader")
        where = self.page.locator("[data-reader-where]")
        pages = int(where.inner_text().rsplit(" ", 1)[-1])
        for number in range(2, pages + 1):
            self.page.locator("[data-reader-next]").click()
            expect(where).to_have_text(f"Page {number} of {pages}", timeout=_STEP_MS)
        expect(self.page.locator("[data-all-shown]")).to_be_attached(timeout=_STEP_MS)

    def prepare(self) -> str:
        """The approval fingerprint that the document's page shows."""
        self.page.locator('#panel-action button[form="prepare"]').click()
        fingerprint = self.page.locator("#panel-state .fingerprint__value")
        expect(fingerprint).to_be_visible(timeout=_STEP_MS)
        self.page.wait_for_selector(".reader__paper canvas")
        self.on_page("prepared")
        return fingerprint.inner_text()

    def go_to_approval(self) -> str:
        """The approval fingerprint that the consent page shows."""
        self.page.locator('#panel-action form[action$="/approve"] button').click()
        self.await_heading("You are about to sign 1 document")
        self.on_page("consent")
        return self.page.locator(".document .fingerprint__value").inner_text()

    def approve(self, person: Person) -> None:
        self.page.locator('#approval input[name="password"]').fill(person.password)
        self.press("Approve with passkey")

    def await_signed(self) -> None:
        """On the document's page, while the signing goes on."""
        self.page.wait_for_selector("#panel-state")
        self.on_page("progress")
        expect(self.page.get_by_role("link", name="Download the signed PDF")).to_be_visible(timeout=_SIGNED_MS)
        self.on_page("signed")

    def download(self) -> bytes:
        with self.page.expect_download() as waiting:
            self.press("Download the signed PDF")
        return waiting.value.path().read_bytes()

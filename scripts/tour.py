"""Three people on their way past every page of signapp and authz, through real flows against a running instance.

    tour = Tour(chromium, instance, on_page=look)
    tour.go()

``on_page`` is called with the `Walk` and a name at every page and state worth looking at; the browser stands there.
Which addresses were met is in ``tour.paths``; `scripts.pages` says which of the URL tables' are missing.
"""

import json
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import Browser, expect

from scripts.instance import ROOT, Instance
from scripts.walk import Person, Walk, WalkError

SAMPLE = ROOT / "static" / "design" / "sample.pdf"
ALICE = Person("Alice Traveller", "alice@tour.example", "nine larches by the ferry")
BOB = Person("Bob Traveller", "bob@tour.example", "six lanterns under the arch")
MALLORY = Person("Mallory Traveller", "mallory@tour.example", "five keys under the mat")
# What no button of a browser leads to: time that passes, and an application that asks without a browser.
_EXPIRE = """
from datetime import timedelta
from django.utils import timezone
from signapp.models import Envelope
from signapp.services.envelopes.tending import tend_envelopes
Envelope.objects.filter(title="Lease, expired").update(expires_at=timezone.now() - timedelta(days=1))
tend_envelopes()
"""
_CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


class Tour:
    def __init__(self, chromium: Browser, instance: Instance, *, on_page: Callable[[Walk, str], None]) -> None:
        self.chromium = chromium
        self.instance = instance
        self.on_page = on_page
        self.paths: set[str] = set()
        self.names: list[str] = []
        self.complaints: list[str] = []
        self._walks: list[Walk] = []

    def go(self) -> None:
        try:
            self.strangers()
            alice = self.newcomer()
            self.first_signature(alice)
            self.envelopes(alice)
            self.account(alice)
            self.recovery(alice)
            self.ends(alice)
        finally:
            for walk in self._walks:
                self.complaints += walk.complaints
                walk.close()

    def newcomer(self) -> Walk:
        walk = Walk(self.chromium, self.instance.base_url, mail=self.instance.mailbox, reduced_motion="reduce")
        walk.on_page = lambda name: self.look(walk, name)
        self._walks.append(walk)
        return walk

    def look(self, walk: Walk, name: str) -> None:
        walk.page.wait_for_load_state()
        self.paths.add(urlsplit(walk.page.url).path)
        self.names.append(name)
        self.on_page(walk, name)

    def see(self, walk: Walk, path: str, name: str) -> None:
        walk.open(path)
        self.look(walk, name)

    def mailed(self, person: Person, path: str) -> str:
        """The newest link of this kind that was mailed to somebody; each once. Raises `NoLetterError`."""
        return self.instance.mailbox.await_link(person.email, path)

    def strangers(self) -> None:
        """What is shown to somebody who is not logged in, and what is refused."""
        walk = self.newcomer()
        for path, name in (
            ("/logged-out", "logged-out"),
            ("/authz/logged-out", "authz-logged-out"),
            ("/no-such-page", "not-found"),
            ("/pki/", "trust"),
            ("/invitations/x", "invitation-unknown"),
            ("/start/x", "direct-link-unknown"),
            ("/authz/password/x", "link-over"),
        ):
            self.see(walk, path, name)
        walk.open("/authz/signup")
        walk.press("Continue to your passkey")
        expect(walk.page.locator(".error-summary")).to_be_visible()
        self.look(walk, "sign-up-refused")
        walk.open("/authz/login")
        walk.page.get_by_label("E-mail address").fill("nobody@tour.example")
        walk.page.locator('input[name="password"]').fill("not this one")
        walk.press("Continue")
        expect(walk.page.get_by_text("That did not match.")).to_be_visible()
        self.look(walk, "login-refused")

    def first_signature(self, alice: Walk) -> None:
        alice.sign_up(ALICE)
        alice.get_certificate(ALICE)
        alice.upload(SAMPLE)
        address = alice.page.url
        alice.read()
        alice.prepare()
        alice.go_to_approval()
        alice.approve(Person(ALICE.name, ALICE.email, "not this one"))
        expect(alice.page.get_by_role("alert")).to_contain_text("That did not match")
        self.look(alice, "consent-refused")
        alice.press("Decline")
        alice.await_heading("You declined")
        self.look(alice, "stopped")
        alice.page.goto(address)
        if alice.page.locator('#panel-action button[form="prepare"]').count():
            alice.page.locator('#panel-action button[form="prepare"]').click()
        alice.page.locator('#panel-action form[action$="/approve"] button').click()
        alice.await_heading("You are about to sign 1 document")
        alice.approve(ALICE)
        alice.await_signed()
        alice.upload(SAMPLE)
        again = urlsplit(alice.page.url).path
        self.see(alice, f"{again}/delete", "delete-document")
        self.see(alice, "/documents", "documents-list")
        self.see(alice, "/batches/new", "new-batch")
        alice.press("Prepare the chosen documents")
        alice.page.wait_for_url("**/batches/*-*")
        self.look(alice, "batch")

    def draft(self, alice: Walk, title: str, people: list[tuple[Person, str]]) -> None:
        alice.open("/envelopes/new")
        alice.page.set_input_files('input[type="file"]', SAMPLE)
        alice.press("Upload and go on")
        for number, (person, role) in enumerate(people, 1):
            alice.page.get_by_label("Name", exact=True).fill(person.name)
            alice.page.get_by_label("E-mail address").fill(person.email)
            alice.page.get_by_label("Role").select_option(role)
            alice.page.get_by_label("Order").fill(str(number))
            alice.press("Add this person")
            expect(alice.page.get_by_text(person.email)).to_be_visible()
        alice.page.get_by_label("Title").fill(title)
        alice.page.get_by_label("Message").fill("Please read page two with care, and sign by Friday.")

    def send(self, alice: Walk, title: str, people: list[tuple[Person, str]]) -> str:
        self.draft(alice, title, people)
        alice.page.locator('button[type="submit"]', has_text="Send to").click()
        alice.await_heading(title)
        return alice.page.url.split("#")[0]

    def envelopes(self, alice: Walk) -> None:
        self.see(alice, "/envelopes", "envelopes-none")
        self.see(alice, "/envelopes/new", "new-envelope")
        self.draft(alice, "Lease, as a draft", [(BOB, "signer")])
        self.look(alice, "envelope-draft")
        self.preparing(alice, urlsplit(alice.page.url).path.removesuffix("/edit"))
        sent = self.send(alice, "Lease, waiting", [(BOB, "signer"), (MALLORY, "approver")])
        self.look(alice, "envelope-sent")
        link = self.mailed(BOB, "/invitations/")
        self.see(alice, f"{urlsplit(sent).path}/cancel", "envelope-cancel")
        alice.page.goto(link)
        self.look(alice, "invitation-of-another")
        bob = self.newcomer()
        self.take_up(bob, link)
        self.look(bob, "envelope-to-sign")
        self.see(bob, f"{urlsplit(sent).path}/decline", "envelope-decline")
        self.see(bob, f"{urlsplit(sent).path}/delegate", "envelope-delegate")
        self.see(bob, "/envelopes", "envelopes-waiting")
        self.see(bob, f"{urlsplit(sent).path}/sign", "sign-envelope")
        bob.page.goto(sent)
        bob.page.get_by_role("link", name="Read and sign").click()
        bob.page.wait_for_selector(".reader__paper canvas")
        self.look(bob, "envelope-reader")
        self.declined_and_others(alice, bob)

    def direct_link(self, alice: Walk) -> None:
        alice.press("Direct link")
        alice.await_heading("Direct link")
        self.look(alice, "direct-link-none")
        alice.press("Make the link")
        expect(alice.page.get_by_label("Address")).to_be_visible()
        self.look(alice, "direct-link")
        somebody = self.newcomer()
        somebody.page.goto(alice.page.get_by_label("Address").input_value())
        self.look(somebody, "start")
        somebody.page.get_by_label("Your name").fill(MALLORY.name)
        somebody.page.get_by_label("Your e-mail address").fill(MALLORY.email)
        somebody.press("Send me the document")
        somebody.await_heading("Look at your mail")
        self.look(somebody, "started")
        somebody.page.context.close()
        alice.press("Templates")
        alice.await_heading("Templates")

    def preparing(self, alice: Walk, draft: str) -> None:
        """What can be made of a draft before it is sent."""
        alice.page.locator('a[href$="/fields"]').first.click()
        alice.page.wait_for_selector(".reader__paper canvas")
        alice.page.locator(".palette__kind").first.click()
        self.look(alice, "place-fields")
        expect(alice.page.locator("[data-saving]")).to_have_text("Saved")
        self.see(alice, f"{draft}/template", "save-template")
        alice.press("Save the template")
        alice.await_heading("Templates")
        self.look(alice, "templates")
        self.direct_link(alice)
        alice.page.locator("a[data-opens^='delete-']").click()
        self.look(alice, "templates-dialog")
        alice.press("Keep it")
        deleting = alice.page.locator("a[data-opens^='delete-']").get_attribute("href")
        self.see(alice, str(deleting), "delete-template")
        alice.press("Keep it")
        alice.press("Use it")
        alice.page.wait_for_url("**/use")
        self.look(alice, "use-template")
        self.see(alice, f"{draft}/list", "new-list")
        for name, told, lines in (
            ("list-refused", "faults-title", "Bob,\r\n"),
            ("list", "what-title", f"{BOB.name},{BOB.email}\r\n"),
        ):
            content = f"name,email\r\n{lines}".encode()
            alice.page.set_input_files(
                'input[type="file"]', {"name": "l.csv", "mimeType": "text/csv", "buffer": content}
            )
            alice.press("Check the list")
            expect(alice.page.locator(f"#{told}")).to_be_visible()
            self.look(alice, name)
        self.see(alice, "/lists", "lists")
        self.look_of(alice)

    def look_of(self, alice: Walk) -> None:
        """A signature that is made, and asked about before it is deleted."""
        self.see(alice, "/account/signature", "signature")
        made = alice.page.locator("#signature form[data-look]")
        made.locator('[name="style"][value="typed"]').check(force=True)
        self.look(alice, "signature-typed")
        alice.press("Keep this signature")
        expect(alice.page.get_by_role("img", name="Your signature", exact=True)).to_be_visible()
        self.look(alice, "signature-kept")
        deleting = alice.page.get_by_role("link", name="Delete the signature")
        address = str(deleting.get_attribute("href"))
        deleting.press("Enter")
        expect(alice.page.get_by_role("button", name="Keep it")).to_be_focused()
        self.look(alice, "signature-dialog")
        alice.page.keyboard.press("Escape")
        expect(deleting).to_be_focused()
        self.see(alice, address, "delete-signature")
        alice.press("Delete the signature")
        expect(alice.page.get_by_text("Your signature is deleted.")).to_be_visible()
        self.look(alice, "signature-deleted")

    def take_up(self, bob: Walk, link: str) -> None:
        """From the mailed link, by sign-up and the confirmed address, to the envelope."""
        bob.page.goto(link)
        bob.await_heading("Documents wait for you")
        self.look(bob, "invitation")
        bob.press("Create your account")
        bob.await_heading("Create your account")
        bob.page.get_by_label("Your name").fill(BOB.name)
        bob.page.get_by_label("E-mail address").fill(BOB.email)
        bob.page.locator('input[name="password"]').fill(BOB.password)
        bob.press("Continue to your passkey")
        bob.await_heading("Add your passkey")
        bob.press("Add a passkey")
        bob.await_heading("Confirm your address first")
        self.look(bob, "invitation-unconfirmed")
        bob.page.goto(self.mailed(BOB, "/authz/address/"))
        bob.await_heading("Confirm your address")
        self.look(bob, "confirm-own-address")
        bob.press("Confirm the address")
        bob.await_heading("Passkeys")
        bob.page.goto(link)

    def declined_and_others(self, alice: Walk, bob: Walk) -> None:
        expired = self.send(alice, "Lease, expired", [(MALLORY, "signer")])
        done = self.send(alice, "Lease, done", [(BOB, "approver")])
        bob.page.goto(self.mailed(BOB, "/invitations/"))
        self.look(bob, "envelope-to-approve")
        bob.press("Approve these documents")
        expect(bob.page.get_by_text("Your approval is written down.")).to_be_visible()
        alice.page.goto(done)
        self.look(alice, "envelope-done")
        declined = self.send(alice, "Lease, declined", [(BOB, "approver")])
        bob.page.goto(self.mailed(BOB, "/invitations/"))
        bob.press("Decline")
        bob.page.locator('textarea, input[name="reason"]').first.fill("Page two names another house.")
        bob.page.locator("main").get_by_role("button", name="Decline").click()
        expect(bob.page.get_by_text("The sender is told why.")).to_be_visible()
        alice.page.goto(declined)
        self.look(alice, "envelope-declined")
        self.instance.manage("shell", "--no-imports", "-c", _EXPIRE, capture=True)
        alice.page.goto(expired)
        self.look(alice, "envelope-expired")
        for show in ("others", "done", "ended", "drafts", "bin"):
            self.see(alice, f"/envelopes?show={show}", f"envelopes-{show}")
        alice.open("/envelopes?show=others")
        alice.page.get_by_role("checkbox").nth(1).check()
        alice.press("Cancel")
        alice.await_heading("Cancel")
        self.look(alice, "envelopes-cancel")

    def account(self, alice: Walk) -> None:
        for path, name in (("/account/export", "export"), ("/account/leave", "leave"), ("/account", "account")):
            self.see(alice, path, name)
        self.see(alice, "/authz/passkeys", "passkeys-one")
        alice.press("Add a passkey")
        alice.await_heading("Add a passkey")
        self.look(alice, "add-passkey")
        alice.page.get_by_label("Name").fill("Blue key")
        (first,) = alice.device.passkeys()
        alice.device.clear()
        alice.press("Add a passkey")
        expect(alice.page.get_by_role("heading", name="Blue key")).to_be_visible()
        self.look(alice, "passkeys-two")
        alice.device.clear()
        alice.device.add(first)
        alice.open("/account")
        alice.page.locator("summary", has_text="Passkeys that sign with it").click()
        alice.press("Let another passkey sign")
        alice.await_heading("You are about to let another passkey sign")
        self.look(alice, "bind-passkey")
        self.ask_out_of_band(alice)
        for path, name in (("/authz/sessions", "sessions"), ("/authz/password", "change-password")):
            self.see(alice, path, name)
        alice.press("Change the password")
        expect(alice.page.locator(".error-summary")).to_be_visible()
        self.look(alice, "change-password-refused")
        self.see(alice, "/authz/address/change", "change-address")
        alice.page.get_by_label("New e-mail address").fill("alice@elsewhere.example")
        alice.page.locator('input[name="password"]').fill(ALICE.password)
        alice.press("Send the link")
        expect(alice.page.get_by_text("A link is on its way to the new address.")).to_be_visible()
        elsewhere = Person(ALICE.name, "alice@elsewhere.example", ALICE.password)
        alice.page.goto(self.mailed(elsewhere, "/authz/address/change/"))
        self.look(alice, "confirm-address")
        alice.press("Change the address")
        expect(alice.page.get_by_text("Your account has its new address.")).to_be_visible()
        alice.page.goto(self.mailed(ALICE, "/authz/address/undo/"))
        self.look(alice, "undo-address")
        self.ask_for_access(alice)

    def ask_out_of_band(self, alice: Walk) -> None:
        """An application asks by the signing service, and what it asks waits on the approvals' page."""
        self.see(alice, "/authz/approvals", "approvals-none")
        code = f"from authz.models import User; print(User.objects.get(email={ALICE.email!r}).sub)"
        sub = self.instance.manage("shell", "--no-imports", "-c", code, capture=True).strip()
        client = json.loads(
            self.instance.manage("create_client", "Order desk", "--redirect-uri", "https://o.example/", capture=True)
        )
        detail = {
            "type": "credential",
            "credentialID": "credential-1",
            "hashAlgorithmOID": "2.16.840.1.101.3.4.2.1",
            "documentDigests": [{"hash": "3q2+796tvu/erb7v3q2+796tvu/erb7v3q2+796tvu8=", "label": "Order 77, March"}],
            "credentialLabel": "Alice Traveller, ECDSA P-256",
            "onBehalfOf": client["client_id"],
        }
        form: dict[str, str | float | bool] = {
            "client_id": "paraph-rssp",
            "client_secret": (self.instance.var_dir / "secrets" / "rssp_client_secret").read_text().strip(),
            "scope": "credential",
            "login_hint": sub,
            "authorization_details": json.dumps([detail]),
            "binding_message": "Order desk: 4711",
        }
        answer = alice.context.request.post(f"{self.instance.base_url}/authz/oauth2/bc-authorize", form=form)
        if not answer.ok:
            raise WalkError(f"The application's question is refused: {answer.text()}")
        self.see(alice, "/authz/approvals", "approvals-waiting")
        alice.page.get_by_role("link", name="Read and answer").first.click()
        alice.await_heading("You are about to sign 1 document")
        self.look(alice, "approval")

    def ask_for_access(self, alice: Walk) -> None:
        asked = {
            "client_id": "paraph-cli",
            "redirect_uri": "http://127.0.0.1:8401/callback",
            "response_type": "code",
            "scope": "service",
            "state": "x",
            "code_challenge": _CHALLENGE,
            "code_challenge_method": "S256",
        }
        self.see(alice, f"/authz/oauth2/authorize?{urlencode(asked)}", "access")

    def recovery(self, alice: Walk) -> None:
        self.see(alice, "/authz/recovery-codes", "make-codes")
        alice.press("Make new codes")
        alice.await_heading("Your recovery codes")
        self.look(alice, "codes")
        code = alice.page.locator(".codes li").first.inner_text()
        elsewhere = self.newcomer()
        self.see(elsewhere, "/authz/forgotten", "forgotten")
        elsewhere.page.get_by_label("E-mail address").fill("alice@elsewhere.example")
        elsewhere.press("Send me a link")
        elsewhere.await_heading("Look at your mail")
        self.look(elsewhere, "forgotten-sent")
        person = Person(ALICE.name, "alice@elsewhere.example", ALICE.password)
        elsewhere.page.goto(self.mailed(person, "/authz/password/"))
        self.look(elsewhere, "reset-password")
        elsewhere.open("/authz/login")
        elsewhere.page.get_by_label("E-mail address").fill(person.email)
        elsewhere.page.locator('input[name="password"]').fill(person.password)
        elsewhere.press("Continue")
        elsewhere.await_heading("Use your passkey")
        self.look(elsewhere, "login-passkey")
        elsewhere.press("I have no passkey at hand: use a recovery code")
        elsewhere.await_heading("Use a recovery code")
        self.look(elsewhere, "use-code")
        elsewhere.page.get_by_label("Recovery code").fill(code)
        elsewhere.press("Continue to a new passkey")
        elsewhere.await_heading("Add a new passkey")
        self.look(elsewhere, "recovery-passkey")

    def ends(self, alice: Walk) -> None:
        operator = ("--email", "operator@tour.example", "--name", "Demo Operator")
        walk = self.newcomer()
        walk.page.goto(self.instance.manage("create_operator", *operator, capture=True).strip())
        walk.await_heading("Set your password")
        self.look(walk, "operator-invited")
        self.administration(walk)
        self.see(alice, "/authz/oauth2/logout", "log-out")

    def administration(self, operator: Walk) -> None:
        """What an operator sets without code, and what is refused there."""
        operator.page.locator('input[name="password"]').fill("eight ropes on the landing")
        operator.press("Continue to your passkey")
        operator.await_heading("Add your passkey")
        operator.press("Add a passkey")
        operator.page.wait_for_url("**/admin/")
        self.look(operator, "admin")
        for name, path, wrong in (
            ("limits", "/admin/signapp/limits/", {"envelope_documents": "201", "keep_days": "36501"}),
            ("appearance", "/admin/config/appearance/", {"name": "Acme <Sign>", "accent": "#ffcc00"}),
        ):
            self.see(operator, path, f"admin-{name}")
            for field, value in wrong.items():
                operator.page.locator(f'[name="{field}"]').fill(value)
            operator.press("Save")
            expect(operator.page.locator(".errorlist").first).to_be_visible()
            self.look(operator, f"admin-{name}-refused")
        self.see(operator, "/admin/authz/application/", "admin-clients")
        operator.page.get_by_role("link", name="Order desk").first.click()
        operator.page.wait_for_url("**/change/**")
        self.look(operator, "admin-client")

    def by_link(self) -> None:
        """For an instance with SIGN_UP_BY_LINK."""
        walk = self.newcomer()
        self.see(walk, "/authz/signup", "sign-up-by-link")
        person = Person("Carol Traveller", "carol@tour.example", "four bells beyond the hill")
        walk.page.get_by_label("E-mail address").fill(person.email)
        walk.page.locator('main button[type="submit"]').click()
        walk.await_heading("Look at your mail")
        self.look(walk, "sign-up-sent")
        walk.page.goto(self.mailed(person, "/authz/signup/"))
        self.look(walk, "sign-up-linked")
        walk.close()
        self._walks.remove(walk)

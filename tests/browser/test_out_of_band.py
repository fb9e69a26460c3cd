"""An approval out of band in Chromium: found on the account's page and by the mailed link, read, approved, declined."""

import base64
import json
import secrets
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from scripts.instance import Instance
from scripts.walk import DESKTOP, PHONE, Person, Walk, open_chromium

pytestmark = [pytest.mark.browser, pytest.mark.instance, pytest.mark.xdist_group("people")]
ALICE = Person("Alice Example", "alice@example.org", "seven herons over the canal")


@pytest.fixture(scope="module")
def instance(people_instance: Instance) -> Instance:
    return people_instance


@pytest.fixture(scope="module")
def alice(instance: Instance) -> Iterator[Walk]:
    with open_chromium() as chromium:
        walk = Walk(chromium, instance.base_url)
        walk.sign_up(ALICE)
        yield walk
        walk.close()


class Service:
    """The signing service as authz sees it, asking for a client that somebody registered."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        secret = (instance.var_dir / "secrets" / "rssp_client_secret").read_text().strip()
        self.http = httpx.Client(timeout=60, trust_env=False, auth=("paraph-rssp", secret))
        told = json.loads(
            instance.manage("create_client", "Order desk", "--redirect-uri", "https://orders.example/cb", capture=True)
        )
        self.client_id = told["client_id"]

    def ask(self, sub: str) -> str:
        digest = sha256(secrets.token_bytes(8)).digest()
        detail = {
            "type": "credential",
            "credentialID": "credential-1",
            "hashAlgorithmOID": "2.16.840.1.101.3.4.2.1",
            "documentDigests": [{"hash": base64.b64encode(digest).decode(), "label": "Order 77, March delivery"}],
            "credentialLabel": "Alice Example, ECDSA P-256",
            "onBehalfOf": self.client_id,
        }
        form = {
            "scope": "credential",
            "login_hint": sub,
            "authorization_details": json.dumps([detail]),
            "binding_message": "Order desk: 4711",
        }
        answer = self.http.post(f"{self.instance.base_url}/authz/oauth2/bc-authorize", data=form)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["auth_req_id"])

    def poll(self, auth_req_id: str) -> Any:
        form = {"grant_type": "urn:openid:params:grant-type:ciba", "auth_req_id": auth_req_id}
        return self.http.post(f"{self.instance.base_url}/authz/oauth2/token", data=form).json()


@pytest.fixture(scope="module")
def service(instance: Instance) -> Service:
    return Service(instance)


def sub_of(instance: Instance) -> str:
    code = "from authz.models import User; print(User.objects.get(email='alice@example.org').sub)"
    return instance.manage("shell", "--no-imports", "-c", code, capture=True).strip()


def fits_the_screen(walk: Walk, pictures: Path, name: str) -> None:
    for size, width in ((PHONE, "phone"), (DESKTOP, "desktop")):
        walk.page.set_viewport_size(size)
        assert walk.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (name, width)
        walk.page.screenshot(path=pictures / f"{name}-{width}.png", full_page=True)


def test_the_address_is_confirmed_by_the_mailed_link_and_approvals_are_answered(
    instance: Instance, alice: Walk, service: Service, tmp_path: Path
) -> None:
    alice.open("/authz/passkeys")
    expect(alice.page.get_by_text("Not confirmed")).to_be_visible()
    fits_the_screen(alice, tmp_path, "account")
    alice.page.goto(instance.mailbox.await_link(ALICE.email, "/authz/address/"))
    alice.await_heading("Confirm your address")
    fits_the_screen(alice, tmp_path, "address")
    alice.press("Confirm the address")
    alice.await_heading("Passkeys")
    expect(alice.page.get_by_text("Not confirmed")).to_have_count(0)
    alice.open("/authz/approvals")
    expect(alice.page.get_by_text("Nothing waits for your approval.")).to_be_visible()
    sub = sub_of(instance)
    approved = service.ask(sub)
    instance.mailbox.await_link(ALICE.email, "/authz/approvals/")
    declined = service.ask(sub)
    mailed = instance.mailbox.await_link(ALICE.email, "/authz/approvals/")
    assert service.poll(approved)["error"] == "authorization_pending"
    alice.open("/authz/approvals")
    expect(alice.page.get_by_role("heading", level=2)).to_have_count(2)
    fits_the_screen(alice, tmp_path, "approvals")
    alice.page.get_by_role("link", name="Read and answer").first.click()
    alice.await_heading("You are about to sign 1 document")
    for words in ("Order desk asks for your approval", "Order 77, March delivery", "Order desk: 4711"):
        expect(alice.page.get_by_text(words)).to_be_visible()
    fits_the_screen(alice, tmp_path, "approve")
    alice.approve(ALICE)
    alice.await_heading("Approvals")
    expect(alice.page.get_by_text("Approved. The application goes on by itself")).to_be_visible()
    token = service.poll(approved)
    assert token["scope"] == "credential"
    assert service.poll(approved)["error"] == "invalid_grant"
    alice.page.goto(mailed)
    alice.await_heading("You are about to sign 1 document")
    alice.press("Decline")
    alice.await_heading("Approvals")
    assert service.poll(declined)["error"] == "access_denied"
    alice.page.goto(mailed)
    alice.await_heading("This request is over")
    assert [text for text in alice.complaints if "status of 400" not in text] == []

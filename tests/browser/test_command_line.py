"""The command line against a whole instance: its own process, a real browser for its person, a signed file."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from scripts.demo import SAMPLE, verify
from scripts.instance import ROOT, Instance
from scripts.walk import DESKTOP, PHONE, Person, Walk, open_chromium

pytestmark = [pytest.mark.browser, pytest.mark.instance, pytest.mark.xdist_group("people")]
ALICE = Person("Alice Example", "alice.at.home@example.org", "seven herons over the canal")


@pytest.fixture(scope="module")
def alice(people_instance: Instance) -> Iterator[Walk]:
    """Logged in, with a certificate."""
    with open_chromium() as chromium:
        walk = Walk(chromium, people_instance.base_url, reduced_motion="reduce")
        walk.sign_up(ALICE)
        walk.get_certificate(ALICE)
        yield walk
        walk.close()


class Program:
    """The command, and the addresses that it would open."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""

    def address(self) -> str:
        """The next one."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line
            if line.strip().startswith("http"):
                return line.strip()
        raise AssertionError(self.said)

    def end(self) -> int:
        assert self.process.stderr is not None
        self.said += self.process.stderr.read()
        return self.process.wait(timeout=60)


@contextmanager
def run(instance: Instance, *arguments: str) -> Iterator[Program]:
    command = [sys.executable, "-m", "paraph_client", "--server", instance.base_url, "--no-browser", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        try:
            yield Program(process)
        finally:
            process.kill()


def allow(walk: Walk, address: str) -> None:
    walk.page.goto(address)
    walk.await_heading("asks for access")
    expect(walk.page.get_by_role("heading", level=1)).to_contain_text("Paraph on the command line")
    walk.press("Allow access")
    expect(walk.page.locator("body")).to_contain_text("You can close this window")


def picture(walk: Walk, name: str) -> None:
    """For whoever asks for pictures."""
    if folder := os.environ.get("PICTURES"):
        for size, width in ((PHONE, "phone"), (DESKTOP, "desktop")):
            for scheme in ("light", "dark"):
                walk.page.emulate_media(color_scheme=scheme)
                walk.page.set_viewport_size(size)
                walk.page.screenshot(path=Path(folder) / f"{name}-{width}-{scheme}.png", full_page=True)
        walk.page.emulate_media(color_scheme="light")


def test_a_file_is_signed_from_the_command_line(people_instance: Instance, alice: Walk, tmp_path: Path) -> None:
    document = tmp_path / "lease.pdf"
    document.write_bytes(SAMPLE.read_bytes())
    with run(people_instance, "sign", str(document), "--reason", "I agree", "--level", "B-T") as program:
        allow(alice, program.address())
        alice.page.goto(program.address())
        alice.await_heading("You are about to sign 1 document")
        assert alice.page.locator(".document .fingerprint__value").inner_text().split() == program.said.split()[-9:-1]
        alice.approve(ALICE)
        alice.await_heading("Approved")
        picture(alice, "returned")
        assert program.end() == 0, program.said
    signed = tmp_path / "lease.signed.pdf"
    assert f"Signed (B-T): {signed}" in program.said
    assert document.read_bytes() == SAMPLE.read_bytes()
    root = httpx.get(f"{people_instance.base_url}/pki/root.pem", trust_env=False, timeout=60).content
    with ThreadPoolExecutor(1) as apart:  # Playwright's loop runs in this thread, and pyHanko wants one of its own
        assert len(apart.submit(lambda: list(verify(SAMPLE.read_bytes(), signed, root))).result()) == 6
    assert alice.complaints == []


def test_who_declines_in_the_browser_ends_the_command(people_instance: Instance, alice: Walk, tmp_path: Path) -> None:
    document = tmp_path / "lease.pdf"
    document.write_bytes(SAMPLE.read_bytes())
    with run(people_instance, "sign", str(document)) as program:
        allow(alice, program.address())
        alice.page.goto(program.address())
        alice.await_heading("You are about to sign 1 document")
        alice.press("Decline")
        alice.await_heading("You declined")
        picture(alice, "declined")
        assert program.end() == 1
    assert "denied" in program.said
    assert list(tmp_path.iterdir()) == [document]


def test_who_allows_no_access_is_not_logged_in(people_instance: Instance, alice: Walk) -> None:
    with run(people_instance, "credentials") as program:
        alice.page.goto(program.address())
        alice.await_heading("asks for access")
        alice.press("Decline")
        expect(alice.page.locator("body")).to_contain_text("You can close this window")
        assert program.end() == 1
    assert "Access was declined" in program.said


def test_the_apis_page(people_instance: Instance, alice: Walk) -> None:
    alice.open("/gateway/v1")
    alice.await_heading("Signing API")
    picture(alice, "api")
    alice.page.set_viewport_size(PHONE)
    wide = alice.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    alice.page.set_viewport_size(DESKTOP)
    assert alice.complaints == []

"""The whole chain without authz: signapp, gateway and rssp, with people of a provider that is not ours (npm's
oidc-provider, run as a process)."""

import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from scripts.instance import Instance, free_port
from scripts.walk import open_chromium
from tests.flows.verdicts import read_root, verify
from tests.support.pdfs import make_pdf
from tests.support.provider import Provider, start_provider
from tests.support.provider.walk import FederatedWalker

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("flows-external")]


@dataclass(frozen=True)
class Federation:
    """An installation without authz, and the provider in its place."""

    instance: Instance
    provider: Provider

    def walker(self, name: str) -> FederatedWalker:
        return FederatedWalker(name, signapp=self.instance.base_url, provider=self.provider)

    def give_credential(self, subject: str) -> str:
        """As an operator does."""
        told = ("--subject", subject, "--common-name", f"{subject.title()} Example", "--reason", "asked for by letter")
        return self.instance.manage("create_external_credential", *told, capture=True).strip()

    def audit(self, credential_id: str) -> list[tuple[str, str, str]]:
        """What became of each signature with the credential: result, factors, kind of the activation."""
        sql = (
            "SELECT DISTINCT e.result, a.factors, a.kind FROM rssp_auditevent e, rssp_activation a "
            "JOIN rssp_credential c ON a.credential_id = c.id "
            "WHERE e.action = 'sign' AND e.credential_id = c.credential_id AND c.credential_id = ?"
        )
        with closing(sqlite3.connect(self.instance.var_dir / "rssp.sqlite3", timeout=60)) as connection:
            return connection.execute(sql, [credential_id]).fetchall()


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    port, secret = free_port(), secrets.token_urlsafe(32)
    base = f"http://localhost:{port}"
    people = {
        name: {"name": f"{name.title()} Example", "email": f"{name}@example.org", "email_verified": name != "mallory"}
        for name in ("alice", "bob", "carol", "mallory")
    }
    ours = {"gateway": f"{base}/gateway", "signapp": base, "people": people}
    with start_provider(resource=f"{base}/csc", secret=secret, **ours) as provider:
        settings = {
            "EXTERNAL_ISSUER": provider.issuer,
            "KEY_POOL": "",
            **{f"{role}_CLIENT_SECRET": secret for role in ("SIGNAPP", "GATEWAY", "RSSP")},
        }
        folder = tmp_path_factory.mktemp("external")
        with Instance(folder, port, "signapp,gateway,rssp", settings) as instance:
            instance.start()
            yield Federation(instance, provider)


@pytest.fixture(scope="module")
def alice(federation: Federation) -> Iterator[FederatedWalker]:
    with federation.walker("Alice") as walker:
        walker.log_in()
        yield walker


@pytest.fixture(scope="module")
def credential(federation: Federation, alice: FederatedWalker) -> str:
    before = alice.open("/account").text
    assert alice.subject in before
    assert "An operator makes it" in before
    return federation.give_credential(alice.subject)


def test_a_user_of_the_provider_signs_a_document(
    federation: Federation, alice: FederatedWalker, credential: str, tmp_path: Path
) -> None:
    original = make_pdf(pages=3)
    result = alice.sign(original, reason="I agree")
    reader = verify(result, original=original, root=read_root(federation.instance.base_url), folder=tmp_path)
    assert reader.embedded_signatures[0].sig_object["/Reason"] == "I agree"
    assert federation.audit(credential) == [("signed", "a token of another provider", "external")]


@pytest.mark.browser
def test_chromium_follows_our_forms_to_the_provider_and_back(
    federation: Federation, credential: str, tmp_path: Path
) -> None:
    """The content security policy lets it, which no client but a browser minds."""
    (tmp_path / "Lease.pdf").write_bytes(make_pdf())
    base, provider = federation.instance.base_url, federation.provider.issuer
    with open_chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(120_000)

        def pass_provider() -> None:
            page.wait_for_url(f"{provider}/**")
            page.fill("input[name=login]", "alice")
            page.fill("input[name=password]", "-")
            page.locator("button[type=submit]").click()
            page.locator("input[name=prompt][value=consent]").wait_for(state="attached")
            page.locator("button[type=submit]").click()
            page.wait_for_url(f"{base}/**")

        page.goto(f"{base}/login?next=/documents")
        pass_provider()
        page.set_input_files("input[type=file]", tmp_path / "Lease.pdf")
        page.get_by_role("button", name="Upload", exact=True).click()
        page.get_by_role("button", name="Prepare to sign").click()
        page.get_by_role("button", name="Continue to approval").click()
        pass_provider()
        page.get_by_text("This document is signed").wait_for()
        page.goto(f"{base}/account")
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url(f"{provider}/session/end**")


def test_no_page_leads_to_what_authz_alone_has(federation: Federation, alice: FederatedWalker, credential: str) -> None:
    with httpx.Client(base_url=federation.instance.base_url, timeout=60) as stranger:
        home = stranger.get("/")
    pages = [home, *(alice.open(path) for path in ("/documents", "/account", "/envelopes", "/certificates/new"))]
    assert urlsplit(str(pages[-1].url)).path == "/account"
    for page in pages:
        links = [urlsplit(link) for link in re.findall(r'(?:href|action)="([^"#]+)"', page.text)]
        assert not [link.path for link in links if link.path in {"/signup", "/certificates/new", "/account/passkeys"}]
        assert {link.netloc for link in links} <= {"", urlsplit(federation.instance.base_url).netloc}
        assert "passkey" not in page.text.replace("#passkey", "").lower()
    assert httpx.get(f"{federation.instance.base_url}/admin/login/", timeout=60).status_code == 403


def test_who_has_no_credential_signs_nothing(federation: Federation, credential: str) -> None:
    with federation.walker("Bob") as bob:
        bob.log_in()
        page = bob.open(bob.upload(make_pdf()))
        assert "An operator makes it for you" in page.text
        assert 'href="/account"' in page.text
        refused = bob.http.post(
            f"{page.url}/prepare",
            data={"csrfmiddlewaretoken": bob.token_of(page), "credential_id": credential},
            headers={"Origin": bob.signapp},
        )
        assert refused.status_code == 422


def _state(federation: Federation, walker: FederatedWalker, path: str, location: str) -> tuple[str, str]:
    """What the page says of an answer, and what became of the document."""
    page = walker.open(location)
    found = re.search(r'alert__code">([a-z_]+)[ <]', page.text)
    return (found[1] if found else "", walker.state(path))


def _changed(location: str, **changes: str | None) -> str:
    parts = urlsplit(location)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()} | changes
    return parts._replace(query=urlencode({name: value for name, value in query.items() if value is not None})).geturl()


def test_an_answer_counts_in_its_own_browser_for_its_own_document_alone(
    federation: Federation, alice: FederatedWalker, credential: str
) -> None:
    path, other = alice.prepared(make_pdf(pages=1)), alice.prepared(make_pdf(pages=2))
    answer, another = alice.answer(path), alice.answer(other)
    assert _state(federation, alice, path, _changed(answer, state=None)) == ("approval_stale", "approving")
    assert _state(federation, alice, path, _changed(answer, iss="https://evil.example")) == (
        "approval_not_verified",
        "approving",
    )
    assert _state(federation, alice, path, _changed(answer, iss=None)) == ("approval_not_verified", "approving")
    with federation.walker("Bob") as bob:
        bob.log_in()
        assert "approval_stale" in bob.open(answer).text
    # Of another request, that only the other document's verifier redeems: it ends both.
    code = parse_qs(urlsplit(another).query)["code"][0]
    assert _state(federation, alice, path, _changed(answer, code=code)) == ("approval_expired", "prepared")
    # The right one, after all; and a second time it signs nothing.
    again = alice.answer(path)
    alice.open(again)
    assert alice.wait(path) == "signed"
    alice.open(again)
    assert len(federation.audit(credential)) == 1


def test_another_persons_login_approves_nothing(
    federation: Federation, alice: FederatedWalker, credential: str
) -> None:
    path = alice.prepared(make_pdf())
    # The provider ends Alice's session for Bob's, and tells: here it is Bob's browser now, and Bob asked for nothing.
    page = alice.pass_provider(alice.begin_approval(path), subject="bob")
    assert path not in page.text
    assert "bob@example.org" in alice.open("/account").text
    alice.log_in()
    assert alice.state(path) == "approving"
    stopped = alice.begin_approval(path)
    refused = alice.open(re.findall(r'href="([^"]*abort)"', stopped.text)[0])
    assert "approval_denied" in refused.text


def test_an_address_that_was_not_verified_opens_no_invitation(federation: Federation, alice: FederatedWalker) -> None:
    with federation.walker("Mallory") as mallory:
        mallory.log_in()
        assert "None that the provider has verified" in mallory.open("/account").text


def _end_session(walker: FederatedWalker, page: httpx.Response) -> httpx.Response:
    """Yes, at the provider's page that asks whether to end its session too."""
    assert str(page.url).startswith(walker.provider.issuer)
    action = re.search(r'action="([^"]*)"', page.text)
    assert action is not None
    xsrf = re.findall(r'name="(xsrf)" value="([^"]*)"', page.text)
    return walker.http.post(action[1], data={**dict(xsrf), "logout": "yes"}, follow_redirects=True)


def test_logging_out_ends_the_login_at_the_provider_too(federation: Federation) -> None:
    with federation.walker("Carol") as carol:
        carol.log_in()
        assert str(_end_session(carol, carol.log_out()).url) == f"{carol.signapp}/logged-out"
        # Asked who it is again, although a moment ago nobody was.
        assert "Enter any login" in carol.open("/login").text


def test_a_login_that_ends_at_the_provider_ends_here(federation: Federation) -> None:
    with federation.walker("Carol") as carol, federation.walker("Carol") as elsewhere:
        for browser in (carol, elsewhere):
            browser.log_in()
            assert str(browser.open("/account").url) == f"{browser.signapp}/account"
        _end_session(carol, carol.open(f"{federation.provider.issuer}/session/end"))
        assert "Enter any login" in carol.open("/account").text
        # Another browser's login is another session.
        assert str(elsewhere.open("/account").url) == f"{elsewhere.signapp}/account"


def test_a_provider_that_is_away_has_a_page(federation: Federation, alice: FederatedWalker, credential: str) -> None:
    path = alice.prepared(make_pdf())
    answer = alice.answer(path)
    federation.provider.process.terminate()
    federation.provider.process.wait(60)
    with httpx.Client(base_url=federation.instance.base_url, timeout=60, follow_redirects=True) as stranger:
        away = stranger.get("/login/callback")
        assert away.status_code == 200
        assert "login_stale" in away.text
    # What was begun is not lost: the code was not spent, and the document is as it was.
    page = alice.open(answer)
    assert "does not answer" in page.text
    assert alice.state(path) == "approving"
    assert alice.open("/documents").status_code == 200

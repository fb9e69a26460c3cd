"""A passkey alone: what it opens, what it does not, and what is refused; copied passkeys and policies for new ones."""

import json
from typing import Any

import cbor2
import pytest
from django.test import Client

from authz.checks import check_provider
from authz.models import AccessToken, Passkey, SecurityEvent, Throttle, User
from authz.services import passkeys, throttling
from tests.authz.conftest import PASSWORD, SIGNAPP, Flow, Person, Pkce, Server, block, query
from tests.support.authenticator import BE, BS, UP, UV, Authenticator, b64, unb64


def begin(browser: Client) -> dict[str, Any]:
    page = browser.get("/authz/login")
    options: dict[str, Any] = block(page)[0]["options"]
    return options


def finish(browser: Client, answer: dict[str, Any], next_path: str = "/authz/passkeys") -> Any:
    return browser.post(f"/authz/login/by-passkey?next={next_path}", {"response": json.dumps(answer)})


def log_in_by_passkey(person: Person, next_path: str = "/authz/passkeys") -> Any:
    return finish(person.browser, person.key.get(begin(person.browser)), next_path)


def test_a_passkey_alone_opens_the_account_and_nobody_is_named_before(alice: Person) -> None:
    options = begin(alice.browser)
    assert options["allowCredentials"] == []
    assert options["userVerification"] == "required"
    assert begin(Client()).keys() == options.keys()
    before = alice.browser.cookies["paraph_authz"].value
    assert log_in_by_passkey(alice)["Location"] == "/authz/passkeys"
    assert alice.browser.cookies["paraph_authz"].value != before
    assert alice.browser.get("/authz/passkeys").status_code == 200


def test_it_changes_nothing_about_how_the_account_is_entered(alice: Person) -> None:
    log_in_by_passkey(alice)
    for path in ("/authz/passkeys/add", "/authz/password", "/authz/address/change", "/authz/recovery-codes"):
        assert "confirm=1" in alice.browser.get(path)["Location"]
    passkey = Passkey.objects.get()
    assert "confirm=1" in alice.browser.post(f"/authz/passkeys/{passkey.pk}/remove")["Location"]
    page = alice.browser.get("/authz/login?next=/authz/password&confirm=1").content.decode()
    assert "passkey-options" not in page
    assert alice.email in page
    alice.log_in("/authz/password")
    assert alice.browser.get("/authz/password").status_code == 200


def test_it_says_truthfully_how_it_was_and_signs_nothing_without_the_password(
    alice: Person, server: Server, login_code: Any, flow: Flow
) -> None:
    log_in_by_passkey(alice)
    code, pkce = login_code(alice)
    told = server.introspect(server.redeem(code, pkce, SIGNAPP).json()["access_token"])
    assert (told["acr"], told["amr"]) == ("aal2", ["hwk", "user", "mfa"])
    location = flow.open(alice, Pkce())
    for password in ("", "wrong"):
        assert alice.approve(location, password=password).status_code == 422
    assert not AccessToken.objects.filter(scope="credential").exists()
    assert "code" in query(alice.approve(location)["Location"])


def test_it_opens_no_admin(alice: Person) -> None:
    User.objects.filter(email=alice.email).update(is_staff=True, is_superuser=True)
    log_in_by_passkey(alice)
    assert "confirm=1" in alice.browser.get("/admin/", follow=True).redirect_chain[-1][0]
    alice.log_in("/admin/")
    assert alice.browser.get("/admin/").status_code == 200


@pytest.mark.parametrize(
    "how",
    [{"flags": UP}, {"flags": UV}, {"origin": "https://evil.example"}, {"rp_id": "evil.example"}],
    ids=["nobody verified", "nobody present", "origin", "relying party"],
)
def test_an_altered_answer_is_refused(alice: Person, how: dict[str, Any]) -> None:
    answer = alice.key.get(begin(alice.browser), **how)
    assert finish(alice.browser, answer).status_code == 422
    assert alice.browser.get("/authz/passkeys").status_code == 302


def test_every_unknown_passkey_gets_the_same_answer(alice: Person, mallory: Person) -> None:
    unknown = Authenticator(rp_id=alice.key.rp_id, origin=alice.key.origin)
    foreign = alice.key.user_handle
    alice.key.user_handle = mallory.user.sub.bytes  # hers, said to be Mallory's
    pages = []
    for key in (unknown, alice.key):
        refused = finish(alice.browser, key.get(begin(alice.browser)))
        assert refused.status_code == 422
        pages.append(refused.content.decode().split("alert--danger")[1][:400])
    alice.key.user_handle = b""
    assert finish(alice.browser, alice.key.get(begin(alice.browser))).status_code == 422
    alice.key.user_handle = foreign
    User.objects.filter(email=alice.email).update(is_active=False)
    assert finish(alice.browser, alice.key.get(begin(alice.browser))).status_code == 422
    assert pages[0] == pages[1]


def test_its_challenge_is_this_browsers_and_used_once(alice: Person) -> None:
    answer = alice.key.get(begin(alice.browser))
    stranger = Client()
    begin(stranger)
    assert finish(stranger, answer).status_code == 422
    assert finish(alice.browser, answer).status_code == 302
    alice.browser.post("/authz/logout")
    begin(alice.browser)
    assert finish(alice.browser, answer).status_code == 422


def test_it_leads_to_this_origin_only(alice: Person) -> None:
    assert log_in_by_passkey(alice, "https://evil.example/")["Location"] == "/authz/passkeys"


# --- copied passkeys (WebAuthn L3, 7.2, step 22) ------------------------------------------------------------


def test_a_counter_that_does_not_rise_is_refused_told_and_kept(alice: Person, flow: Flow) -> None:
    Passkey.objects.update(sign_count=5)
    alice.key.counts, alice.key.sign_count = True, 5
    alice.log_in()
    location = flow.open(alice, Pkce())
    for count in (6, 3):
        assert alice.approve(location, sign_count=count).status_code == 422
    kept = Passkey.objects.get()
    assert kept.suspected is not None
    assert kept.sign_count == 6
    assert SecurityEvent.objects.filter(user=alice.user, kind="passkey-suspected").count() == 2
    assert "may have been copied" in alice.browser.get("/authz/passkeys").content.decode()
    assert "code" in query(alice.approve(location, sign_count=9)["Location"])


def test_a_passkey_does_not_change_whether_it_may_be_synchronised(alice: Person) -> None:
    alice.log_in()
    key = Authenticator(rp_id=alice.key.rp_id, origin=alice.key.origin)
    page = alice.browser.get("/authz/passkeys/add")
    made = key.create(block(page)[0]["options"], flags=UP | UV | BE | BS)
    alice.browser.post("/authz/passkeys/add", {"response": json.dumps(made), "name": "Cloud"})
    assert Passkey.objects.get(name="Cloud").backed_up
    alice.browser.post("/authz/logout")
    assert finish(alice.browser, key.get(begin(alice.browser), flags=UP | UV)).status_code == 422
    assert finish(alice.browser, key.get(begin(alice.browser), flags=UP | UV | BE)).status_code == 302
    assert not Passkey.objects.get(name="Cloud").backed_up


# --- a policy for new ones ----------------------------------------------------------------------------------

AAGUID = "2fc0579f-8113-47ea-b116-bb5a8db9202a"


def attested(key: Authenticator, options: dict[str, Any], *, with_self_attestation: bool) -> dict[str, Any]:
    """A registration that claims the AAGUID, without a maker's word."""
    from hashlib import sha256
    from uuid import UUID

    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    made = key.create(options)
    statement = cbor2.loads(unb64(made["response"]["attestationObject"]))
    data = statement["authData"]
    statement["authData"] = data[:37] + UUID(AAGUID).bytes + data[53:]
    if with_self_attestation:
        signed = statement["authData"] + sha256(unb64(made["response"]["clientDataJSON"])).digest()
        statement |= {
            "fmt": "packed",
            "attStmt": {"alg": -7, "sig": key.private_key.sign(signed, ec.ECDSA(hashes.SHA256()))},
        }
    made["response"]["attestationObject"] = b64(cbor2.dumps(statement))
    return made


@pytest.mark.parametrize("with_self_attestation", [False, True])
def test_a_claimed_kind_is_not_a_proven_one(alice: Person, settings: Any, with_self_attestation: bool) -> None:
    alice.log_in()
    settings.PASSKEY_AAGUIDS = [AAGUID]
    settings.PASSKEY_ATTESTATION_ROOTS = ""
    key = Authenticator(rp_id=alice.key.rp_id, origin=alice.key.origin)
    options = block(alice.browser.get("/authz/passkeys/add"))[0]["options"]
    assert options["attestation"] == "direct"
    made = attested(key, options, with_self_attestation=with_self_attestation)
    assert alice.browser.post("/authz/passkeys/add", {"response": json.dumps(made)}).status_code == 422
    assert "authz.E005" in {message.id for message in check_provider()}
    settings.PASSKEY_AAGUIDS = []
    assert "authz.E005" not in {message.id for message in check_provider()}
    options = block(alice.browser.get("/authz/passkeys/add"))[0]["options"]
    made = attested(key, options, with_self_attestation=with_self_attestation)
    assert alice.browser.post("/authz/passkeys/add", {"response": json.dumps(made)}).status_code == 302
    assert "YubiKey 5 NFC" in alice.browser.get("/authz/passkeys").content.decode()


def test_a_proven_kind_is_enrolled_and_another_is_not(alice: Person, settings: Any, tmp_path: Any) -> None:
    from tests.authz.attestation import Maker

    maker, other = Maker(), Maker()
    roots = tmp_path / "roots.pem"
    roots.write_bytes(maker.root_pem)
    settings.PASSKEY_AAGUIDS = [AAGUID]
    settings.PASSKEY_ATTESTATION_ROOTS = str(roots)
    passkeys._read_roots.cache_clear()
    alice.log_in()

    def enrol(by: Maker, **how: Any) -> int:
        options = block(alice.browser.get("/authz/passkeys/add"))[0]["options"]
        key = Authenticator(rp_id=alice.key.rp_id, origin=alice.key.origin)
        made = by.attest(key, options, **{"aaguid": AAGUID, **how})
        return int(alice.browser.post("/authz/passkeys/add", {"response": json.dumps(made)}).status_code)

    assert enrol(other) == 422
    assert enrol(maker, aaguid="bada5566-a7aa-401f-bd96-45619a55120d") == 422
    assert enrol(maker, certified="bada5566-a7aa-401f-bd96-45619a55120d") == 422
    assert enrol(maker) == 302


# --- nobody is locked out by a stranger ---------------------------------------------------------------------


def guess(times: int, email: str, address: str, client: Client | None = None) -> list[int]:
    browser = client or Client()
    return [
        browser.post("/authz/login", {"email": email, "password": "wrong"}, REMOTE_ADDR=address).status_code
        for _ in range(times)
    ]


def test_whatever_strangers_try_a_known_browser_gets_in(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttling, "ACCOUNT", throttling.Limit("account", 4))
    alice.log_in()
    alice.browser.post("/authz/logout")
    answers = [code for number in range(6) for code in guess(1, alice.email, f"198.51.100.{number}")]
    assert answers == [422] * 4 + [429] * 2
    # A stranger's browser waits, hers does not; and her own typing is counted too.
    assert Client().post("/authz/login", {"email": alice.email, "password": PASSWORD}).status_code == 429
    assert alice.log_in().status_code == 302
    alice.browser.post("/authz/logout")
    assert guess(11, alice.email, "127.0.0.1", alice.browser)[-1] == 429


def test_somebody_elses_device_cookie_is_worth_nothing(
    alice: Person, mallory: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttling, "ACCOUNT", throttling.Limit("account", 4))
    mallory.log_in()
    mallory.browser.post("/authz/logout")
    assert guess(6, alice.email, "198.51.100.1", mallory.browser)[-1] == 429
    mallory.browser.cookies["paraph_device"] = "x" * 43
    assert guess(1, alice.email, "198.51.100.2", mallory.browser) == [429]


def test_an_approval_is_not_kept_up_by_strangers(alice: Person, flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttling, "ACCOUNT", throttling.Limit("account", 4))
    alice.log_in()
    guess(6, alice.email, "198.51.100.1")
    assert "code" in query(alice.approve(flow.open(alice, Pkce()))["Location"])


def test_one_subscriber_of_ipv6_is_one_address(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttling, "ADDRESS", throttling.Limit("address", 3))
    answers = [code for n in range(4) for code in guess(1, f"n{n}@example.org", f"2001:db8:1:2::{n:x}")]
    assert answers == [422] * 3 + [429]
    assert guess(1, alice.email, "2001:db8:1:3::1") == [422]


def test_unknown_and_known_accounts_are_throttled_and_answered_alike(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttling, "ACCOUNT_AT_ADDRESS", throttling.Limit("account-address", 2))
    pages = []
    for email in (alice.email, "nobody@example.org"):
        browser, seen = Client(), []
        for _ in range(3):
            answer = browser.post("/authz/login", {"email": email, "password": "wrong"})
            body = answer.content.decode().replace(email, "").partition("alert--danger")[2].partition("</form>")[0]
            seen.append((answer.status_code, len(body)))
        pages.append(seen)
    assert pages[0] == pages[1]
    assert Throttle.objects.exists()

"""Password and passkey at login, enrolment and approval: what must not pass."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from authz.models import Consent, Grant, Passkey, Throttle, User
from authz.services import passkeys, throttling
from authz.services.events import Visitor
from tests.authz.conftest import CREATION, PASSWORD, Flow, Person, Pkce, block, hidden, query, signing_details
from tests.support.authenticator import BE, BS, UP, UV, Authenticator, b64, unb64

Answer = dict[str, Any]


def flip(text: str, position: int = -1) -> str:
    raw = bytearray(unb64(text))
    raw[position] ^= 1
    return b64(bytes(raw))


def flipped(member: str, position: int = -1) -> Callable[[Answer], Answer]:
    def change(answer: Answer) -> Answer:
        response = answer["response"] | {member: flip(answer["response"][member], position)}
        return answer | {"response": response}

    return change


def keep(answer: Answer) -> Answer:
    return answer


BAD_ASSERTIONS: list[Any] = [
    pytest.param({"origin": "https://evil.example"}, keep, id="origin"),
    pytest.param({"origin": "http://localhost:8001"}, keep, id="port"),
    pytest.param({"origin": "http://sub.localhost:8000"}, keep, id="subdomain"),
    pytest.param({"rp_id": "evil.example"}, keep, id="relying party"),
    pytest.param({"type_": "webauthn.create"}, keep, id="type"),
    pytest.param({"extra_client_data": {"crossOrigin": True}}, keep, id="cross-origin"),
    pytest.param({"extra_client_data": {"topOrigin": "https://evil.example"}}, keep, id="framed"),
    pytest.param({"flags": UV}, keep, id="nobody present"),
    pytest.param({"flags": UP}, keep, id="nobody verified"),
    pytest.param({"flags": UP | UV | BS}, keep, id="backed up but not eligible"),
    pytest.param({"extra_authenticator_data": b"\xa0"}, keep, id="trailing bytes"),
    pytest.param({}, flipped("signature"), id="signature"),
    pytest.param({}, flipped("authenticatorData"), id="authenticator data"),
    pytest.param({}, flipped("clientDataJSON", -3), id="client data"),
    pytest.param({}, lambda answer: answer | {"type": "password"}, id="not a public key"),
    pytest.param({}, lambda answer: answer | {"id": "AAAA", "rawId": "AAAA"}, id="unknown credential"),
    pytest.param({}, lambda answer: answer | {"id": "AAAA"}, id="two ids"),
    pytest.param({}, lambda _answer: {}, id="empty"),
    pytest.param({}, lambda answer: answer | {"response": None}, id="no response"),
    pytest.param({}, lambda answer: answer | {"padding": "x" * 20_000}, id="too long"),
]
"""Deviations of the authenticator, and what is done to its answer."""


def begin_login(person: Person) -> Any:
    first = person.browser.post("/authz/login", {"email": person.email, "password": PASSWORD})
    assert first["Location"] == "/authz/login/passkey"
    return person.browser.get(first["Location"])


def finish_login(person: Person, answer: Answer) -> Any:
    return person.browser.post("/authz/login/passkey", {"response": json.dumps(answer)})


def is_logged_in(person: Person) -> bool:
    return bool(person.browser.get("/authz/passkeys").status_code == 200)


# --- login --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "change"), BAD_ASSERTIONS)
def test_an_altered_assertion_does_not_log_in(
    alice: Person, how: dict[str, Any], change: Callable[[Answer], Answer]
) -> None:
    page = begin_login(alice)
    refused = finish_login(alice, change(alice.key.get(block(page)[0]["options"], **how)))
    assert refused.status_code == 422
    assert "That did not match" in refused.content.decode()
    assert not is_logged_in(alice)


def test_the_password_alone_opens_nothing(alice: Person, flow: Flow) -> None:
    location = flow.open(alice, Pkce())
    begin_login(alice)
    for path in ("/authz/passkeys", "/authz/passkeys/add", "/authz/sessions", location, "/admin/"):
        assert "/login" in alice.browser.get(path)["Location"]


def test_a_passkey_of_somebody_else_does_not_log_in_and_the_answer_is_the_same(alice: Person, mallory: Person) -> None:
    unknown = Authenticator(rp_id=alice.key.rp_id, origin=alice.key.origin)
    pages = []
    for key in (mallory.key, unknown):
        page = begin_login(alice)
        refused = finish_login(alice, key.get(block(page)[0]["options"]))
        assert refused.status_code == 422
        pages.append(refused.content.decode().split("passkey-options")[0].split("alert")[1])
    assert pages[0] == pages[1]
    assert not is_logged_in(alice)


def test_a_challenge_is_good_for_one_answer_right_or_wrong(alice: Person) -> None:
    page = begin_login(alice)
    options = block(page)[0]["options"]
    right = alice.key.get(options)
    assert finish_login(alice, alice.key.get(options, flags=UP)).status_code == 422
    assert finish_login(alice, right).status_code == 422
    assert not is_logged_in(alice)


def test_an_assertion_of_another_session_or_an_earlier_login_is_refused(alice: Person) -> None:
    page = begin_login(alice)
    right = alice.key.get(block(page)[0]["options"])
    elsewhere = Person("Alice")
    elsewhere.key = alice.key
    begin_login(elsewhere)
    assert finish_login(elsewhere, right).status_code == 422
    assert finish_login(alice, right).status_code == 302
    alice.browser.post("/authz/logout")
    begin_login(alice)
    assert finish_login(alice, right).status_code == 422


def test_a_challenge_expires(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    page = begin_login(alice)
    right = alice.key.get(block(page)[0]["options"])
    monkeypatch.setattr("authz.views.browser.CEREMONY_SECONDS", -1)
    assert finish_login(alice, right)["Location"].startswith("/authz/login")
    monkeypatch.undo()
    assert not is_logged_in(alice)


def test_challenges_are_random_and_long(alice: Person) -> None:
    seen = {block(begin_login(alice))[0]["options"]["challenge"] for _ in range(5)}
    assert len(seen) == 5
    assert all(len(unb64(challenge)) == 32 for challenge in seen)


@pytest.mark.django_db(databases=["default"], transaction=True)
def test_one_assertion_posted_twice_at_once_succeeds_once(alice: Person) -> None:
    page = begin_login(alice)
    right = json.dumps(alice.key.get(block(page)[0]["options"]))
    cookies = dict(alice.browser.cookies.items())
    landed: list[str] = []
    gate = threading.Barrier(5)

    def post() -> None:
        browser = Client()
        for name, morsel in cookies.items():
            browser.cookies[name] = morsel.value
        try:
            gate.wait()
            landed.append(browser.post("/authz/login/passkey", {"response": right}).get("Location", ""))
        finally:
            connection.close()

    threads = [threading.Thread(target=post) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(landed) == 5
    assert landed.count("/authz/passkeys") == 1


# --- the counter --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kept", "given", "passes"), [(0, 0, True), (5, 6, True), (5, 5, False), (5, 4, False), (5, 0, False)]
)
def test_a_counter_that_does_not_rise_is_refused_unless_there_is_none(
    alice: Person, kept: int, given: int, passes: bool
) -> None:
    Passkey.objects.update(sign_count=kept)
    page = begin_login(alice)
    finish_login(alice, alice.key.get(block(page)[0]["options"], sign_count=given))
    assert is_logged_in(alice) is passes
    assert Passkey.objects.get().sign_count == (given if passes else kept)


def test_two_uses_at_the_same_count_do_not_both_pass(alice: Person) -> None:
    """The second was verified against the same old count: its conditional update finds the count moved."""
    passkey = Passkey.objects.get()
    challenge = passkeys.create_challenge()
    alice.key.counts = True
    answer = alice.key.get({"challenge": b64(challenge)})
    here = Visitor("127.0.0.1")
    verified = passkeys.verify_assertion(
        passkey=passkey, response=json.dumps(answer), challenge=challenge, visitor=here
    )
    passkeys.record_use(passkey=passkey, assertion=verified)
    with pytest.raises(passkeys.WrongFactorError):
        passkeys.record_use(passkey=passkey, assertion=verified)


# --- enrolment ----------------------------------------------------------------------------------------------


def sign_up(person: Person, **changes: Any) -> Any:
    form = {"name": person.name, "email": person.email, "password": PASSWORD} | changes
    return person.browser.post("/authz/signup", form)


@pytest.mark.parametrize(
    "how",
    [
        {"flags": UP},
        {"flags": UV},
        {"flags": UP | UV | BS},
        {"origin": "https://evil.example"},
        {"type": "webauthn.get"},
        {"challenge": "AAAA"},
        {"crossOrigin": True},
    ],
)
def test_a_passkey_that_does_not_verify_makes_no_account(how: dict[str, Any]) -> None:
    carol = Person("Carol")
    page = carol.browser.get(sign_up(carol)["Location"])
    made = carol.key.create(block(page)[0]["options"], **how)
    refused = carol.browser.post("/authz/signup/passkey", {"response": json.dumps(made)})
    assert refused.status_code == 422
    assert not User.objects.exists()


def test_a_passkey_that_is_somebody_elses_already_makes_no_account(alice: Person) -> None:
    carol = Person("Carol")
    carol.key.credential_id = alice.key.credential_id
    page = carol.browser.get(sign_up(carol)["Location"])
    made = carol.key.create(block(page)[0]["options"])
    refused = carol.browser.post("/authz/signup/passkey", {"response": json.dumps(made)})
    assert refused.status_code == 422
    assert not User.objects.filter(email=carol.email).exists()


def test_a_credential_id_that_is_too_long_is_refused() -> None:
    carol = Person("Carol")
    carol.key.credential_id = bytes(1024)
    page = carol.browser.get(sign_up(carol)["Location"])
    made = carol.key.create(block(page)[0]["options"])
    refused = carol.browser.post("/authz/signup/passkey", {"response": json.dumps(made)})
    assert refused.status_code == 422


def test_a_synchronised_passkey_is_kept_as_one() -> None:
    carol = Person("Carol")
    page = carol.browser.get(sign_up(carol)["Location"])
    made = carol.key.create(block(page)[0]["options"], flags=UP | UV | BE | BS)
    carol.browser.post("/authz/signup/passkey", {"response": json.dumps(made)})
    kept = Passkey.objects.get()
    assert (kept.backup_eligible, kept.backed_up) == (True, True)


def test_sign_up_does_not_tell_a_stranger_who_has_an_account(alice: Person) -> None:
    taken, free = Person("Alice"), Person("Carol")
    answers = [sign_up(person) for person in (taken, free)]
    assert answers[0].status_code == answers[1].status_code == 302
    pages = [person.browser.get("/authz/signup/passkey") for person in (taken, free)]
    assert [page.status_code for page in pages] == [200, 200]
    made = taken.key.create(block(pages[0])[0]["options"])
    told = taken.browser.post("/authz/signup/passkey", {"response": json.dumps(made)})
    assert told.status_code == 400
    assert User.objects.filter(email=alice.email).count() == 1


@pytest.mark.parametrize("password", ["short", "password1234", "alice@example.org", "123456789012", ""])
def test_a_weak_password_is_refused(password: str) -> None:
    carol = Person("Alice")
    assert sign_up(carol, password=password).status_code == 422


@pytest.mark.parametrize("password", [" leading and trailing ", "zwölf Zeichen und 🖋", "x y z. " * 12 + "."])
def test_a_password_counts_exactly_as_typed(password: str) -> None:
    carol = Person("Carol")
    page = carol.browser.get(sign_up(carol, password=password)["Location"])
    made = carol.key.create(block(page)[0]["options"])
    carol.browser.post("/authz/signup/passkey", {"response": json.dumps(made)})
    user = User.objects.get()
    assert user.check_password(password)
    assert not user.check_password(password.strip() + " ")


@pytest.mark.parametrize("email", ["not-an-address", "a@b", "x" * 250 + "@example.org", ""])
def test_an_address_that_is_none_is_refused(email: str) -> None:
    assert sign_up(Person("Carol"), email=email).status_code == 422


# --- approval -----------------------------------------------------------------------------------------------


def nothing_was_approved() -> bool:
    return not Grant.objects.exists() and set(Consent.objects.values_list("state", flat=True)) == {"pending"}


@pytest.mark.parametrize(("how", "change"), BAD_ASSERTIONS)
def test_an_altered_assertion_approves_nothing(
    alice: Person, flow: Flow, how: dict[str, Any], change: Callable[[Answer], Answer]
) -> None:
    alice.log_in()
    location = flow.open(alice, Pkce())
    page = alice.browser.get(location)
    answer = change(alice.key.get(block(page)[0]["options"], **how))
    form = {"password": PASSWORD, "reference": hidden(page, "reference"), "response": json.dumps(answer)}
    refused = alice.browser.post(location, form)
    assert refused.status_code == 422
    assert nothing_was_approved()


def test_passkey_without_password_and_password_without_passkey_approve_nothing(alice: Person, flow: Flow) -> None:
    alice.log_in()
    location = flow.open(alice, Pkce())
    assert alice.approve(location, password="wrong password").status_code == 422
    assert alice.approve(location, password="").status_code == 422
    page = alice.browser.get(location)
    form = {"password": PASSWORD, "reference": hidden(page, "reference"), "response": ""}
    assert alice.browser.post(location, form).status_code == 422
    assert nothing_was_approved()
    assert alice.approve(location).status_code == 302


def test_the_login_assertion_is_no_approval(alice: Person, flow: Flow) -> None:
    page = begin_login(alice)
    login_answer = alice.key.get(block(page)[0]["options"])
    finish_login(alice, login_answer)
    location = flow.open(alice, Pkce())
    page = alice.browser.get(location)
    form = {"password": PASSWORD, "reference": hidden(page, "reference"), "response": json.dumps(login_answer)}
    assert alice.browser.post(location, form).status_code == 422
    assert nothing_was_approved()


def test_an_assertion_for_other_documents_approves_nothing(alice: Person, flow: Flow) -> None:
    alice.log_in()
    first = flow.open(alice, Pkce(), signing_details("Lease.pdf"))
    second = flow.open(alice, Pkce(), signing_details("Everything I own.pdf"))
    page = alice.browser.get(first)
    answer = alice.key.get(block(page)[0]["options"])
    other = alice.browser.get(second)
    form = {"password": PASSWORD, "reference": hidden(other, "reference"), "response": json.dumps(answer)}
    assert alice.browser.post(second, form).status_code == 422
    assert nothing_was_approved()


def test_details_changed_after_the_page_was_shown_do_not_pass(alice: Person, flow: Flow) -> None:
    alice.log_in()
    location = flow.open(alice, Pkce())
    page = alice.browser.get(location)
    answer = alice.key.get(block(page)[0]["options"])
    Consent.objects.update(details=signing_details("Evil.pdf"))
    form = {"password": PASSWORD, "reference": hidden(page, "reference"), "response": json.dumps(answer)}
    assert alice.browser.post(location, form).status_code == 422
    assert nothing_was_approved()


def test_bob_cannot_answer_what_alice_was_asked(alice: Person, bob: Person, flow: Flow) -> None:
    alice.log_in()
    bob.log_in()
    location = flow.open(alice, Pkce())
    alice.browser.get(location)
    assert bob.browser.get(location).status_code == 400
    assert bob.browser.post(location, {"answer": "decline"}).status_code == 400
    assert alice.approve(location, key=bob.key).status_code == 422
    assert nothing_was_approved()


def test_another_account_in_the_same_browser_does_not_inherit_the_request(
    alice: Person, bob: Person, flow: Flow
) -> None:
    alice.log_in()
    location = flow.open(alice, Pkce())
    alice.browser.get(location)
    bob.browser = alice.browser
    bob.log_in()
    assert bob.browser.get(location).status_code == 400


def test_an_approval_cannot_be_given_twice(alice: Person, flow: Flow) -> None:
    alice.log_in()
    location = flow.open(alice, Pkce())
    page = alice.browser.get(location)
    answer = alice.key.get(block(page)[0]["options"])
    form = {"password": PASSWORD, "reference": hidden(page, "reference"), "response": json.dumps(answer)}
    assert alice.browser.post(location, form).status_code == 302
    assert alice.browser.post(location, form).status_code == 400
    assert alice.browser.get(location).status_code == 400
    assert Grant.objects.count() == 1


@pytest.mark.django_db(databases=["default"], transaction=True)
def test_one_approval_posted_ten_times_at_once_gives_one_code(alice: Person, flow: Flow) -> None:
    alice.log_in()
    location = flow.open(alice, Pkce())
    page = alice.browser.get(location)
    answer = alice.key.get(block(page)[0]["options"])
    form = {"password": PASSWORD, "reference": hidden(page, "reference"), "response": json.dumps(answer)}
    cookie = alice.browser.cookies["paraph_authz"].value
    codes: list[str] = []
    gate = threading.Barrier(10)

    def post() -> None:
        browser = Client()
        browser.cookies["paraph_authz"] = cookie
        try:
            gate.wait()
            response = browser.post(location, form)
            if response.status_code == 302:
                codes.append(query(response["Location"])["code"])
        finally:
            connection.close()

    threads = [threading.Thread(target=post) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(codes) == Grant.objects.count() == 1


def test_a_page_that_was_open_too_long_or_replaced_says_so(alice: Person, flow: Flow) -> None:
    alice.log_in()
    location = flow.open(alice, Pkce())
    page = alice.browser.get(location)
    alice.browser.get(location)
    answer = json.dumps(alice.key.get(block(page)[0]["options"]))
    form = {"password": PASSWORD, "reference": hidden(page, "reference"), "response": answer}
    refused = alice.browser.post(location, form)
    assert refused.status_code == 422
    assert "open too long or was replaced" in refused.content.decode()
    page = alice.browser.get(location)
    Consent.objects.update(approval_expires=timezone.now() + timedelta(minutes=5))
    answer = json.dumps(alice.key.get(block(page)[0]["options"]))
    form = {"password": PASSWORD, "reference": hidden(page, "reference"), "response": answer}
    assert alice.browser.post(location, form).status_code == 422
    assert nothing_was_approved()


def test_a_request_that_waited_too_long_is_over(alice: Person, flow: Flow) -> None:
    alice.log_in()
    location = flow.open(alice, Pkce())
    Consent.objects.update(expires=timezone.now())
    assert alice.browser.get(location).status_code == 400


def test_a_new_credential_is_not_bound_to_a_passkey_that_did_not_answer(alice: Person, flow: Flow) -> None:
    """Each passkey's challenge commits to its own key."""
    second = Authenticator(rp_id=alice.key.rp_id, origin=alice.key.origin)
    passkeys.import_passkey(
        user=alice.user, credential_id=second.credential_id, public_key=second.public_key, name="Key"
    )
    alice.log_in()
    location = flow.open(alice, Pkce(), CREATION)
    page = alice.browser.get(location)
    first, other = block(page)
    assert first["options"]["challenge"] != other["options"]["challenge"]
    answer = json.dumps(second.get(first["options"]))
    form = {"password": PASSWORD, "reference": hidden(page, "reference"), "response": answer}
    assert alice.browser.post(location, form).status_code == 422
    page = alice.browser.get(location)
    answer = json.dumps(second.get(block(page)[1]["options"]))
    form = {"password": PASSWORD, "reference": hidden(page, "reference"), "response": answer}
    assert alice.browser.post(location, form).status_code == 302


def test_consent_is_never_given_by_looking_or_without_the_forms_token(alice: Person, flow: Flow) -> None:
    alice.log_in()
    location = flow.open(alice, Pkce())
    for _ in range(2):
        alice.browser.get(location, headers={"Purpose": "prefetch", "Sec-Purpose": "prefetch"})
        alice.browser.head(location)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies["paraph_authz"] = alice.browser.cookies["paraph_authz"].value
    page = strict.get(location)
    answer = json.dumps(alice.key.get(block(page)[0]["options"]))
    form = {"password": PASSWORD, "reference": hidden(page, "reference"), "response": answer}
    assert strict.post(location, form).status_code == 403
    assert nothing_was_approved()


def test_consent_is_asked_for_every_time(alice: Person, flow: Flow) -> None:
    alice.log_in()
    flow.code(alice, Pkce())
    assert alice.browser.get(flow.open(alice, Pkce())).status_code == 200


# --- throttling ---------------------------------------------------------------------------------------------


def guess(email: str, address: str, password: str = "wrong password") -> int:
    return Client(REMOTE_ADDR=address).post("/authz/login", {"email": email, "password": password}).status_code


def test_guesses_are_limited_by_account_and_address_and_the_right_password_works_later(alice: Person) -> None:
    limit = throttling.ACCOUNT_AT_ADDRESS.attempts
    assert [guess(alice.email, "192.0.2.1") for _ in range(limit)] == [422] * limit
    assert guess(alice.email, "192.0.2.1", PASSWORD) == 429
    assert guess(alice.email.upper(), "192.0.2.1", PASSWORD) == 429
    # Alice herself, elsewhere, is not locked out by the guesser.
    assert guess(alice.email, "192.0.2.2", PASSWORD) == 302
    Throttle.objects.update(opened=timezone.now() - throttling.WINDOW)
    assert guess(alice.email, "192.0.2.1", PASSWORD) == 302


def test_guesses_spread_over_addresses_or_accounts_are_limited_too(alice: Person) -> None:
    Throttle.objects.all().delete()
    for name in range(throttling.ADDRESS.attempts):
        throttling.count_attempt(account=f"user{name}@example.org", address="192.0.2.9")
    assert guess(alice.email, "192.0.2.9", PASSWORD) == 429
    for number in range(throttling.ACCOUNT.attempts):
        throttling.count_attempt(account=alice.email, address=f"198.51.100.{number}")
    assert guess(alice.email, "203.0.113.5", PASSWORD) == 429


def test_a_forged_header_does_not_move_the_address(alice: Person) -> None:
    for number in range(throttling.ACCOUNT_AT_ADDRESS.attempts):
        client = Client(REMOTE_ADDR="192.0.2.1", headers={"X-Forwarded-For": f"203.0.113.{number}"})
        client.post("/authz/login", {"email": alice.email, "password": "wrong password"})
    assert guess(alice.email, "192.0.2.1", PASSWORD) == 429


def test_guesses_at_the_approval_are_limited(alice: Person, flow: Flow) -> None:
    alice.log_in()
    location = flow.open(alice, Pkce())
    for _ in range(throttling.ACCOUNT_AT_ADDRESS.attempts):
        alice.approve(location, password="wrong password")
    assert alice.approve(location).status_code == 429
    assert nothing_was_approved()


def test_login_says_the_same_of_unknown_accounts_and_wrong_passwords(alice: Person) -> None:
    pages = []
    for email in (alice.email, "nobody@example.org"):
        response = Client().post("/authz/login", {"email": email, "password": "wrong password"})
        pages.append((response.status_code, response.content.decode().replace(email, "")))
    strip = [page.split("<form")[0] for _, page in pages]
    assert pages[0][0] == pages[1][0] == 422
    assert strip[0] == strip[1]


def test_a_closed_account_does_not_log_in(alice: Person) -> None:
    User.objects.update(is_active=False)
    assert guess(alice.email, "192.0.2.1", PASSWORD) == 422


def test_a_p256_key_is_kept_as_the_cose_key_that_an_authenticator_writes(alice: Person) -> None:
    kept = passkeys.import_passkey(
        user=alice.user, credential_id=b"known", public_key=alice.key.private_key.public_key(), name="Known"
    )
    assert bytes(kept.public_key) == alice.key.public_key


def test_settings_name_the_relying_party_that_the_pages_have() -> None:
    assert settings.WEBAUTHN_ORIGIN.split("//")[1].startswith(settings.WEBAUTHN_RP_ID)

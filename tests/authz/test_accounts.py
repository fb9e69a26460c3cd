"""The account's pages, sessions, operators and commands."""

import json
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from authz.models import AccessToken, Application, OperatorInvitation, Passkey, RefreshToken, Session, User
from authz.services import accounts, passkeys
from tests.authz.conftest import PASSWORD, SIGNAPP, Person, Server, block
from tests.support.authenticator import Authenticator

NEXT = [
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example",
    "///evil.example",
    "http:evil.example",
    "javascript:alert(1)",
    "https:/evil.example",
    "\thttps://evil.example",
    "/\t/evil.example",
    "evil",
    "",
]


@pytest.mark.parametrize("wanted", NEXT)
def test_login_and_sign_up_lead_to_this_origin_only(alice: Person, wanted: str) -> None:
    assert alice.log_in(wanted)["Location"] == "/authz/passkeys"


def test_login_leads_back_to_where_one_wanted_to_go(alice: Person) -> None:
    assert alice.log_in("/authz/sessions")["Location"] == "/authz/sessions"


def test_the_session_key_changes_at_each_step_and_old_ones_are_dead(alice: Person) -> None:
    alice.browser.get("/authz/login")
    alice.browser.post("/authz/login", {"email": alice.email, "password": PASSWORD})
    between = alice.browser.cookies["paraph_authz"].value
    page = alice.browser.get("/authz/login/passkey")
    answer = alice.key.get(block(page)[0]["options"])
    alice.browser.post("/authz/login/passkey", {"response": json.dumps(answer)})
    inside = alice.browser.cookies["paraph_authz"].value
    assert inside != between
    old = Client()
    old.cookies["paraph_authz"] = between
    assert old.get("/authz/passkeys").status_code == 302
    alice.browser.post("/authz/logout")
    old.cookies["paraph_authz"] = inside
    assert old.get("/authz/passkeys").status_code == 302


def test_a_session_key_chosen_by_mallory_is_not_taken_over(alice: Person) -> None:
    alice.browser.cookies["paraph_authz"] = "m" * 32
    alice.log_in()
    assert alice.browser.cookies["paraph_authz"].value != "m" * 32


def test_logging_out_everywhere_ends_every_browser_and_every_token(
    alice: Person, server: Server, login_code: Any
) -> None:
    code, pkce = login_code(alice)
    token = server.redeem(code, pkce, SIGNAPP).json()["access_token"]
    phone = Person("Alice")
    phone.key = alice.key
    phone.log_in()
    assert phone.browser.get("/authz/passkeys").status_code == 200
    listed = alice.browser.get("/authz/sessions").content.decode().partition("events-title")[0]
    assert len(listed.split('role="rowheader"')) == 3
    alice.browser.post("/authz/sessions/end-all")
    for browser in (alice.browser, phone.browser):
        assert browser.get("/authz/passkeys").status_code == 302
    assert server.introspect(token) == {"active": False}
    assert not AccessToken.objects.exists()
    assert not RefreshToken.objects.filter(revoked=None).exists()
    assert not Session.objects.filter(user=alice.user).exists()


def test_one_session_of_ones_own_can_be_ended_and_nobody_elses(alice: Person, mallory: Person) -> None:
    alice.log_in()
    mallory.log_in()
    row = Session.objects.get(user=alice.user).pk
    mallory.browser.post("/authz/sessions/end", {"session": row})
    assert alice.browser.get("/authz/passkeys").status_code == 200
    alice.browser.post("/authz/sessions/end", {"session": row})
    assert alice.browser.get("/authz/passkeys").status_code == 302


def add_passkey(person: Person, key: Authenticator) -> Any:
    page = person.browser.get("/authz/passkeys/add")
    made = key.create(block(page)[0]["options"])
    return person.browser.post("/authz/passkeys/add", {"response": json.dumps(made), "name": "Blue key"})


def test_passkeys_are_added_renamed_and_removed_but_never_the_last(alice: Person) -> None:
    alice.log_in()
    first = Passkey.objects.get()
    assert alice.browser.post(f"/authz/passkeys/{first.pk}/remove").status_code == 409
    assert add_passkey(alice, Authenticator(rp_id=alice.key.rp_id, origin=alice.key.origin)).status_code == 302
    second = Passkey.objects.get(name="Blue key")
    alice.browser.post(f"/authz/passkeys/{second.pk}/rename", {"name": "<b>Red</b> key"})
    assert "&lt;b&gt;Red" in alice.browser.get("/authz/passkeys").content.decode()
    assert alice.browser.post(f"/authz/passkeys/{first.pk}/remove").status_code == 302
    assert Passkey.objects.get() == second


def test_a_passkey_that_is_enrolled_already_is_not_enrolled_again(alice: Person, bob: Person) -> None:
    alice.log_in()
    page = alice.browser.get("/authz/passkeys/add")
    assert len(block(page)[0]["options"]["excludeCredentials"]) == 1
    assert add_passkey(alice, bob.key).status_code == 422
    assert alice.user.passkeys.count() == 1


def test_adding_and_removing_passkeys_needs_a_fresh_login(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    alice.log_in()
    monkeypatch.setattr("authz.views.browser.RECENT_SECONDS", 0)
    assert "/authz/login" in alice.browser.get("/authz/passkeys/add")["Location"]
    passkey = Passkey.objects.get()
    assert "/authz/login" in alice.browser.post(f"/authz/passkeys/{passkey.pk}/remove")["Location"]
    assert alice.browser.get("/authz/passkeys").status_code == 200


def test_mallory_cannot_touch_alices_passkeys(alice: Person, mallory: Person) -> None:
    mallory.log_in()
    second = Authenticator(rp_id=alice.key.rp_id, origin=alice.key.origin)
    passkeys.import_passkey(user=alice.user, credential_id=second.credential_id, public_key=second.public_key, name="2")
    for passkey in alice.user.passkeys.all():
        mallory.browser.post(f"/authz/passkeys/{passkey.pk}/rename", {"name": "Mallory's"})
        mallory.browser.post(f"/authz/passkeys/{passkey.pk}/remove")
    assert alice.user.passkeys.count() == 2
    assert not Passkey.objects.filter(name="Mallory's").exists()


@pytest.mark.parametrize(
    "path", ["/authz/login", "/authz/signup", "/authz/logged-out", "/authz/invitations/x", "/authz/oauth2/authorize"]
)
def test_every_page_is_unframed_unstored_and_without_inline_code(path: str) -> None:
    response = Client().get(path)
    assert response["Cache-Control"] == "no-store"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    policy = response["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    page = response.content.decode()
    assert " style=" not in page
    assert " onclick=" not in page


def test_the_consent_page_lets_its_form_lead_to_the_client_alone(alice: Person, foreign: tuple[str, str]) -> None:
    from tests.authz.conftest import Pkce

    alice.log_in()
    parameters = {
        "response_type": "code",
        "client_id": foreign[0],
        "scope": "service",
        "code_challenge": Pkce().challenge,
        "code_challenge_method": "S256",
    }
    location = alice.browser.get("/authz/oauth2/authorize", parameters)["Location"]
    policy = alice.browser.get(location)["Content-Security-Policy"]
    assert "https://elsewhere.example" in policy
    assert "https://elsewhere.example" not in alice.browser.get("/authz/passkeys")["Content-Security-Policy"]


# --- operators ----------------------------------------------------------------------------------------------


def invite(email: str = "olga@example.org") -> str:
    out = StringIO()
    call_command("create_operator", "--email", email, "--name", "Olga Operator", stdout=out, stderr=StringIO())
    return out.getvalue().strip()


def test_an_operator_sets_password_and_passkey_by_a_link_that_works_once() -> None:
    link = invite()
    path = link.removeprefix(settings.AUTHZ_URL)
    olga = Person("Olga")
    assert olga.browser.post(path, {"password": "short"}).status_code == 422
    first = olga.browser.post(path, {"password": PASSWORD})
    page = olga.browser.get(first["Location"])
    made = olga.key.create(block(page)[0]["options"])
    done = olga.browser.post(first["Location"], {"response": json.dumps(made)})
    assert done["Location"] == "/admin/"
    assert olga.browser.get("/admin/").status_code == 200
    for page_name in ("user", "passkey", "application", "consent", "session"):
        assert olga.browser.get(f"/admin/authz/{page_name}/").status_code == 200
    assert Client().get(path).status_code == 400
    assert link.rpartition("/")[2] not in json.dumps(list(OperatorInvitation.objects.values()), default=str)


def test_an_invitation_cannot_be_finished_twice() -> None:
    path = invite().removeprefix(settings.AUTHZ_URL)
    olga, mallory = Person("Olga"), Person("Mallory")
    pages = {}
    for person in (olga, mallory):
        first = person.browser.post(path, {"password": PASSWORD})
        pages[person.name] = block(person.browser.get(first["Location"]))[0]["options"]
    answers = [
        person.browser.post("/authz/signup/passkey", {"response": json.dumps(person.key.create(pages[person.name]))})
        for person in (olga, mallory)
    ]
    assert [answer.status_code for answer in answers] == [302, 400]
    assert Passkey.objects.count() == 1


def test_the_admin_is_closed_to_signers_and_to_a_password_alone(alice: Person) -> None:
    assert "/authz/login" in Client().get("/admin/login/?next=/admin/")["Location"]
    alice.log_in()
    assert alice.browser.get("/admin/")["Location"].startswith("/admin/login/")
    operator = accounts.create_user(email="op@example.org", name="Op", password=PASSWORD, is_operator=True)
    half = Client()
    half.force_login(operator)
    assert half.get("/admin/").status_code == 302


def test_evidence_cannot_be_changed_in_the_admin() -> None:
    path = invite().removeprefix(settings.AUTHZ_URL)
    olga = Person("Olga")
    first = olga.browser.post(path, {"password": PASSWORD})
    made = olga.key.create(block(olga.browser.get(first["Location"]))[0]["options"])
    olga.browser.post(first["Location"], {"response": json.dumps(made)})
    passkey = Passkey.objects.get()
    for name in ("consent", "passkey", "session", "user"):
        assert olga.browser.get(f"/admin/authz/{name}/add/").status_code == 403
    assert olga.browser.post(f"/admin/authz/passkey/{passkey.pk}/delete/").status_code == 403
    own = Application.objects.get(client_id=SIGNAPP[0])
    assert olga.browser.post(f"/admin/authz/application/{own.pk}/change/", {"name": "x"}).status_code == 403
    assert olga.browser.get("/admin/authz/accesstoken/").status_code == 403
    # A password is not changed by a password alone.
    assert "password" not in olga.browser.get("/admin/").content.decode()
    assert olga.browser.get("/admin/password_change/").status_code == 404


def test_an_operator_is_not_made_of_somebody_elses_account(alice: Person) -> None:
    with pytest.raises(CommandError):
        invite(alice.email)
    assert not User.objects.get(email=alice.email).is_staff


# --- clients ------------------------------------------------------------------------------------------------


def test_own_clients_follow_the_settings_and_keep_no_secret(settings: Any) -> None:
    settings.LOGIN_REDIRECT_URI = "https://elsewhere.example/login/callback"
    call_command("sync_clients", stdout=StringIO())
    client = Application.objects.get(client_id=SIGNAPP[0])
    assert client.redirect_uris == "https://elsewhere.example/login/callback"
    assert SIGNAPP[1] not in client.client_secret
    settings.GATEWAY_CLIENT_SECRET = "short"
    from authz.errors import InvalidRequestError

    with pytest.raises(InvalidRequestError):
        call_command("sync_clients", stdout=StringIO())


def test_a_foreign_client_is_registered_by_a_command() -> None:
    out = StringIO()
    call_command("create_client", "Elsewhere", "--redirect-uri", "https://elsewhere.example/cb", stdout=out)
    told = json.loads(out.getvalue())
    client = Application.objects.get(client_id=told["client_id"])
    assert told["client_secret"] not in client.client_secret
    assert not client.is_own


@pytest.mark.parametrize("uri", ["javascript:alert(1)", "https://a.example/#x", "a.example/cb", "https://*.example/cb"])
def test_a_client_is_not_registered_with_an_address_that_is_none(uri: str) -> None:
    with pytest.raises(CommandError):
        call_command("create_client", "Elsewhere", "--redirect-uri", uri, stdout=StringIO())


def test_what_has_expired_is_cleared_and_evidence_stays(alice: Person) -> None:
    alice.log_in()
    call_command("clear_expired", stdout=StringIO())
    assert Session.objects.exists()

"""The language of the pages and mails: what an application asks for, what a person chose, what a browser says."""

import re
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.test import Client
from django.utils import translation

from authz import tasks
from authz.models import SecurityEvent, User
from authz.services import addresses, mails
from authz.services.languages import find_asked_language
from config.models import Appearance
from tests.authz.conftest import GATEWAY, PASSWORD, Flow, Person, Pkce, Server, block, query
from tests.authz.test_csc_oauth import CALLBACK, Elsewhere, elsewhere  # noqa: F401  (a fixture)
from tests.authz.test_letters import parts, received, send_all

pytestmark = [pytest.mark.django_db(databases=["default"]), pytest.mark.usefixtures("compiled_messages")]

FACES = ["oauth", "v1", "v2"]
HOSTILE = [
    "",
    " ",
    "xx",
    "x",
    "de",
    "klingon",
    "*",
    "fr;q=1",
    "fr,en",
    "fr-",
    "../fr",
    "fr\n",
    "fr\r\nSet-Cookie: a=b",
    "fr\x1b[31m",
    "<b>fr</b>",
    "frå",
    "fr" * 5000,
    "fr-" + "a" * 5000,
    "fr-" + "-".join(["latn"] * 20),
]


def language_of(page: Any) -> str:
    assert page.status_code == 200, page.content
    found = re.search(r'<html lang="([^"]+)"', page.content.decode())
    assert found
    assert page["Content-Language"] == found[1]
    return found[1]


def lands(browser: Client, arrived: Any) -> str:
    """The language of the page that an authorization request comes out at."""
    assert arrived.status_code == 302, arrived.content
    page: Any = browser.get(arrived["Location"], follow=True)
    return language_of(page)


# --- What an application asks for ---------------------------------------------------------------------------


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("parameter", ["lang", "ui_locales"])
def test_an_application_chooses_the_pages_language(elsewhere: Elsewhere, face: str, parameter: str) -> None:  # noqa: F811
    client, mallory = elsewhere.at(face), Person("Mallory")
    assert lands(mallory.browser, client.arrive(mallory, Pkce(), **{parameter: "fr"})) == "fr"
    assert lands(mallory.browser, client.arrive(mallory, Pkce(), **{parameter: "en"})) == "en"


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ({"lang": "FR"}, "fr"),
        ({"lang": "fr-CA"}, "fr"),
        ({"lang": "fr_FR"}, "fr"),
        ({"lang": "fr-Latn-CA-x-private"}, "fr"),
        ({"ui_locales": "de fr-CH en"}, "fr"),
        ({"ui_locales": "  de   en   fr"}, "en"),
        ({"ui_locales": "xx " + "fr" * 4000 + " fr"}, "fr"),
        ({"ui_locales": "de " * 5000 + "fr"}, ""),
        ({"lang": "xx", "ui_locales": "fr"}, "fr"),
        ({"lang": "fr", "ui_locales": "en"}, "fr"),
        *[({"lang": value}, "") for value in HOSTILE],
        *[({"ui_locales": value}, "") for value in HOSTILE],
    ],
)
def test_the_first_that_there_is_wins_and_nothing_else_counts(asked: dict[str, str], language: str) -> None:
    assert find_asked_language(asked) == language


@pytest.mark.parametrize("value", ["", "xx", "fr\r\nSet-Cookie: a=b", "fr" * 5000])
def test_what_is_no_language_is_no_mistake(elsewhere: Elsewhere, value: str) -> None:  # noqa: F811
    person, client = Person("Alice"), elsewhere.at("v2")
    asked = client.request(Pkce(), lang=value, ui_locales=value)
    arrived = person.browser.get("/authz/csc/v2/authorize", asked)
    assert lands(person.browser, arrived) == "en"
    assert arrived.cookies[django_settings.ASKED_LANGUAGE_COOKIE_NAME].value == ""


def test_a_nul_and_a_second_one_are_refused_as_of_any_parameter(elsewhere: Elsewhere) -> None:  # noqa: F811
    person, client = Person("Alice"), elsewhere.at("v2")
    path, asked = "/authz/csc/v2/authorize", client.request(Pkce())
    assert person.browser.get(path, asked | {"lang": "fr\0"}).status_code == 400
    twice = person.browser.get(path, asked | {"lang": ["fr", "en"]})
    assert query(twice["Location"])["error"] == "invalid_request"


def test_a_browser_s_word_counts_where_the_application_has_none_that_is_known(elsewhere: Elsewhere) -> None:  # noqa: F811
    person = Person("Alice")
    person.browser.defaults["HTTP_ACCEPT_LANGUAGE"] = "fr-CH, de;q=0.5"
    assert lands(person.browser, elsewhere.arrive(person, Pkce(), lang="de")) == "fr"
    assert lands(person.browser, elsewhere.arrive(person, Pkce(), lang="en")) == "en"
    assert lands(person.browser, elsewhere.arrive(person, Pkce())) == "fr", "what was asked for is of its request alone"


@pytest.mark.parametrize("face", ["oauth", "v2"])
def test_a_pushed_request_brings_its_own(elsewhere: Elsewhere, face: str) -> None:  # noqa: F811
    client, person = elsewhere.at(face), Person("Alice")
    pushed = client.post("pushed_authorize", client.request(Pkce(), ui_locales="de fr", lang="xx"))
    assert pushed.status_code == 201, pushed.content
    reference = {"client_id": client.credentials[0], "request_uri": pushed.json()["request_uri"]}
    # What stands beside the reference is nobody's request (RFC 9101, 6.3).
    arrived = client.bring(person.browser, reference | {"lang": "en"})
    assert lands(person.browser, arrived) == "fr"


def test_a_form_from_another_site_brings_it_too(elsewhere: Elsewhere) -> None:  # noqa: F811
    person = Person("Alice")
    sent = person.browser.post("/authz/oauth2/authorize", elsewhere.at("oauth").request(Pkce(), ui_locales="fr"))
    assert sent.status_code == 303
    assert lands(person.browser, person.browser.get(sent["Location"])) == "fr"


@pytest.mark.parametrize("face", FACES)
def test_a_page_that_refuses_the_request_is_in_it(elsewhere: Elsewhere, face: str) -> None:  # noqa: F811
    client, person = elsewhere.at(face), Person("Alice")
    page = client.arrive(person, Pkce(), lang="fr", redirect_uri="https://mallory.example/")
    assert page.status_code == 400
    assert '<html lang="fr"' in page.content.decode()
    assert not page.cookies.get(django_settings.ASKED_LANGUAGE_COOKIE_NAME)


def test_it_lasts_through_login_passkey_and_approval_and_is_what_the_account_is_written_to_in(
    flow: Flow, alice: Person
) -> None:
    location = flow.open(alice, Pkce(), ui_locales="fr")
    login = alice.browser.get(location)
    assert login.status_code == 302
    assert language_of(alice.browser.get(login["Location"])) == "fr"
    registration = alice.browser.get("/authz/signup", {"next": location})
    assert language_of(registration) == "fr"
    began = alice.browser.post(login["Location"], {"email": alice.email, "password": PASSWORD})
    assert language_of(alice.browser.get(began["Location"])) == "fr"
    alice.log_in(location)
    approval = alice.browser.get(location)
    assert language_of(approval) == "fr"
    assert "Approuver" in approval.content.decode()
    wrong = alice.browser.post(location, {"password": "", "reference": "", "response": ""})
    assert '<html lang="fr"' in wrong.content.decode()
    assert alice.approve(location).status_code == 302
    assert alice.user.language == "fr"


def test_what_is_approved_is_the_same_in_every_language(flow: Flow, alice: Person, server: Server) -> None:
    """The challenge commits to bytes; whatever words stood round it, the token says the same."""
    told = []
    for language in ("en", "fr"):
        pkce = Pkce()
        location = flow.open(alice, pkce, ui_locales=language)
        if alice.browser.get(location).status_code == 302:
            alice.log_in(location)
        answered = alice.approve(location)
        token = server.redeem(query(answered["Location"])["code"], pkce).json()
        told.append(server.introspect(token["access_token"])["authorization_details"])
    assert told[0] == told[1]


def test_what_a_person_chose_counts_before_any_application_and_is_left_as_it_is(elsewhere: Elsewhere) -> None:  # noqa: F811
    person = Person("Alice")
    arrived = elsewhere.arrive(person, Pkce(), lang="fr")
    assert lands(person.browser, arrived) == "fr"
    person.browser.post("/language", {"language": "en"})
    assert language_of(person.browser.get("/authz/login")) == "en", "the switch, in the midst of a request"
    assert lands(person.browser, elsewhere.arrive(person, Pkce(), lang="fr")) == "en", "and at the next one"
    assert person.browser.cookies[django_settings.LANGUAGE_COOKIE_NAME].value == "en"


def test_it_changes_no_page_of_another_part(elsewhere: Elsewhere) -> None:  # noqa: F811
    person = Person("Alice")
    elsewhere.arrive(person, Pkce(), lang="fr")
    answer = person.browser.get("/.well-known/oauth-authorization-server/authz")
    assert answer["Content-Language"] == "en"


@pytest.mark.parametrize("value", ["xx", "fr;q=2", "fr" * 2000])
def test_a_cookie_that_somebody_wrote_is_a_wish_too(value: str) -> None:
    browser = Client(headers={"accept-language": "fr"})
    browser.cookies[django_settings.ASKED_LANGUAGE_COOKIE_NAME] = value
    assert language_of(browser.get("/authz/login")) in {"fr", "en"}


def test_a_logout_that_a_client_asks_for_is_told_in_the_language_it_names() -> None:
    browser = Client()
    asked = {"client_id": GATEWAY[0], "ui_locales": "xx fr"}
    page = browser.get("/authz/oauth2/logout", asked, follow=True)
    assert language_of(page) == "fr"


@pytest.mark.parametrize(
    "path", ["/authz/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/authz"]
)
def test_the_metadata_names_the_languages(path: str) -> None:
    assert Client().get(path).json()["ui_locales_supported"] == ["en", "fr"]


# --- Mails --------------------------------------------------------------------------------------------------


def test_every_mail_is_in_its_reader_s_language_whatever_its_sender_s() -> None:
    user = User.objects.create_user("alice@example.org", None, name="Alice", verified_email="alice@example.org")
    texts = {}
    for language in ("fr", "en", ""):
        user.language = language
        user.save()
        with translation.override("en" if language == "fr" else "fr"):
            letters = [letter for letter in send_all(user) if str(letter["To"]) != "new@example.org"]
        for letter in letters:
            text, html = parts(letter)
            assert text.startswith("Bonjour Alice," if language == "fr" else "Hello Alice,")
            assert f'<html lang="{language or "en"}">' in html
        texts[language] = [str(letter["Subject"]) for letter in letters]
    assert texts["en"] == texts[""]
    assert not set(texts["fr"]) & set(texts["en"])


def test_a_language_that_is_gone_is_none() -> None:
    user = User.objects.create_user("alice@example.org", None, name="Alice", language="xx")
    assert mails.tell_of_sign_up(user=user)
    assert parts(received())[0].startswith("Hello Alice,")


def test_an_event_that_a_worker_tells_of_is_in_the_account_s(alice: Person) -> None:
    addresses.trust_address(user=alice.user)
    alice.browser.defaults["HTTP_ACCEPT_LANGUAGE"] = "fr"
    assert alice.log_in().status_code == 302
    SecurityEvent.objects.create(user=alice.user, kind=SecurityEvent.Kind.PASSKEY_ADDED)
    with translation.override("en"):
        tasks.tell_of_events()
        assert translation.get_language() == "en"
    assert parts(received())[0].startswith("Bonjour Alice Example,")


def test_a_language_that_is_chosen_counts_from_the_account_s_next_page_on(alice: Person) -> None:
    alice.log_in()
    assert alice.user.language == "en"
    alice.browser.post("/language", {"language": "fr"})
    assert alice.user.language == "en"
    alice.browser.get("/authz/sessions")
    assert alice.user.language == "fr"


def test_who_signs_up_is_written_to_in_the_language_that_they_asked_in(settings: Any, monkeypatch: Any) -> None:
    settings.SIGN_UP_BY_LINK = True
    monkeypatch.setattr(tasks.send_sign_up_link, "delay", tasks.send_sign_up_link)
    Client(headers={"accept-language": "fr"}).post("/authz/signup", {"email": "new@example.org"})
    assert parts(received())[0].startswith("Bonjour,")
    Client(headers={"accept-language": "de"}).post("/authz/signup", {"email": "newer@example.org"})
    assert parts(received())[0].startswith("Hello,")
    assert len(mail.outbox) == 2


# --- Another device, and whose passkeys they are ------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Is your passkey on your phone? Choose another device in the prompt"),
        ("fr", "votre téléphone"),
    ],
)
def test_who_has_the_passkey_on_another_device_is_told_how_to_use_it(
    flow: Flow, alice: Person, language: str, words: str
) -> None:
    """Where a passkey is asked for: at the login's second step, at the approval, and nowhere before."""
    location = flow.open(alice, Pkce(), ui_locales=language)
    login = alice.browser.get(location)["Location"]
    assert words not in alice.browser.get(login).content.decode()
    step = alice.browser.post(login, {"email": alice.email, "password": PASSWORD})["Location"]
    assert words in alice.browser.get(step).content.decode()
    alice.log_in(location)
    assert words in alice.browser.get(location).content.decode()


def test_a_passkey_is_made_for_the_product_as_its_operator_names_it(alice: Person) -> None:
    """WebAuthn, 5.4.2: what the browser and its keychain show beside the account."""
    Appearance.objects.create(pk=1, name="Acme Sign")
    carol = Person("Carol")
    given = {"email": carol.email, "name": carol.name, "password": PASSWORD}
    begun = carol.browser.post("/authz/signup", given)
    alice.log_in()
    for page in (carol.browser.get(begun["Location"]), alice.browser.get("/authz/passkeys/add")):
        assert block(page)[0]["options"]["rp"] == {"id": django_settings.WEBAUTHN_RP_ID, "name": "Acme Sign"}

"""Texts of the API and the mail with a one-time password in the language that a client asks for."""

from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.mail import EmailMultiAlternatives
from django.utils import translation

from config.models import Appearance
from rssp.services.languages import speaking
from tests.rssp.conftest import ALIAS, Signer, call
from tests.rssp.explicit import make_explicit, read_mail

pytestmark = [
    pytest.mark.django_db(databases=sorted({ALIAS, "default"})),
    pytest.mark.usefixtures("compiled_messages"),
]
both_versions = pytest.mark.parametrize("version", [1, 2])
ODD = ["", "xx", "fr\n", "fr\x07", "fr,en", "*", "fr" * 5000, "-", "fr_", "é", 7, True, ["fr"], {"fr": 1}]
ENGLISH = "Signs digests that their signers approved with a passkey"


@pytest.mark.parametrize(
    ("tag", "language"), [("fr", "fr"), ("FR", "fr"), ("fr-CA", "fr"), ("fr_FR", "fr"), ("en-GB", "en")]
)
def test_a_language_that_there_is_speaks(tag: str, language: str) -> None:
    with speaking(tag):
        assert translation.get_language() == language


@pytest.mark.parametrize("tag", ODD)
def test_whatever_else_is_the_service_s_own(tag: object) -> None:
    with translation.override("fr"), speaking(tag):
        assert translation.get_language() == django_settings.LANGUAGE_CODE


@both_versions
def test_info_answers_in_it_and_says_so(version: int) -> None:
    told = call("info", {"lang": "fr-CA"}, None, version=version).json()
    assert (told["lang"], told["description"][:6]) == ("fr", "Signe ")
    for body in ({}, {"lang": "xx"}, {"lang": "fr" * 5000}, {"lang": None}, {"lang": 7}):
        answer = call("info", body, None, version=version)
        assert answer.status_code == 200
        assert (answer.json()["lang"], answer.json()["description"]) == ("en", ENGLISH)


def test_an_operator_s_own_words_stay_and_are_in_the_service_s_own(settings: Any) -> None:
    settings.RSSP_DESCRIPTION = "Acme signs for you"
    told = call("info", {"lang": "fr"}, None).json()
    assert (told["lang"], told["description"]) == ("en", "Acme signs for you")


@both_versions
def test_a_credential_s_factors_are_named_in_it(alice: Signer, version: int) -> None:
    credential = make_explicit(alice, "PIN", "MAIL")
    bearer = alice.log_in()
    body = {"credentialID": credential.credential_id, "authInfo": True}
    words = {}
    for language in ("fr", "en", "xx"):
        told = call("credentials/info", body | {"lang": language}, bearer, version=version).json()
        shown = [told["PIN"], told["OTP"]] if version == 1 else told["auth"]["objects"]
        words[language] = [told["lang"], *(each["label"] for each in shown), shown[1]["description"]]
    by_mail = "The digits that were sent to you by e-mail"
    assert words["en"] == words["xx"] == ["en", "PIN", "One-time password", by_mail]
    assert words["fr"][:3] == ["fr", "Code PIN", "Mot de passe à usage unique"]
    assert words["fr"][3] != by_mail
    assert told["description"] == credential.description, "what somebody wrote stays"


def test_a_list_is_in_it_and_a_mistake_is_told_in_the_specification_s_words(alice: Signer) -> None:
    make_explicit(alice, "PIN")
    bearer = alice.log_in()
    wanted = {"credentialInfo": True, "authInfo": True, "lang": "fr"}
    [told] = call("credentials/list", wanted, bearer).json()["credentialInfos"]
    assert (told["lang"], told["auth"]["objects"][0]["label"]) == ("fr", "Code PIN")
    refused = call("credentials/info", {"credentialID": "unknown", "lang": "fr"}, bearer)
    assert refused.json()["error_description"] == "Invalid parameter credentialID"
    for odd in (7, ["fr"], {"fr": 1}):
        answer = call("credentials/info", {"credentialID": alice.credential.credential_id, "lang": odd}, bearer)
        assert answer.json()["error_description"] == "Invalid parameter lang"


def letter_of(mailoutbox: list[Any]) -> tuple[str, str, str]:
    letter = mailoutbox[-1]
    assert isinstance(letter, EmailMultiAlternatives)
    return str(letter.subject), str(letter.body), str(letter.alternatives[0][0])


WANTED: list[tuple[dict[str, Any], str, str]] = [
    ({"lang": "fr"}, "en", "fr"),
    ({"lang": "en"}, "fr", "en"),
    ({"lang": "xx"}, "fr", "en"),
    ({"lang": 7}, "fr", "en"),
    ({}, "fr-CH, en;q=0.4", "fr"),
    ({}, "*", "en"),
    ({}, "", "en"),
    ({}, "fr" * 400, "en"),
]
SUBJECTS = {"fr": "Votre mot de passe à usage unique", "en": "Your one-time password"}


@pytest.mark.parametrize("method", ["credentials/sendOTP", "credentials/getChallenge"])
def test_a_one_time_password_comes_in_the_language_of_the_client_s_user(
    alice: Signer, mailoutbox: list[Any], settings: Any, method: str
) -> None:
    settings.RSSP_OTP_RESEND_SECONDS = 0
    make_explicit(alice, "PIN", "MAIL")
    named, bearer = {"credentialID": alice.credential.credential_id, "authObjectID": "MAIL"}, alice.log_in()
    for body, header, language in WANTED:
        sent = call(method, named | body, bearer, headers={"accept-language": header})
        assert sent.status_code == 204, sent.content
        subject, text, html = letter_of(mailoutbox)
        password = read_mail()
        assert subject == SUBJECTS[language]
        assert f"{password} " in text
        assert password in html
        assert f'<html lang="{language}">' in html
        assert "http" not in text + html, "nothing to press, nothing to fetch"
    assert len(mailoutbox) == len(WANTED)


def test_it_is_under_the_product_s_name_and_hostile_names_are_text(alice: Signer, mailoutbox: list[Any]) -> None:
    Appearance.objects.create(pk=1, name="Acme Sign")
    make_explicit(alice, "MAIL", description="<script>alert(1)</script> & Söhne")
    call("credentials/sendOTP", {"credentialID": alice.credential.credential_id}, alice.log_in())
    _, text, html = letter_of(mailoutbox)
    assert mailoutbox[-1].from_email.startswith("Acme Sign <")
    assert "<script>alert(1)</script> & Söhne" in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; Söhne" in html
    assert "<script>" not in html

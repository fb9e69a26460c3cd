"""What explicit mode refuses, by the specification's own sentences, and that no refusal costs a signature."""

import base64
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone

from rssp.error_responses import ACCESS_DENIED, INVALID_REQUEST
from rssp.errors import SealError
from rssp.models import Activation, AuditEvent, AuthenticationObject, Challenge
from rssp.services.factors import place_of
from rssp.services.sealing import unseal
from tests.rssp.conftest import Asked, Signer, call, digest
from tests.rssp.explicit import (
    HASHES,
    PIN,
    WRONG_PIN,
    authorize_body,
    data,
    factor,
    make_explicit,
    read_mail,
    show_totp,
)
from tests.rssp.test_explicit import authorize, factors, opened

LEASE, WILL = digest("Lease"), digest("Will")
OUR_OBJECTS = "Invalid parameter authData"
both_versions = pytest.mark.parametrize("version", [1, 2])


def refused(answer: Any, sentence: str, code: str = "invalid_request", status: int = 400) -> None:
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_description"]) == (status, code, sentence)


def wrong(answer: Any, version: int, *, word: str) -> None:
    """The factor's sentence of version 1, and the one of version 2, which does not say which."""
    if version == 2:
        refused(answer, "The authentication data is invalid", "invalid_authentication_data")
    else:
        refused(answer, f"The {word} is invalid", f"invalid_{word.lower()}")


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"credentialID": None}, "Missing (or invalid type) string parameter credentialID"),
    ({"credentialID": 7}, "Missing (or invalid type) string parameter credentialID"),
    ({"credentialID": ""}, "Missing (or invalid type) string parameter credentialID"),
    ({"credentialID": "unknown"}, "Invalid parameter credentialID"),
    # A4
    ({"numSignatures": None}, "Missing (or invalid type) integer parameter numSignatures"),
    ({"numSignatures": "1"}, "Missing (or invalid type) integer parameter numSignatures"),
    ({"numSignatures": 1.0}, "Missing (or invalid type) integer parameter numSignatures"),
    ({"numSignatures": 1.5}, "Missing (or invalid type) integer parameter numSignatures"),
    ({"numSignatures": True}, "Missing (or invalid type) integer parameter numSignatures"),
    ({"numSignatures": [1]}, "Missing (or invalid type) integer parameter numSignatures"),
    ({"numSignatures": 0}, "Invalid value for parameter numSignatures"),
    ({"numSignatures": -1}, "Invalid value for parameter numSignatures"),
    ({"numSignatures": -(2**63)}, "Invalid value for parameter numSignatures"),
    ({"numSignatures": 4}, "Numbers of signatures is too high"),  # multisign is 3 here
    ({"numSignatures": 2**63}, "Numbers of signatures is too high"),
    ({"description": 7}, "Invalid parameter description"),
    ({"description": "d" * 501}, "Invalid parameter description"),
    ({"clientData": 7}, "Invalid parameter clientData"),
    ({"HASHES": None}, "Missing (or invalid type) array parameter hash"),
    ({"HASHES": "AAAA"}, "Missing (or invalid type) array parameter hash"),
    ({"HASHES": []}, "Empty hash array"),
    ({"HASHES": ["@"]}, "Invalid Base64 hash string parameter"),
    ({"HASHES": [7]}, "Invalid Base64 hash string parameter"),
    ({"HASHES": ["AAAA"]}, "Invalid digest value length"),
    (
        {"HASHES": [base64.b64encode(bytes(32)).decode(), base64.b64encode(bytes(48)).decode()], "numSignatures": 2},
        "Invalid digest value length",
    ),
    ({"HASHES": [base64.b64encode(bytes(32)).decode()] * 2}, "Numbers of signatures is too high"),
]


@both_versions
@pytest.mark.parametrize(("members", "sentence"), MISTAKES)
def test_each_mistake_of_authorize_has_its_sentence_and_costs_no_try(
    alice: Signer, version: int, members: dict[str, Any], sentence: str
) -> None:
    make_explicit(alice, "PIN", multisign=3)
    members = {HASHES[version] if name == "HASHES" else name: value for name, value in members.items()}
    body = authorize_body(alice, LEASE, version=version, **factors(version, PIN=WRONG_PIN)) | members
    body = {name: value for name, value in body.items() if value is not None}
    refused(call("credentials/authorize", body, alice.log_in(), version=version), sentence)
    assert factor(alice.credential, "PIN").attempts == 0
    assert not Activation.objects.exists()


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"hashAlgorithmOID": "1.3.14.3.2.26"}, "Invalid parameter hashAlgorithmOID"),
        ({"hashAlgorithmOID": 7}, "Missing (or invalid type) string parameter hashAlgorithmOID"),
        ({"hashAlgorithmOID": "2.16.840.1.101.3.4.2.2"}, "Invalid digest value length"),
        ({"authData": "PIN"}, "Missing (or invalid type) array parameter authData"),
        ({"authData": ["PIN"]}, OUR_OBJECTS),
        ({"authData": [{"value": PIN}]}, OUR_OBJECTS),
        ({"authData": [{"id": 7, "value": PIN}]}, OUR_OBJECTS),
        ({"authData": [{"id": "PIN", "value": 739164}]}, OUR_OBJECTS),
        ({"authData": [{"id": "PIN", "value": "9" * 256}]}, OUR_OBJECTS),
        ({"authData": data(PIN=PIN) * 2}, OUR_OBJECTS),
        ({"authData": data(PIN=PIN, OTP="123456")}, OUR_OBJECTS),
        ({"authData": [{"id": f"O{number}"} for number in range(17)]}, OUR_OBJECTS),
    ],
)
def test_odd_authentication_data_of_version_2_is_refused(alice: Signer, members: dict[str, Any], sentence: str) -> None:
    make_explicit(alice, "PIN")
    body = authorize_body(alice, LEASE, version=2, authData=data(PIN=WRONG_PIN)) | members
    refused(call("credentials/authorize", body, alice.log_in()), sentence)
    assert factor(alice.credential, "PIN").attempts == 0


def test_odd_factors_of_version_1_are_refused(alice: Signer) -> None:
    make_explicit(alice, "PIN")
    bearer = alice.log_in()
    for members, sentence in (
        ({"PIN": 739164}, "Missing (or invalid type) string parameter PIN"),
        ({"PIN": "9" * 256}, "Invalid parameter PIN"),
        ({"PIN": PIN, "OTP": "123456"}, "Invalid parameter OTP"),  # it has none
        ({"PIN": PIN, "OTP": 7}, "Missing (or invalid type) string parameter OTP"),
    ):
        refused(authorize(alice, bearer, LEASE, version=1, **members), sentence)
    opened(authorize(alice, bearer, LEASE, version=1, PIN=PIN, OTP=""))


@both_versions
def test_a_wrong_or_missing_factor_is_refused_and_audited(alice: Signer, asked: Asked, version: int) -> None:
    make_explicit(alice, "PIN", "TOTP")
    bearer = alice.log_in()
    for values, word in (
        ({"PIN": WRONG_PIN, "TOTP": show_totp()}, "PIN"),
        ({"PIN": PIN, "TOTP": "000000"}, "OTP"),
        # Which of two was wrong, nobody learns: a one-time password is named first.
        ({"PIN": WRONG_PIN, "TOTP": "000000"}, "OTP"),
        ({"PIN": PIN}, "OTP"),
        ({"TOTP": show_totp()}, "PIN"),
        ({}, "OTP"),
    ):
        AuthenticationObject.objects.update(last_step=None)
        wrong(authorize(alice, bearer, LEASE, version=version, **factors(version, **values)), version, word=word)
    assert AuditEvent.objects.filter(action="authorise", result="refused").count() == 6
    assert not Activation.objects.exists()
    assert asked.count == 0


@both_versions
def test_a9_the_factor_of_another_user_client_or_time_opens_nothing(
    alice: Signer, bob: Signer, version: int, mailoutbox: list[Any], settings: Any
) -> None:
    settings.RSSP_OTP_RESEND_SECONDS = 0
    for signer in (alice, bob):
        make_explicit(signer, "PIN", "MAIL")
    services = {signer.subject: signer.log_in() for signer in (alice, bob)}

    def send(signer: Signer, bearer: str) -> str:
        own = {"credentialID": signer.credential.credential_id}
        assert call("credentials/sendOTP", own, bearer, version=version).status_code == 204
        return read_mail()

    def try_it(password: str, bearer: str = services[alice.subject]) -> Any:
        return authorize(alice, bearer, LEASE, version=version, **factors(version, PIN=PIN, MAIL=password))

    wrong(try_it(send(bob, services[bob.subject])), version, word="OTP")
    earlier = send(alice, services[alice.subject])
    current = send(alice, services[alice.subject])
    wrong(try_it(earlier), version, word="OTP")
    foreign = alice.log_in(client_id="another-client")
    wrong(try_it(current, foreign), version, word="OTP")
    Challenge.objects.update(expires=timezone.now())
    wrong(try_it(current), version, word="OTP")
    assert not Activation.objects.exists()
    AuthenticationObject.objects.update(attempts=0, locked_until=None)
    opened(try_it(send(alice, services[alice.subject])))


@both_versions
def test_e8_after_the_last_try_a_factor_is_closed_longer_each_time_and_opens_by_itself(
    alice: Signer, version: int
) -> None:
    make_explicit(alice, "PIN")
    bearer = alice.log_in()
    sentence = {1: "PIN locked", 2: "Credential locked"}[version]

    def try_it(pin: str) -> Any:
        return authorize(alice, bearer, LEASE, version=version, **factors(version, PIN=pin))

    for lockout in range(3):
        for _ in range(django_settings.RSSP_FACTOR_TRIES):
            wrong(try_it(WRONG_PIN), version, word="PIN")
        held = factor(alice.credential, "PIN")
        assert held.locked_until is not None
        closed = (held.locked_until - timezone.now()) / timedelta(seconds=django_settings.RSSP_FACTOR_LOCK_SECONDS)
        assert closed == pytest.approx(2**lockout, rel=0.05)
        refused(try_it(PIN), sentence)
        AuthenticationObject.objects.update(locked_until=timezone.now())
    AuthenticationObject.objects.update(lockouts=30, attempts=django_settings.RSSP_FACTOR_TRIES - 1, locked_until=None)
    wrong(try_it(WRONG_PIN), version, word="PIN")
    until = factor(alice.credential, "PIN").locked_until
    assert until is not None
    assert until - timezone.now() < timedelta(days=1, seconds=1)
    AuthenticationObject.objects.update(locked_until=timezone.now())
    opened(try_it(PIN))
    held = factor(alice.credential, "PIN")
    assert (held.attempts, held.lockouts, held.locked_until) == (0, 0, None)


@both_versions
def test_a_right_pin_beside_a_wrong_password_gives_no_tries_back(alice: Signer, version: int) -> None:
    make_explicit(alice, "PIN", "TOTP")
    bearer = alice.log_in()
    for _ in range(django_settings.RSSP_FACTOR_TRIES):
        given = factors(version, PIN=PIN, TOTP="000000")
        wrong(authorize(alice, bearer, LEASE, version=version, **given), version, word="OTP")
    given = factors(version, PIN=PIN, TOTP=show_totp())
    sentence = {1: "PIN locked", 2: "Credential locked"}[version]
    refused(authorize(alice, bearer, LEASE, version=version, **given), sentence)
    assert [factor(alice.credential, name).attempts for name in ("PIN", "TOTP")] == [5, 5]


def test_a_try_is_counted_before_it_is_looked_at(alice: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    make_explicit(alice, "PIN")

    def crash(**_arguments: Any) -> None:
        raise RuntimeError("the process dies here")

    monkeypatch.setattr("rssp.services.factors.is_pin", crash)
    answer = authorize(alice, alice.log_in(), LEASE, authData=data(PIN=PIN))
    assert answer.status_code == 500
    assert factor(alice.credential, "PIN").attempts == 1


@both_versions
def test_a_credential_of_oauth_is_not_opened_by_factors(alice: Signer, asked: Asked, version: int) -> None:
    sentence = "The credential identified by credentialID is authorized by OAuth 2.0 alone"
    refused(authorize(alice, alice.log_in(), LEASE, version=version, **factors(version, PIN=PIN)), sentence) if (
        version == 2
    ) else refused(authorize(alice, alice.log_in(), LEASE, version=1, PIN=PIN), sentence)
    assert asked.count == 0


@both_versions
def test_an_oauth_token_never_opens_an_explicit_credential(alice: Signer, asked: Asked, version: int) -> None:
    make_explicit(alice, "PIN")
    bearer, approved = alice.log_in(), alice.approve(LEASE)
    refused(alice.sign(bearer, LEASE, version=version, SAD=approved), "Invalid parameter SAD")
    if version == 2:
        refused(alice.sign(approved, LEASE), "Invalid parameter SAD")
    assert authorize(alice, approved, LEASE, version=version, **factors(version, PIN=PIN)).status_code == 403
    assert asked.count == 0


@both_versions
def test_a_sad_is_good_for_its_credential_client_user_and_hashes_alone(
    alice: Signer, bob: Signer, version: int
) -> None:
    passkey_only = alice.credential
    explicit = alice.own_credential()
    make_explicit(alice, "PIN")
    asked, bearer = Asked(), alice.log_in()
    sad = opened(authorize(alice, bearer, LEASE, version=version, **factors(version, PIN=PIN)))
    bad = "Invalid parameter SAD"
    refused(alice.sign(bearer, WILL, version=version, SAD=sad), "Hash is not authorized by the SAD.")
    refused(alice.sign(bearer, LEASE, LEASE, version=version, SAD=sad), "Hash is not authorized by the SAD.")
    refused(alice.sign(alice.log_in(client_id="another-client"), LEASE, version=version, SAD=sad), bad)
    refused(bob.sign(bob.log_in(), LEASE, version=version, SAD=sad), bad)
    refused(alice.sign(bearer, LEASE, version=version, SAD=sad[:-1]), bad)
    assert explicit.credential_id != passkey_only.credential_id
    refused(alice.sign(bearer, LEASE, version=version, SAD=sad, credentialID=passkey_only.credential_id), bad)
    Activation.objects.filter(kind="explicit").update(expires=timezone.now())
    refused(alice.sign(bearer, LEASE, version=version, SAD=sad), "SAD expired")
    assert asked.count == 0


@both_versions
def test_another_users_credential_and_a_disabled_one_are_refused(alice: Signer, bob: Signer, version: int) -> None:
    make_explicit(alice, "PIN", "MAIL")
    own = {"credentialID": alice.credential.credential_id}
    stranger = bob.log_in()
    unknown = "Invalid parameter credentialID"
    refused(authorize(alice, stranger, LEASE, version=version, **factors(version, PIN=PIN)), unknown)
    refused(call("credentials/sendOTP", own, stranger, version=version), unknown)
    refused(call("credentials/getChallenge", own | {"authObjectID": "MAIL"}, stranger), unknown)
    alice.credential.status = "disabled"
    alice.credential.save()
    disabled = "The credential identified by credentialID is disabled"
    refused(authorize(alice, alice.log_in(), LEASE, version=version, **factors(version, PIN=PIN)), disabled)
    refused(call("credentials/sendOTP", own, alice.log_in(), version=version), disabled)
    refused(call("credentials/getChallenge", own | {"authObjectID": "MAIL"}, alice.log_in()), disabled)


@both_versions
def test_the_header_of_each_method_has_its_own_sentence(version: int) -> None:
    for method, sentence in (
        ("credentials/authorize", INVALID_REQUEST),
        ("credentials/sendOTP", "Malformed authroization header."),
    ):
        expected = sentence if version == 1 else "Malformed authorization header."
        refused(call(method, {}, version=version), expected)
    refused(call("credentials/getChallenge", {}), "Malformed authorization header.")


@both_versions
def test_an_approval_s_token_opens_none_of_these_methods(alice: Signer, version: int) -> None:
    make_explicit(alice, "PIN", "MAIL")
    own = {"credentialID": alice.credential.credential_id}
    for method in ("credentials/authorize", "credentials/sendOTP"):
        assert call(method, own, alice.approve(LEASE), version=version).status_code == 403
    assert call("credentials/getChallenge", own | {"authObjectID": "MAIL"}, alice.approve(LEASE)).status_code == 403


# --- credentials/sendOTP and credentials/getChallenge -------------------------------------------------------


@both_versions
def test_send_otp_has_its_sentences(alice: Signer, version: int, mailoutbox: list[Any]) -> None:
    bearer, own = alice.log_in(), {"credentialID": alice.credential.credential_id}

    def send(body: Any) -> Any:
        return call("credentials/sendOTP", body, bearer, version=version)

    refused(send({}), "Missing (or invalid type) string parameter credentialID")
    refused(send({"credentialID": 7}), "Missing (or invalid type) string parameter credentialID")
    refused(send({"credentialID": "unknown"}), "Invalid parameter credentialID")
    refused(send(own | {"clientData": 7}), "Invalid parameter clientData")
    refused(send(own), "Invalid parameter credentialID")  # a passkey's credential
    make_explicit(alice, "PIN", "TOTP")
    refused(send(own), "Invalid parameter credentialID")  # nothing is sent for a device
    assert mailoutbox == []
    alice.own_credential()
    own = {"credentialID": alice.credential.credential_id}
    make_explicit(alice, "MAIL")
    AuthenticationObject.objects.update(locked_until=timezone.now() + timedelta(minutes=1))
    refused(send(own), {1: "OTP locked", 2: "Credential locked"}[version])
    assert mailoutbox == []


def test_get_challenge_has_its_sentences(alice: Signer) -> None:
    bearer, own = alice.log_in(), alice.credential.credential_id
    make_explicit(alice, "PIN", "OCRA")
    for body, name in (
        ({"authObjectID": "OCRA"}, "credentialID"),
        ({"credentialID": 7, "authObjectID": "OCRA"}, "credentialID"),
        ({"credentialID": "unknown", "authObjectID": "OCRA"}, "credentialID"),
        ({"credentialID": own}, "authObjectID"),
        ({"credentialID": own, "authObjectID": 7}, "authObjectID"),
        ({"credentialID": own, "authObjectID": "unknown"}, "authObjectID"),
        ({"credentialID": own, "authObjectID": "PIN"}, "authObjectID"),
    ):
        refused(call("credentials/getChallenge", body, bearer), f"Invalid parameter {name}")
    assert call("credentials/getChallenge", {}, bearer, version=1).status_code == 404


@both_versions
def test_mails_are_few(alice: Signer, version: int, mailoutbox: list[Any], settings: Any) -> None:
    make_explicit(alice, "MAIL")
    bearer, own = alice.log_in(), {"credentialID": alice.credential.credential_id}

    def send() -> Any:
        return call("credentials/sendOTP", own, bearer, version=version)

    assert send().status_code == 204
    again = send()
    refused(again, "The signer was asked a moment ago.", "too_many_requests", 429)
    assert 25 <= int(again["Retry-After"]) <= 30
    settings.RSSP_OTP_RESEND_SECONDS = 0
    answers = [send() for _ in range(12)]
    assert [each.status_code for each in answers] == [204] * 9 + [429] * 3
    assert 3500 <= int(answers[-1]["Retry-After"]) <= 3600
    assert len(mailoutbox) == 10


def test_a_mail_that_cannot_be_sent_is_503(alice: Signer, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    make_explicit(alice, "MAIL")

    def fail(*_arguments: Any) -> None:
        raise ConnectionRefusedError("alice@example.org is not reached")

    monkeypatch.setattr(EmailBackend, "send_messages", fail)
    answer = call("credentials/sendOTP", {"credentialID": alice.credential.credential_id}, alice.log_in())
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert "alice@example.org" not in caplog.text


# --- What is kept -------------------------------------------------------------------------------------------


def test_no_secret_lies_in_the_database_or_is_good_in_another_place(alice: Signer, bob: Signer) -> None:
    make_explicit(alice, "PIN", "TOTP", "MAIL", "OCRA")
    make_explicit(bob, "PIN")
    pin = factor(alice.credential, "PIN")
    assert unseal(sealed=pin.secret, place=place_of(pin)).startswith("token-hmac-1$")
    for row in AuthenticationObject.objects.all():
        assert row.secret.startswith("gAAAA")
    foreign = factor(bob.credential, "PIN")
    with pytest.raises(SealError):
        unseal(sealed=pin.secret, place=place_of(foreign))
    AuthenticationObject.objects.filter(pk=foreign.pk).update(secret=pin.secret)
    answer = authorize(bob, bob.log_in(), LEASE, authData=data(PIN=PIN))
    assert (answer.status_code, answer.json()["error"]) == (500, "server_error")


def test_a_rotated_key_still_opens_what_was_sealed_before(alice: Signer, settings: Any) -> None:
    make_explicit(alice, "PIN")
    fresh = "8m3m3V3wq3bQb3o3F5q1V5J9b6k9n6Y8h3c0l6a1x2Y="
    settings.RSSP_FACTOR_KEYS = [fresh, *settings.RSSP_FACTOR_KEYS]
    opened(authorize(alice, alice.log_in(), LEASE, authData=data(PIN=PIN)))
    settings.RSSP_FACTOR_KEYS = [fresh]
    assert authorize(alice, alice.log_in(), LEASE, authData=data(PIN=PIN)).status_code == 500


def test_i1_no_log_holds_a_pin_a_password_or_a_sad(alice: Signer, caplog: Any, mailoutbox: list[Any]) -> None:
    canary = "Canary-PIN-7391"
    make_explicit(alice, "PIN", "MAIL", "TOTP", expression="PIN AND (MAIL OR TOTP)")
    bearer = alice.log_in()
    with caplog.at_level("DEBUG"):
        assert call("credentials/sendOTP", {"credentialID": alice.credential.credential_id}, bearer).status_code == 204
        for pin in (canary, PIN):
            answer = authorize(alice, bearer, LEASE, authData=data(PIN=pin, MAIL=read_mail()))
        sad = "" if answer.status_code != 200 else answer.json()["SAD"]
        shown = show_totp()
        answer = authorize(alice, bearer, LEASE, version=1, PIN=PIN, OTP=shown)
        alice.sign(bearer, LEASE, SAD=sad or "none")
        sad = opened(authorize(alice, bearer, LEASE, authData=data(PIN=PIN, TOTP=show_totp(steps=1))))
        assert alice.sign(bearer, LEASE, SAD=sad).status_code == 200
    told = caplog.text + str(list(AuditEvent.objects.values()))
    assert len(told) > 1000
    for secret in (canary, PIN, read_mail(), shown, sad, "alice@example.org"):
        assert secret not in told


def test_denied_is_the_word_where_version_1_has_none(alice: Signer) -> None:
    make_explicit(alice, "OCRA")
    refused(authorize(alice, alice.log_in(), LEASE, version=1), ACCESS_DENIED, "access_denied")

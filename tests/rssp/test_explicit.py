"""Explicit mode (CSC API v1, 8.2; v2, 8.3): PIN and one-time passwords to a SAD, flow by flow, in both versions."""

from typing import Any

import pytest

from rssp.models import Activation, AuditEvent
from rssp.one_time_passwords import answer_challenge
from tests.rssp.conftest import Asked, Signer, call, digest
from tests.rssp.explicit import DEVICE, PIN, authorize_body, data, make_explicit, read_mail, show_totp

LEASE, WILL = digest("Lease"), digest("Will")
both_versions = pytest.mark.parametrize("version", [1, 2])


def authorize(signer: Signer, bearer: str, *digests: bytes, version: int = 2, **members: Any) -> Any:
    body = authorize_body(signer, *digests, version=version, **members)
    return call("credentials/authorize", body, bearer, version=version)


def opened(answer: Any) -> str:
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert set(body) == {"SAD", "expiresIn"}
    assert body["expiresIn"] == 300
    return str(body["SAD"])


def factors(version: int, **values: str) -> dict[str, Any]:
    """The same factors as each version has them."""
    return (
        {"authData": data(**values)} if version == 2 else {{"PIN": "PIN"}.get(k, "OTP"): v for k, v in values.items()}
    )


@both_versions
@pytest.mark.parametrize("key_algorithm", ["ec-p256", "rsa-2048"])
def test_f1_f5_a_pin_opens_the_credential_and_signs_what_was_named(
    alice: Signer, version: int, key_algorithm: str
) -> None:
    alice.own_credential(key_algorithm)
    make_explicit(alice, "PIN")
    asked, bearer = Asked(), alice.log_in()
    sad = opened(authorize(alice, bearer, LEASE, version=version, **factors(version, PIN=PIN)))
    signed = alice.sign(bearer, LEASE, version=version, SAD=sad)
    assert signed.status_code == 200, signed.content
    assert asked.count == 1
    activation = Activation.objects.get(kind="explicit")
    assert (activation.factors, activation.num_signatures, activation.passkey_id) == ("PIN", 1, None)
    again = alice.sign(bearer, LEASE, version=version, SAD=sad)
    assert (again.status_code, asked.count) == (400, 1)
    told = list(AuditEvent.objects.order_by("sequence").values_list("action", "result", "factors"))
    assert told == [("authorise", "done", "PIN"), ("sign", "signed", "PIN"), ("sign", "replay", "")]


@both_versions
def test_f2_a_one_time_password_by_mail_joins_the_pin(alice: Signer, version: int, mailoutbox: list[Any]) -> None:
    make_explicit(alice, "PIN", "MAIL")
    bearer = alice.log_in()
    sent = call("credentials/sendOTP", {"credentialID": alice.credential.credential_id}, bearer, version=version)
    assert (sent.status_code, sent.content, len(mailoutbox)) == (204, b"", 1)
    password = read_mail()
    sad = opened(authorize(alice, bearer, LEASE, version=version, **factors(version, PIN=PIN, MAIL=password)))
    assert alice.sign(bearer, LEASE, version=version, SAD=sad).status_code == 200
    assert Activation.objects.get(kind="explicit").factors == "PIN, e-mail OTP"
    spent = authorize(alice, bearer, LEASE, version=version, **factors(version, PIN=PIN, MAIL=password))
    assert spent.status_code == 400


@both_versions
def test_a_password_by_the_clock_is_good_once(alice: Signer, version: int) -> None:
    make_explicit(alice, "PIN", "TOTP")
    bearer, shown = alice.log_in(), show_totp()
    opened(authorize(alice, bearer, LEASE, version=version, **factors(version, PIN=PIN, TOTP=shown)))
    replayed = authorize(alice, bearer, LEASE, version=version, **factors(version, PIN=PIN, TOTP=shown))
    assert replayed.status_code == 400
    earlier = authorize(alice, bearer, LEASE, version=version, **factors(version, PIN=PIN, TOTP=show_totp(steps=-1)))
    assert earlier.status_code == 400
    opened(authorize(alice, bearer, LEASE, version=version, **factors(version, PIN=PIN, TOTP=show_totp(steps=1))))


def test_f7_a_challenge_is_shown_or_sent_and_answered_once(alice: Signer, mailoutbox: list[Any]) -> None:
    make_explicit(alice, "OCRA", "MAIL", expression="OCRA XOR MAIL")
    bearer, own = alice.log_in(), alice.credential.credential_id
    shown = call("credentials/getChallenge", {"credentialID": own, "authObjectID": "OCRA"}, bearer)
    assert (shown.status_code, set(shown.json())) == (200, {"challenge"})
    answer = answer_challenge(secret=DEVICE, challenge=shown.json()["challenge"])
    sad = opened(authorize(alice, bearer, LEASE, authData=data(OCRA=answer)))
    assert alice.sign(bearer, LEASE, SAD=sad).status_code == 200
    assert authorize(alice, bearer, LEASE, authData=data(OCRA=answer)).status_code == 400
    sent = call("credentials/getChallenge", {"credentialID": own, "authObjectID": "MAIL"}, bearer)
    assert (sent.status_code, sent.content) == (204, b"")
    opened(authorize(alice, bearer, WILL, authData=data(MAIL=read_mail())))


@both_versions
def test_without_hashes_a_sad_of_scal_1_signs_any_digest_so_often(alice: Signer, asked: Asked, version: int) -> None:
    make_explicit(alice, "PIN", scal="1")
    bearer = alice.log_in()
    sad = opened(authorize(alice, bearer, version=version, numSignatures=2, **factors(version, PIN=PIN)))
    for each, status in ((LEASE, 200), (WILL, 200), (LEASE, 400)):
        assert alice.sign(bearer, each, version=version, SAD=sad).status_code == status
    assert asked.count == 2


@both_versions
def test_several_hashes_are_one_authorization(alice: Signer, asked: Asked, version: int) -> None:
    make_explicit(alice, "PIN")
    bearer = alice.log_in()
    sad = opened(authorize(alice, bearer, LEASE, WILL, version=version, **factors(version, PIN=PIN)))
    assert alice.sign(bearer, WILL, LEASE, version=version, SAD=sad).status_code == 200
    assert asked.count == 2


@pytest.mark.parametrize(
    ("expression", "given", "status"),
    [
        ("PIN OR TOTP", "PIN", 200),
        ("PIN OR TOTP", "TOTP", 200),
        ("PIN OR TOTP", "PIN TOTP", 200),
        ("PIN OR TOTP", "", 400),
        ("PIN XOR TOTP", "TOTP", 200),
        ("PIN XOR TOTP", "PIN TOTP", 400),
        ("PIN AND TOTP", "PIN", 400),
        ("PIN AND TOTP", "TOTP", 400),
        ("PIN AND TOTP", "PIN TOTP", 200),
    ],
)
@both_versions
def test_the_expression_says_which_factors_open(
    alice: Signer, version: int, expression: str, given: str, status: int
) -> None:
    make_explicit(alice, "PIN", "TOTP", expression=expression)
    values = {name: {"PIN": PIN, "TOTP": show_totp()}[name] for name in given.split()}
    answer = authorize(alice, alice.log_in(), LEASE, version=version, **factors(version, **values))
    assert answer.status_code == status, answer.content


def test_version_1_tells_what_it_needs(alice: Signer) -> None:
    own = alice.credential.credential_id
    wanted = {"credentialID": own, "authInfo": True}
    make_explicit(alice, "PIN", "TOTP", "MAIL", expression="PIN AND (TOTP OR MAIL)")
    told = call("credentials/info", wanted, alice.log_in(), version=1).json()
    assert told["authMode"] == "explicit"
    assert told["PIN"] == {"presence": "true", "format": "N", "label": "PIN"}
    otp = told["OTP"]
    assert (otp["presence"], otp["type"], otp["format"], otp["ID"], otp["provider"]) == (
        *("true", "offline", "N", "TOTP"),
        "TOTP",
    )
    bare = call("credentials/info", {"credentialID": own}, alice.log_in(), version=1).json()
    assert bare["authMode"] == "explicit"
    assert not {"PIN", "OTP", "auth"} & set(bare)


@pytest.mark.parametrize(
    ("names", "expression", "pin", "otp"),
    [
        ("PIN", "", "true", "false"),
        ("MAIL", "", "false", "true"),
        ("PIN MAIL", "", "true", "true"),
        ("PIN MAIL", "PIN OR MAIL", "optional", "optional"),
        ("PIN KEY", "", "true", "false"),
        ("PIN KEY", "PIN OR KEY", "optional", "false"),
        ("PIN OCRA", "", "false", "false"),  # version 1 cannot open it
    ],
)
def test_presence_follows_from_the_expression(alice: Signer, names: str, expression: str, pin: str, otp: str) -> None:
    make_explicit(alice, *names.split(), expression=expression)
    wanted = {"credentialID": alice.credential.credential_id, "authInfo": True}
    told = call("credentials/info", wanted, alice.log_in(), version=1).json()
    assert (told["PIN"]["presence"], told["OTP"]["presence"]) == (pin, otp)


def test_version_2_tells_objects_and_expression(alice: Signer) -> None:
    make_explicit(alice, "PIN", "MAIL", "KEY", expression="PIN AND (MAIL OR KEY)")
    own = {"credentialID": alice.credential.credential_id}
    auth = call("credentials/info", own | {"authInfo": True}, alice.log_in()).json()["auth"]
    assert (auth["mode"], auth["expression"]) == ("explicit", "PIN AND (MAIL OR KEY)")
    assert [(each["id"], each["type"]) for each in auth["objects"]] == [
        ("PIN", "Password"),
        ("MAIL", "ChallengeResponse"),
        ("KEY", "PasswordOOB"),
    ]
    assert auth["objects"][0] == {"type": "Password", "id": "PIN", "label": "PIN", "format": "N"}
    assert all(isinstance(value, str) for each in auth["objects"] for value in each.values())
    assert call("credentials/info", own, alice.log_in()).json()["auth"] == {"mode": "explicit"}
    listed = call("credentials/list", {"credentialInfo": True, "authInfo": True}, alice.log_in()).json()
    assert listed["credentialInfos"][0]["auth"] == auth

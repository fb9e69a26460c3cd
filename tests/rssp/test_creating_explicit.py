"""The operator's opt-in: explicit credentials are made whole or not at all, marked, audited, unlocked and mended."""

import base64
import io
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from rssp.errors import CreationFailedError, ExplicitModeError, HsmUnavailableError
from rssp.models import AuditEvent, AuthenticationObject, Certificate, Challenge, Credential, PendingAuthorization
from rssp.services.clearing import clear_expired
from rssp.services.creating_explicit import create_explicit_credential, set_pin, unlock_credential
from rssp.services.explicit import NewObject
from rssp.services.hsm import get_hsm
from rssp.services.operating import CONSOLE
from tests.rssp.conftest import Asked, Signer, call, digest
from tests.rssp.explicit import ADDRESS, DEVICE, OBJECTS, PIN, WRONG_PIN, data, factor
from tests.rssp.test_explicit import authorize, opened

LEASE = digest("Lease")
SECRET = base64.b32encode(DEVICE).decode()


def make(signer: Signer, *names: str, **changes: Any) -> Credential:
    wanted = {
        "subject": signer.subject,
        "common_name": "Alice Example",
        "certificate_policy": "demonstration",
        "key_algorithm": "ec-p256",
        "objects": [OBJECTS[name] for name in names],
        "reason": "asked for by letter",
        "operator": CONSOLE,
    }
    signer.credential = create_explicit_credential(**wanted | changes)
    return signer.credential


def test_what_an_operator_makes_opens_signs_and_says_that_it_is_weaker(alice: Signer) -> None:
    made = make(alice, "PIN", "TOTP", expression="PIN OR TOTP")
    asked, bearer = Asked(), alice.log_in()
    told = call("credentials/info", {"credentialID": made.credential_id, "authInfo": True}, bearer).json()
    assert "weaker" in told["description"]
    assert (told["auth"]["mode"], told["auth"]["expression"], told["SCAL"]) == ("explicit", "PIN OR TOTP", "2")
    sad = opened(authorize(alice, bearer, LEASE, authData=data(PIN=PIN)))
    assert alice.sign(bearer, LEASE, SAD=sad).status_code == 200
    assert asked.count == 1
    event = AuditEvent.objects.get(action="create credential")
    assert (event.result, event.subject, event.credential_id) == ("created", alice.subject, made.credential_id)
    assert (event.factors, event.reason) == ("operator", "explicit, PIN OR TOTP; by console: asked for by letter")


def test_a_passkey_is_one_that_the_user_s_credentials_know(alice: Signer, bob: Signer) -> None:
    made = make(alice, "KEY", is_implicit=True)
    assert made.auth_mode == "implicit"
    assert [bytes(each.passkey_id) for each in made.bindings.all()] == [alice.key.credential_id]
    stranger = Signer(alice.remote)
    with pytest.raises(ExplicitModeError, match="No credential of this user"):
        make(stranger, "KEY")
    bob.credential.bindings.update(unbound=timezone.now())
    with pytest.raises(ExplicitModeError, match="No credential of this user"):
        make(bob, "KEY")


REFUSED: list[dict[str, Any]] = [
    {"objects": []},
    {"objects": [OBJECTS["PIN"]] * 2},
    {"objects": [NewObject(f"O{number}", "passkey") for number in range(9)]},
    *(
        {"objects": [replace(OBJECTS["PIN"], identifier=name)]}
        for name in ("", "1", "AND", "not", "P N", "P" * 33, "É")
    ),
    *(
        {"objects": [replace(OBJECTS["PIN"], secret=pin)]}
        for pin in ("", "12345", "111111", "121212", "123456", "654321", "abcdef", " 739164", "7391\n64", "7" * 65)
    ),
    *({"objects": [replace(OBJECTS["TOTP"], secret=secret)]} for secret in ("", "AAAA", "not base32!", "0189")),
    *({"objects": [replace(OBJECTS["OCRA"], secret=secret)]} for secret in ("", SECRET[:20])),
    *({"objects": [replace(OBJECTS["MAIL"], secret=address)]} for address in ("", "alice", "a@b@c", "a\n@b.example")),
    {"objects": [replace(OBJECTS["KEY"], secret="x")]},
    {"expression": "PIN AND OTP"},
    {"expression": "PIN OR"},
    {"objects": [OBJECTS["PIN"], OBJECTS["TOTP"]], "expression": "PIN"},
    {"objects": [OBJECTS["PIN"], OBJECTS["TOTP"], OBJECTS["MAIL"]], "expression": "PIN AND TOTP OR MAIL"},
    {"is_implicit": True},
    {"objects": [OBJECTS["PIN"], OBJECTS["KEY"]], "is_implicit": True},
    {"key_algorithm": "rsa-1024"},
    {"scal": "3"},
    {"multisign": 0},
    {"multisign": 101},
]


@pytest.mark.parametrize("changes", REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_is_refused_before_there_is_a_key(alice: Signer, changes: dict[str, Any]) -> None:
    before, asked = set(get_hsm().list_key_ids()), Asked()
    with pytest.raises(ExplicitModeError):
        make(alice, **{"objects": [OBJECTS["PIN"]], **changes})
    assert set(get_hsm().list_key_ids()) == before
    assert asked.count == 0
    assert Credential.objects.count() == 1


def test_what_fails_on_the_way_leaves_nothing(alice: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(get_hsm().list_key_ids())

    def fail(**_arguments: Any) -> None:
        raise HsmUnavailableError("gone")

    monkeypatch.setattr("rssp.services.creating_explicit.add_objects", fail)
    with pytest.raises(CreationFailedError):
        make(alice, "PIN")
    assert set(get_hsm().list_key_ids()) == before
    assert Credential.objects.count() == 1
    assert Certificate.objects.filter(role="signer", status="revoked").count() == 1
    assert AuditEvent.objects.get(action="create credential").result == "failed"


# --- Commands -----------------------------------------------------------------------------------------------


def run(*arguments: str, **options: Any) -> str:
    told = io.StringIO()
    call_command(*arguments, stdout=told, **options)
    return told.getvalue().strip()


def secret_file(folder: Path, name: str, content: str, mode: int = 0o600) -> str:
    path = folder / name
    path.write_text(content + "\n", encoding="utf-8")
    path.chmod(mode)
    return str(path)


def arguments_for(signer: Signer) -> list[str]:
    named = ["--subject", signer.subject, "--common-name", "Alice Example", "--email", ADDRESS, "--reason", "by letter"]
    return ["create_explicit_credential", *named]


def test_the_command_reads_secrets_from_files_that_others_cannot(alice: Signer, tmp_path: Path) -> None:
    pin = secret_file(tmp_path, "pin", PIN)
    totp = secret_file(tmp_path, "totp", SECRET.lower())
    made = run(*arguments_for(alice), "--pin-file", pin, "--totp-file", totp, "--email-otp", "--passkey")
    alice.credential = Credential.objects.get(credential_id=made)
    kinds = list(alice.credential.authentication_objects.order_by("pk").values_list("identifier", "kind"))
    assert kinds == [("PIN", "pin"), ("OTP", "totp"), ("MAIL", "email"), ("Passkey", "passkey")]
    assert alice.credential.auth_expression == "PIN AND OTP AND MAIL AND Passkey"
    only = run(*arguments_for(alice), "--pin-file", pin, "--key-algorithm", "rsa-2048", "--scal", "1")
    alice.credential = Credential.objects.get(credential_id=only)
    opened(authorize(alice, alice.log_in(), authData=data(PIN=PIN)))


def test_the_command_refuses_what_it_must_not_read(alice: Signer, tmp_path: Path) -> None:
    readable = secret_file(tmp_path, "readable", PIN, 0o644)
    for options, words in (
        (["--pin-file", readable], "can be read by others"),
        (["--pin-file", str(tmp_path / "none")], "cannot be read"),
        (["--pin-file", secret_file(tmp_path, "short", "1234")], "A PIN has 6 to 64"),
        ([], "1 to 8 authentication objects"),
        (["--email-otp", "--certificate-policy", "none"], "certificate policy"),
    ):
        with pytest.raises(CommandError, match=words):
            run(*arguments_for(alice), *options)
    with pytest.raises(CommandError, match="unrecognized"):
        run(*arguments_for(alice), "--pin", PIN)
    with pytest.raises(CommandError) as refused:
        run(*arguments_for(alice), "--pin-file", PIN)
    assert PIN not in str(refused.value)
    assert Credential.objects.count() == 1


def test_the_command_reads_standard_input(alice: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PIN}\n"))
    alice.credential = Credential.objects.get(credential_id=run(*arguments_for(alice), "--pin-file", "-"))
    opened(authorize(alice, alice.log_in(), LEASE, authData=data(PIN=PIN)))


def test_an_operator_unlocks_and_sets_a_pin(alice: Signer) -> None:
    made, bearer = make(alice, "PIN"), alice.log_in()
    assert run("unlock_credential", made.credential_id, "--reason", "called") == "nothing was locked"
    for _ in range(django_settings.RSSP_FACTOR_TRIES):
        authorize(alice, bearer, LEASE, authData=data(PIN=WRONG_PIN))
    assert authorize(alice, bearer, LEASE, authData=data(PIN=PIN)).json()["error_description"] == "Credential locked"
    assert run("unlock_credential", made.credential_id, "--reason", "called") == "unlocked"
    opened(authorize(alice, bearer, LEASE, authData=data(PIN=PIN)))
    set_pin(credential=made, pin="Xk4-trau", reason="forgotten", operator=CONSOLE)
    assert authorize(alice, bearer, LEASE, authData=data(PIN=PIN)).status_code == 400
    opened(authorize(alice, bearer, LEASE, authData=data(PIN="Xk4-trau")))
    assert factor(made, "PIN").format == ""
    reasons = AuditEvent.objects.filter(action="administer").values_list("reason", flat=True)
    assert list(reasons) == ["unlocked: called", "PIN set: forgotten"]
    with pytest.raises(ExplicitModeError):
        set_pin(credential=made, pin="111111", reason="", operator=CONSOLE)
    with pytest.raises(CommandError):
        run("unlock_credential", "unknown", "--reason", "called")
    assert not unlock_credential(credential=made, reason="again", operator=CONSOLE)


def test_what_is_over_is_cleared_after_a_day(alice: Signer) -> None:
    made, now = make(alice, "PIN", "MAIL"), timezone.now()
    for days in (0, 2):
        then = now - timedelta(days=days)
        Challenge.objects.create(
            authentication_object=factor(made, "MAIL"), client_id="c", answer_hash="", created=then, expires=then
        )
        PendingAuthorization.objects.create(
            handle_checksum=os.urandom(32).hex(),
            credential=made,
            client_id="c",
            request="",
            hash_algorithm_oid="",
            digests=[],
            factors="",
            interval=5,
            next_poll=then,
            expires=then,
        )
    assert clear_expired() == 2
    assert (Challenge.objects.count(), PendingAuthorization.objects.count()) == (1, 1)
    assert AuthenticationObject.objects.count() == 2

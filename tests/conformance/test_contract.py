"""Every row of the contract against a whole instance of ours, over real HTTP: none is left out."""

import base64
import secrets
import stat
from collections.abc import Iterator
from json import loads
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.instance import Instance
from tests.conformance.rows import BOTH, Row, Version
from tests.conformance.running import try_row
from tests.conformance.tables import CLAUSES, METHODS, ROWS, not_built
from tests.conformance.target import Given, Target
from tests.support.instance import start_instance

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("conformance")]

SECONDS = 4  # that a SAD lives here, so that one can be seen to expire
OWNER_ONLY = stat.S_IRUSR | stat.S_IWUSR
EXPIRE = """
from datetime import timedelta
from django.utils import timezone
from rssp.models import Certificate
mine = Certificate.objects.filter(credentials__credential_id={credential_id!r})
mine.update(not_after=timezone.now() - timedelta(days=1))
"""
DISABLE = """
from rssp.models import Credential
Credential.objects.filter(credential_id={credential_id!r}).update(status="disabled")
"""
SEAL = """
from rssp.models import Credential
from rssp.services.granting import grant_seals, set_seal
from rssp.services.operating import CONSOLE
credential = Credential.objects.get(credential_id={credential_id!r})
set_seal(credential=credential, is_seal=True, reason="a test", operator=CONSOLE)
grant_seals(client_id={client_id!r}, subject=credential.subject, max_signatures=10, operator=CONSOLE)
"""


class Laboratory:
    """An instance with a credential in every state that a row needs, all of them Alice's."""

    def __init__(self, instance: Instance, folder: Path) -> None:
        self._instance = instance
        self._folder = folder
        told = loads(instance.manage("seed_demo", capture=True))
        self._alice = next(user for user in told["users"] if user["pin"])
        self._base_url = f"{instance.base_url}/csc"

    def given(self) -> Given:
        plain = self._make("--pin-file", self._secret(self._alice["pin"]))
        expired, disabled, locked = (self._make("--pin-file", self._secret(self._alice["pin"])) for _ in range(3))
        device = self._secret(base64.b32encode(secrets.token_bytes(20)).decode())
        two = self._make("--pin-file", self._secret(self._alice["pin"]), "--totp-file", device)
        online = self._make("--email-otp")
        implicit = self._make("--implicit")
        self._shell(EXPIRE, credential_id=expired)
        self._lock(locked)
        self._shell(DISABLE, credential_id=disabled)
        return Given(
            base_url=self._base_url,
            user=self._alice["email"],
            password=self._alice["password"],
            pin=self._alice["pin"],
            two_factor_credential=two,
            online_otp_credential=online,
            implicit_credential=implicit,
            challenge_credential=online,
            challenge_object="MAIL",
            disabled_credential=disabled,
            locked_credential=locked,
            expired_credential=expired,
            seal_token=self._seal_token(plain, told := self._client()),
            client_id=told["client_id"],
            client_secret=told["client_secret"],
            user_id=self._alice["user_id"],
            patience=SECONDS,
        )

    def _make(self, *options: str) -> str:
        subject = ("--subject", self._alice["user_id"], "--common-name", "Alice Example")
        rest = ("--email", self._alice["email"], "--reason", "a test")
        return self._instance.manage("create_explicit_credential", *subject, *rest, *options, capture=True).strip()

    def _secret(self, text: str) -> str:
        path = self._folder / secrets.token_hex(8)
        path.touch(OWNER_ONLY)
        path.write_text(text, encoding="utf-8")
        return str(path)

    def _shell(self, code: str, **values: str) -> None:
        self._instance.manage("shell", "--no-imports", "-c", code.format(**values), capture=True)

    def _client(self) -> dict[str, str]:
        arguments = ("create_client", "A sealing machine", "--may-act-alone")
        told: dict[str, str] = loads(self._instance.manage(*arguments, capture=True))
        return told

    def _seal_token(self, credential_id: str, told: dict[str, str]) -> str:
        self._shell(SEAL, credential_id=credential_id, client_id=told["client_id"])
        answer = httpx.post(
            f"{self._instance.base_url}/authz/oauth2/token",
            data={"grant_type": "client_credentials", "scope": "service"},
            auth=(told["client_id"], told["client_secret"]),
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def _lock(self, credential_id: str) -> None:
        with httpx.Client(trust_env=False, timeout=60) as http:
            given = Given(self._base_url, user=self._alice["email"], password=self._alice["password"])
            target = Target(given, 1, http)
            wrong = {"credentialID": credential_id, "numSignatures": 1, "hash": ["A" * 43 + "="], "PIN": "wrong-PIN-9"}
            told: list[Any] = []
            while "PIN locked" not in told[-1:]:
                answer = target.post("credentials/authorize", wrong, f"Bearer {target.token}")
                told.append(answer.json()["error_description"])
                assert len(told) < 20, told


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Version, Target]]:
    folder = tmp_path_factory.mktemp("conformance")
    settings = {"RSSP_SAD_SECONDS": str(SECONDS), "RSSP_OTP_RESEND_SECONDS": "0"}
    with (
        start_instance(folder / "var", settings=settings) as instance,
        httpx.Client(trust_env=False, timeout=60) as http,
    ):
        given = Laboratory(instance, folder).given()
        yield {version: Target(given, version, http) for version in BOTH}


CASES = [(version, row) for version in BOTH for row in ROWS if version in row.versions]


@pytest.mark.parametrize(("version", "row"), CASES, ids=[row.name(version) for version, row in CASES])
def test_row(targets: dict[Version, Target], version: Version, row: Row) -> None:
    target = targets[version]
    wanted = row if row.method in target.methods else not_built(row.method, version)
    result = try_row(target, wanted)
    assert (result.verdict, result.remark) == ("passed", "")


@pytest.mark.parametrize("version", BOTH)
def test_a_method_is_built_or_answers_501(targets: dict[Version, Target], version: Version) -> None:
    target = targets[version]
    for method in METHODS[version]:
        if method not in target.methods:
            assert try_row(target, not_built(method, version)).verdict == "passed", method
    assert set(target.methods) & set(CLAUSES) <= {row.method for row in ROWS}

"""A running instance as these tests see it: its addresses, its databases, and what its HSM was asked for."""

import json
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from scripts.instance import ROOT, Instance
from tests.flows.witness import SignCall, read_calls
from tests.support.softhsm import MODULE, SPY
from tests.support.walk import CscClient, Walker

REDIRECT_URI = "https://elsewhere.example/callback"


def spied(folder: Path, **settings: str) -> dict[str, str]:
    """Settings of an instance whose web processes write down below ``folder`` what they ask their HSM to sign."""
    (folder / "spy").mkdir(parents=True)
    (folder / "calls").mkdir()
    return {
        "PKCS11_MODULE": SPY,
        "PKCS11SPY": MODULE,
        "PKCS11SPY_OUTPUT": str(folder / "spy" / "log"),
        "TEST_CALLS_DIR": str(folder / "calls"),
        "GUNICORN_CMD_ARGS": f"--config {ROOT / 'tests' / 'flows' / 'gunicorn_config.py'}",
        **settings,
    }


@dataclass(frozen=True)
class Chain:
    """``databases`` are the addresses of those roles' databases that are not SQLite files."""

    instance: Instance
    folder: Path
    databases: tuple[tuple[str, str], ...] = ()

    @property
    def base_url(self) -> str:
        return self.instance.base_url

    def walker(self, name: str) -> Walker:
        return Walker(name, signapp=self.base_url, authz=self.base_url)

    def client(self, name: str) -> CscClient:
        """A foreign client, registered as an operator does."""
        told = json.loads(self.instance.manage("create_client", name, "--redirect-uri", REDIRECT_URI, capture=True))
        return CscClient(
            issuer=f"{self.base_url}/authz",
            service=f"{self.base_url}/csc",
            client_id=told["client_id"],
            secret=told["client_secret"],
            redirect_uri=REDIRECT_URI,
        )

    @contextmanager
    def signer(self, name: str, *key_algorithms: str) -> Iterator["Signer"]:
        """Somebody who signed up, has a certificate of each kind, and uses a foreign client."""
        client = self.client(f"{name}'s application")
        with self.walker(name) as walker:
            walker.sign_up()
            for key_algorithm in key_algorithms:
                walker.get_certificate(key_algorithm)
            service_token = client.log_in(walker)
            yield Signer(self, walker, client, service_token, tuple(client.list_credentials(service_token)))

    def sign_calls(self) -> int:
        """C_SignInit and C_Sign with signers' keys in all web processes so far. A signature is one of the first and two
        of the second, which asks for the length before it asks for the signature."""
        return sum(not call.of_token for call in self.all_sign_calls())

    def signatures_made(self) -> int:
        """How often a signer's key was asked for a signature: not the authority's keys, and no HMAC."""
        return sum(call.is_signature and not call.of_token for call in self.all_sign_calls())

    def signatures_over(self, *digests: bytes) -> Counter[bytes]:
        """How often any key was asked to sign each of these digests, bare or at the end of a DigestInfo."""
        signed = [call.data for call in self.all_sign_calls() if call.is_signature]
        return Counter({digest: sum(data.endswith(digest.hex()) for data in signed) for digest in digests})

    def all_sign_calls(self) -> Iterator[SignCall]:
        return read_calls(self.folder / "calls")

    def spied_calls(self) -> int:
        """C_SignInit and C_Sign with any key, as pkcs11-spy counts them."""
        texts = [log.read_text(errors="replace") for log in (self.folder / "spy").glob("log.*")]
        return sum(len(re.findall(r"^\d+: C_Sign(?:Init)?$", text, re.MULTILINE)) for text in texts)

    def rows(self, role: str, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Reads from a role's database, or changes it behind the role's back."""
        if url := dict(self.databases).get(role):
            with psycopg.connect(url) as connection:
                done = connection.execute(sql.replace("?", "%s").encode(), values)
                return done.fetchall() if done.description else [(done.rowcount,)]
        with closing(sqlite3.connect(self.instance.var_dir / f"{role}.sqlite3", timeout=20)) as connection, connection:
            cursor = connection.execute(sql, values)
            return cursor.fetchall() if cursor.description else [(cursor.rowcount,)]

    def ledger(self, digests: Sequence[bytes]) -> list[str]:
        """The states of these digests' rows."""
        if not digests:
            return []
        marks = ", ".join("?" * len(digests))
        sql = f"SELECT state FROM rssp_activateddigest WHERE digest IN ({marks}) ORDER BY id"  # noqa: S608  (marks)
        return [state for (state,) in self.rows("rssp", sql, *(item.hex() for item in digests))]


@dataclass(frozen=True)
class Signer:
    """A person, a foreign client of theirs, and the credentials that both know."""

    chain: Chain
    walker: Walker
    client: CscClient
    service_token: str
    credentials: tuple[str, ...]

    @property
    def credential(self) -> str:
        return self.credentials[0]

    def ask(self, *digests: bytes, **how: Any) -> str:
        """A token of scope ``credential`` for these digests and the first credential."""
        return self.client.ask(self.walker, how.pop("credential", self.credential), *digests, **how)

    def sign(self, token: str, *digests: bytes, **members: Any) -> Any:
        credential = members.pop("credential", self.credential)
        return self.client.sign(token, credential, digests, **members)


def report(finding: str) -> None:
    """A line for the report that ``make soak`` writes."""
    print(f"\nsoak: {finding}")  # noqa: T201  (pytest shows it to whoever asks)


def eventually(is_so: Callable[[], Any], *, seconds: float = 120) -> Any:
    """Waits until it is so, and answers what it answered."""
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.1)
    return found

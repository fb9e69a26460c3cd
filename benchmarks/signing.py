"""``python -m benchmarks.signing``: what signHash costs beside the bare HSM, on an instance with two web processes.

Everything is real: SoftHSM, the databases, gunicorn, Alice's service token by auth/login, explicit credentials. The
authorisations that single calls use up are made beforehand; pairs make theirs with the PIN, over HTTP. Raw is
python-pkcs11 alone, two processes with key and handle at hand, in the same run on the same cores as everything else,
the load included.
"""

import argparse
import base64
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.load import Connection, Rate, at_once, processor_time
from scripts.instance import ROOT, Instance, free_port

PROCESSES, THREADS, BATCH = 2, 8, 100
KEYS = {"rsa-2048": "1.2.840.113549.1.1.11", "ec-p256": "1.2.840.10045.4.3.2"}
EMAIL, PASSWORD, PIN = "alice@example.org", secrets.token_urlsafe(16), "Bench-4827"
# Far more than can be used up in the time that is measured; an authorisation costs its making.
MOST_CALLS_A_SECOND = {1: 1200, BATCH: 90}
GOALS = {("rsa-2048", "100 hashes"): 0.9, ("ec-p256", "100 hashes"): 0.4, ("rsa-2048", "one hash"): 0.45}
GOALS |= {("rsa-2048", "authorize, then one hash"): 0.35}


# --- In a process of its own, with the instance's settings ------------------------------------------------------------


def prepare() -> dict[str, str]:
    """Alice and her credentials, by key algorithm."""
    from authz.services.accounts import create_user
    from rssp.services.creating_explicit import create_explicit_credential
    from rssp.services.explicit import NewObject
    from rssp.services.operating import CONSOLE

    user = create_user(email=EMAIL, name="Alice", password=os.environ["BENCHMARK_PASSWORD"])
    return {
        key: create_explicit_credential(
            subject=str(user.sub),
            common_name="Alice",
            certificate_policy="demonstration",
            key_algorithm=key,
            objects=[NewObject("PIN", "pin", PIN)],
            reason="a benchmark",
            operator=CONSOLE,
        ).credential_id
        for key in KEYS
    }


def authorise(credential_id: str, calls: int, hashes: int) -> list[tuple[str, list[str]]]:
    """SADs and the digests that each is for, as signHash takes them."""
    from django.conf import settings

    from rssp.clients.introspection import VerifiedToken
    from rssp.models import Credential
    from rssp.services.auditing import SYSTEM
    from rssp.services.authorising import authorise

    credential = Credential.objects.select_related("certificate", "key").get(credential_id=credential_id)
    token = VerifiedToken(
        issuer=settings.ISSUER,
        client_id=settings.CSC_LOGIN_CLIENT_ID,
        subject=credential.subject,
        scopes=frozenset({"service"}),
        expires_at=int(time.time()) + 3600,
        checksum="",
        details=None,
        approval=None,
    )
    made = []
    for _ in range(calls):
        digests = [secrets.token_bytes(32) for _ in range(hashes)]
        _, sad = authorise(
            credential=credential,
            token=token,
            factors="PIN",
            hash_algorithm_oid=None,
            digests=digests,
            num_signatures=hashes,
            lifetime=timedelta(hours=1),
            origin=SYSTEM,
        )
        made.append((sad, [base64.b64encode(digest).decode() for digest in digests]))
    return made


def sign_raw(credential_id: str, seconds: float) -> float:
    """Signatures a second by this process alone."""
    from rssp.algorithms import choose_operation
    from rssp.hsm.mechanisms import build_request
    from rssp.models import Credential
    from rssp.services.keys import open_key

    key = Credential.objects.select_related("key").get(credential_id=credential_id).key
    operation = choose_operation(
        key_algorithm=key.key_algorithm,
        sign_algo=KEYS[key.key_algorithm],
        sign_algo_params=None,
        hash_algorithm_oid=None,
    )
    with open_key(key=key) as signer:
        handle = signer._handle  # type: ignore[attr-defined]  # raw means: without what is ours
        asked = build_request(operation=operation, digest=secrets.token_bytes(32), curve_bytes=handle.curve_bytes)
        done, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            handle.raw.sign(asked.data, mechanism=asked.mechanism, mechanism_param=asked.parameter)
            done += 1
        return done / (time.perf_counter() - began)


def commit(credential_id: str, seconds: float) -> tuple[float, float]:
    """A transaction of one small row that waits for the disk: (seconds, seconds of processor time)."""
    from django.db import connections, router, transaction
    from django.utils import timezone

    from rssp.models import RateLimit

    alias = router.db_for_write(RateLimit)
    key = f"benchmark {credential_id}"[:60]
    row, _ = RateLimit.objects.get_or_create(key=key, defaults={"moment": timezone.now()})
    statement = "UPDATE rssp_ratelimit SET moment = moment WHERE key = %s"
    done, began, processor = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        with transaction.atomic(using=alias, durable=True), connections[alias].cursor() as cursor:
            cursor.execute(statement, [row.key])
        done += 1
    return (time.perf_counter() - began) / done, (time.process_time() - processor) / done


def fill(credential_id: str, rows: int) -> None:
    """That many more credentials, of one user each, with this one's key and certificate."""
    from django.db import connections, router

    from rssp.models import Credential

    own = {"credential_id": "'other-' || n", "subject": "'somebody-' || n"}
    columns = [field.column for field in Credential._meta.concrete_fields if not field.primary_key]
    named, values = ", ".join(columns), ", ".join(own.get(column, column) for column in columns)
    series = "WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < %s)"
    source = f"SELECT {values} FROM rssp_credential, series WHERE credential_id = %s"  # noqa: S608  (names of ours)
    with connections[router.db_for_write(Credential)].cursor() as cursor:
        cursor.execute(f"{series} INSERT INTO rssp_credential ({named}) {source}", [rows, credential_id])
        cursor.execute("ANALYZE")


ACTS: dict[str, Callable[..., Any]] = {
    "prepare": prepare,
    "authorise": authorise,
    "sign_raw": sign_raw,
    "commit": commit,
    "fill": fill,
}


# --- Outside ----------------------------------------------------------------------------------------------------------


def inside(instance: Instance, what: str, *arguments: object, module: str = "benchmarks.signing") -> Any:
    """What an act of a module answers in a process with the instance's settings (`act`)."""
    command = [sys.executable, "-m", module, f"--inside={json.dumps([what, *arguments])}"]
    environment = {**instance.environment, "BENCHMARK_PASSWORD": PASSWORD}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def act(acts: dict[str, Callable[..., Any]], asked: str) -> None:
    """The other end of `inside`."""
    import django

    django.setup()
    what, *arguments = json.loads(asked)
    print(json.dumps(acts[what](*arguments)))


def measure_raw(instance: Instance, credential: str, seconds: float) -> float:
    with ThreadPoolExecutor(PROCESSES) as processes:
        return sum(processes.map(lambda _: inside(instance, "sign_raw", credential, seconds), range(PROCESSES)))


class Alice:
    """Her requests as bytes, with her service token."""

    def __init__(self, instance: Instance) -> None:
        self.port = instance.port
        basic = base64.b64encode(f"{EMAIL}:{PASSWORD}".encode()).decode()
        told = Connection(self.port).post("/csc/v1/auth/login", f"Basic {basic}", {"rememberMe": False})
        self._bearer = f"Bearer {told['access_token']}"

    def signing(self, key: str, credential: str, made: Iterator[tuple[str, list[str]]]) -> Callable[[Connection], int]:
        """One call of signHash with the next authorisation, and how many signatures it gave; 0 when there is none."""

        def call(connection: Connection) -> int:
            sad, digests = next(made, ("", []))
            return self._sign(connection, key, credential, sad, digests) if sad else 0

        return call

    def info(self) -> Callable[[Connection], int]:
        """A call of the API that asks nobody and does nothing: what the server, Django and JSON cost."""

        def call(connection: Connection) -> int:
            return int(bool(connection.post("/csc/v1/info", self._bearer, {})))

        return call

    def pairs(self, key: str, credential: str) -> Callable[[Connection], int]:
        """credentials/authorize with the PIN, then signHash."""

        def call(connection: Connection) -> int:
            digests = [base64.b64encode(secrets.token_bytes(32)).decode()]
            asked = {"credentialID": credential, "numSignatures": 1, "hash": digests, "PIN": PIN}
            told = connection.post("/csc/v1/credentials/authorize", self._bearer, asked)
            return self._sign(connection, key, credential, told["SAD"], digests)

        return call

    def _sign(self, connection: Connection, key: str, credential: str, sad: str, digests: list[str]) -> int:
        asked = {"credentialID": credential, "SAD": sad, "hash": digests, "signAlgo": KEYS[key]}
        signatures = connection.post("/csc/v1/signatures/signHash", self._bearer, asked)["signatures"]
        if len(signatures) != len(digests):
            raise RuntimeError("not every hash was signed")
        return len(signatures)


def measure(instance: Instance, key: str, credential: str, seconds: float) -> Iterator[tuple[str, float, Rate, float]]:
    """(what, the raw rate around it, the rate, seconds of the server's processor time for each signature)."""
    alice = Alice(instance)
    calls = {"info, nothing signed": -1, "100 hashes": BATCH, "one hash": 1, "authorize, then one hash": 0}
    before = measure_raw(instance, credential, seconds / 2)
    for name, hashes in calls.items():
        if hashes > 0:
            made = inside(instance, "authorise", credential, int(MOST_CALLS_A_SECOND[hashes] * seconds), hashes)
            call = alice.signing(key, credential, iter(made))
        else:
            call = alice.pairs(key, credential) if hashes == 0 else alice.info()
        web = instance.processes["web"].pid
        processor = processor_time(web)
        rate = at_once(call, port=instance.port, threads=THREADS, seconds=seconds)
        processor = (processor_time(web) - processor) / rate.done
        after = measure_raw(instance, credential, seconds / 2)
        yield name, (before + after) / 2, rate, processor
        before = after


@contextmanager
def started(database: str, settings: dict[str, str]) -> Iterator[Instance]:
    with ExitStack() as stack:
        if database == "postgresql":
            from tests.support.services import database_of_its_own, postgresql

            server = stack.enter_context(postgresql(lasting=True))
            for role in ("AUTHZ", "RSSP"):
                settings[f"DATABASE_URL_{role}"] = stack.enter_context(database_of_its_own(server))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        instance = stack.enter_context(Instance(Path(folder) / "var", free_port(), "authz,rssp", settings))
        instance.start()
        yield instance


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--storage", choices=["wrapped", "resident"], nargs="*", default=["wrapped", "resident"])
    parser.add_argument("--keys", choices=list(KEYS), nargs="*", default=list(KEYS))
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--credentials", type=int, default=0, help="further credentials in the database")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:
        act(ACTS, chosen.inside)
        return
    print("| database | key | call | raw | signatures a second | of raw | goal | median ms | server ms | load ms |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for storage in chosen.storage:
        settings = {"KEY_STORAGE": storage, "WEB_CONCURRENCY": str(PROCESSES), "LOG_LEVEL": "WARNING"}
        settings["RSSP_FACTOR_TRIES"] = "1000"  # each counts until it was right, and there are several at once
        settings |= {"CSC_CALLS_PER_CLIENT": "1000000", "CSC_CALLS_PER_ADDRESS": "1000000"}  # counted all the same
        with started(chosen.database, settings) as instance:
            credentials = inside(instance, "prepare")
            wall, used = inside(instance, "commit", credentials["ec-p256"], 1.0)
            if chosen.credentials:
                inside(instance, "fill", credentials["ec-p256"], chosen.credentials)
            for key in chosen.keys:
                for name, raw, rate, processor in measure(instance, key, credentials[key], chosen.seconds):
                    goal = GOALS.get((key, name))
                    print(
                        f"| {chosen.database} | {key}, {storage} | {name} | {raw:.0f} | {rate.signatures:.0f} "
                        f"| {rate.signatures / raw:.3f} | {goal or ''} | {rate.median * 1000:.1f} "
                        f"| {processor * 1000:.3f} | {rate.processor * 1000:.3f} |",
                        flush=True,
                    )
    print(f"one commit that waits for the disk: {wall * 1000:.2f} ms, {used * 1000:.2f} ms of them of the processor")
    print("load average:", *(f"{load:.1f}" for load in os.getloadavg()))


if __name__ == "__main__":
    main()

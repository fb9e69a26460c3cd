"""``python -m benchmarks.floor``: the least that signHash could cost on this machine, whoever had written it.

Signing, verifying and the rows that a call leaves behind, by bare python-pkcs11, cryptography and sqlite3: no check,
no model, no audit but its rows. Two processes do nothing else, then the web server answers a call that does nothing;
what both take of the processor is the floor under a call. Ratios are of processor time, which other work on the machine
changes less than a clock's. `benchmarks.signing` says where the service stands.
"""

import argparse
import hashlib
import hmac
import secrets
import sqlite3
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import signing
from benchmarks.load import at_once, processor_time
from scripts.instance import Instance

_CALLS = {"100 hashes": signing.BATCH, "one hash": 1, "authorize, then one hash": 0}
# Three tables as lean as they can be: what is approved, what was meant to be signed, what came of it.
_TABLES = """
PRAGMA journal_mode=WAL;
CREATE TABLE approved (id INTEGER PRIMARY KEY, call INTEGER, digest BLOB, state TEXT, mac BLOB);
CREATE INDEX approved_call ON approved (call);
CREATE TABLE intent (id INTEGER PRIMARY KEY, approved INTEGER UNIQUE, digest BLOB, moment REAL);
CREATE TABLE event (id INTEGER PRIMARY KEY, intent INTEGER UNIQUE, outcome TEXT, mac BLOB);
"""


def sign_least(credential_id: str, hashes: int, seconds: float, file: str) -> tuple[float, float, float]:
    """Of this process, another at its side: signatures a second, and seconds of processor time for each; then the same
    of `C_Sign` alone. With no hashes: one, and the row that approves it.
    """
    from rssp.algorithms import choose_operation, verify_signature
    from rssp.hsm.mechanisms import build_request
    from rssp.models import Credential
    from rssp.services.credentials import read_public_key
    from rssp.services.keys import open_key

    credential = Credential.objects.select_related("key", "certificate").get(credential_id=credential_id)
    public_key, secret = read_public_key(credential=credential), secrets.token_bytes(32)
    operation = choose_operation(
        key_algorithm=credential.key.key_algorithm,
        sign_algo=signing.KEYS[credential.key.key_algorithm],
        sign_algo_params=None,
        hash_algorithm_oid=None,
    )
    database = sqlite3.connect(file, timeout=60, isolation_level=None)
    database.execute("PRAGMA synchronous=FULL")
    with open_key(key=credential.key) as signer:
        handle = signer._handle  # type: ignore[attr-defined]  # as the raw rate does
        asked = build_request(operation=operation, digest=secrets.token_bytes(32), curve_bytes=handle.curve_bytes)
        began, processor, alone = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - began < seconds / 4:
            handle.raw.sign(asked.data, mechanism=asked.mechanism, mechanism_param=asked.parameter)
            alone += 1
        raw = (time.process_time() - processor) / alone
        done, used, busy = 0, 0.0, 0.0
        while busy < seconds:
            call, digests = secrets.randbits(62), [secrets.token_bytes(32) for _ in range(max(hashes, 1))]
            rows = [(call, digest, "AUTHORISED", digest) for digest in digests]
            began, processor = time.perf_counter(), time.process_time()
            database.executemany("INSERT INTO approved (call, digest, state, mac) VALUES (?, ?, ?, ?)", rows)
            if hashes:  # else approving is part of what is measured
                began, processor = time.perf_counter(), time.process_time()
            database.execute("BEGIN IMMEDIATE")
            found = database.execute("SELECT id, digest FROM approved WHERE call = ?", [call]).fetchall()
            database.execute("UPDATE approved SET state = 'RESERVED' WHERE call = ?", [call])
            now = time.time()
            meant = [(row, digest, now) for row, digest in found]
            database.executemany("INSERT INTO intent (approved, digest, moment) VALUES (?, ?, ?)", meant)
            database.execute("COMMIT")
            for digest in digests:
                asked = build_request(operation=operation, digest=digest, curve_bytes=handle.curve_bytes)
                signature = handle.raw.sign(asked.data, mechanism=asked.mechanism, mechanism_param=asked.parameter)
                signature = _as_published(operation.scheme, signature)
                verify_signature(public_key=public_key, operation=operation, digest=digest, signature=signature)
            events = [(row, "signed", hmac.digest(secret, digest, hashlib.sha256)) for row, digest in found]
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT INTO event (intent, outcome, mac) VALUES (?, ?, ?)", events)
            database.execute("UPDATE approved SET state = 'CONSUMED' WHERE call = ?", [call])
            database.execute("COMMIT")
            busy, used = busy + time.perf_counter() - began, used + time.process_time() - processor
            done += len(digests)
    return done / busy, used / done, raw


def _as_published(scheme: str, signature: bytes) -> bytes:
    """The token gives r and s side by side; outside a signature is their DER."""
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    if scheme != "ecdsa":
        return signature
    half = len(signature) // 2
    return encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))


def measure(instance: Instance, credential: str, hashes: int, seconds: float) -> tuple[float, float, float]:
    """The same of both processes at once, with one file."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(signing.PROCESSES) as processes:
        file = str(Path(folder) / "least.sqlite3")
        sqlite3.connect(file).executescript(_TABLES).connection.close()
        asked = ("sign_least", credential, hashes, seconds, file)
        told = list(
            processes.map(
                lambda _: signing.inside(instance, *asked, module="benchmarks.floor"), range(signing.PROCESSES)
            )
        )
    rates, used, raw = zip(*told, strict=True)
    return sum(rates), statistics.mean(used), statistics.mean(raw)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:
        signing.act({"sign_least": sign_least}, chosen.inside)
        return
    settings = {"KEY_STORAGE": "resident", "WEB_CONCURRENCY": str(signing.PROCESSES), "LOG_LEVEL": "WARNING"}
    settings |= {"CSC_CALLS_PER_CLIENT": "1000000", "CSC_CALLS_PER_ADDRESS": "1000000"}
    with signing.started("sqlite", settings) as instance:
        credentials = signing.inside(instance, "prepare")
        web = instance.processes["web"].pid
        before = processor_time(web)
        call = signing.Alice(instance).info()
        rate = at_once(call, port=instance.port, threads=signing.THREADS, seconds=chosen.seconds)
        http = (processor_time(web) - before) / rate.done + rate.processor
        print(f"A call that does nothing, web server, Django and load: {http * 1000:.3f} ms of the processor.\n")
        print(
            "| key | call | C_Sign alone, ms | least, ms | of raw | with HTTP, ms | of raw | goal | least, a second |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        for key, credential in credentials.items():
            for name, hashes in _CALLS.items():
                least, used, raw = measure(instance, credential, hashes, chosen.seconds)
                served = used + (http / hashes if hashes else 2 * http)
                goal = signing.GOALS.get((key, name), "")
                print(
                    f"| {key} | {name} | {raw * 1000:.3f} | {used * 1000:.3f} | {raw / used:.2f} "
                    f"| {served * 1000:.3f} | {raw / served:.2f} | {goal} | {least:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()

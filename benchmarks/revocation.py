"""``python -m benchmarks.revocation [postgresql]``: what OCSP answers and a large revocation list cost.

Everything is real: SoftHSM, the database, gunicorn. Rates stand beside the raw P-256 rate of the same run, because
a machine's speed is its own.
"""

import base64
import http.client
import json
import resource
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from scripts.instance import ROOT, Instance, free_port
from tests.support.services import postgresql

SECONDS, THREADS, REVOKED = 10.0, 4, 100_000
_LIMITS = {"OCSP_SIGNATURES_PER_ADDRESS": "100000000", "OCSP_SIGNATURES": "100000000"}


@contextmanager
def database() -> Iterator[tuple[str, dict[str, str]]]:
    """What the command line chose, by name and as settings: SQLite, or a PostgreSQL that ends with the block."""
    if "postgresql" not in sys.argv[1:]:
        yield "SQLite", {}
        return
    with postgresql(lasting=True) as url:
        yield "PostgreSQL", {"DATABASE_URL_RSSP": url}


def rate(make: Callable[[], Callable[[], object]]) -> float:
    """Calls a second by `THREADS` threads, each of which makes its own caller."""

    def run(_number: int) -> int:
        call, done, deadline = make(), 0, time.perf_counter() + SECONDS
        while time.perf_counter() < deadline:
            call()
            done += 1
        return done

    with ThreadPoolExecutor(THREADS) as threads:
        began = time.perf_counter()
        return sum(threads.map(run, range(THREADS))) / (time.perf_counter() - began)


def measure_answers(instance: Instance) -> dict[str, float]:
    """Signatures and answers a second, over HTTP from one process to another on this machine."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import ocsp

    from rssp.algorithms import SigningOperation
    from rssp.services.authority import prepare_service_certificate, read_authority
    from rssp.services.hsm import get_hsm

    issuer = read_authority(role="issuing")
    responder = prepare_service_certificate(role="ocsp")
    loaded = [x509.load_der_x509_certificate(bytes(row.der)) for row in (responder, issuer)]

    def request(nonce: bytes | None) -> bytes:
        builder = ocsp.OCSPRequestBuilder().add_certificate(*loaded, hashes.SHA256())
        builder = builder.add_extension(x509.OCSPNonce(nonce), False) if nonce else builder
        return builder.build().public_bytes(Encoding.DER)

    def signing() -> Callable[[], object]:
        session = get_hsm().open_key(key_id=bytes(responder.hsm_key_id or b""))
        key, operation, digest = session.__enter__(), SigningOperation("ec", "ecdsa", "sha256"), secrets.token_bytes(32)
        return lambda: (session, key.sign_digest(operation=operation, digest=digest))

    def asking(body: Callable[[], bytes]) -> Callable[[], object]:
        connection = http.client.HTTPConnection("127.0.0.1", instance.port)

        def call() -> None:
            connection.request("POST", "/pki/ocsp", body(), {"Content-Type": "application/ocsp-request"})
            answer = connection.getresponse().read()
            if len(answer) < 100:
                raise RuntimeError(f"no answer: {base64.b64encode(answer).decode()}")

        return call

    plain = request(None)
    return {
        "raw HSM, P-256": rate(signing),
        "OCSP, kept answer": rate(lambda: asking(lambda: plain)),
        "OCSP, signed for a nonce": rate(lambda: asking(lambda: request(secrets.token_bytes(32)))),
    }


def fill() -> None:
    """As many revoked certificates as the list shall have."""
    from django.utils import timezone

    from rssp.models import Certificate, RevocationScope
    from rssp.services.authority import read_authority

    issuer, now = read_authority(role="issuing"), timezone.now()
    for _ in range(0, REVOKED, 5000):
        Certificate.objects.bulk_create(
            Certificate(
                serial_number=f"{secrets.randbits(158) | 1 << 158:x}",
                role="signer",
                profile="demonstration",
                state="issued",
                status="revoked",
                revoked_at=now,
                revocation_reason="superseded",
                issuer=issuer,
                subject="CN=Somebody",
                not_before=now,
                not_after=now + timedelta(days=365),
            )
            for _ in range(5000)
        )
    RevocationScope.objects.filter(issuer=issuer).update(changes=1)


def measure_list() -> dict[str, float]:
    """Seconds, bytes of the list, and by how many MiB it raised this process's peak."""
    from rssp.services.authority import open_authority_key, read_authority
    from rssp.services.revocation_lists import read_content, read_revocation_list

    issuer = read_authority(role="issuing")
    with open_authority_key(issuer):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    published = read_revocation_list(issuer=issuer, partition=0)
    seconds = time.perf_counter() - began
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"entries": published.entries, "seconds": seconds, "bytes": len(read_content(published).der), "MiB": peak}


def inside(instance: Instance, what: str) -> Any:
    """A measurement in a process of its own, which has the instance's settings."""
    command = [sys.executable, "-m", "benchmarks.revocation", what, str(instance.port)]
    environment = {**instance.environment, **_LIMITS}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout or "null")


def main() -> None:
    if len(sys.argv) > 2:
        import django

        django.setup()
        what, port = sys.argv[1], int(sys.argv[2])
        acts = {
            "answers": lambda: measure_answers(Instance(Path(), port)),
            "fill": fill,
            "list": measure_list,
        }
        print(json.dumps(acts[what]()))
        return
    with tempfile.TemporaryDirectory() as folder, database() as (name, chosen):
        settings = {**_LIMITS, "LOG_LEVEL": "WARNING", **chosen}
        with Instance(Path(folder) / "var", free_port(), "rssp", settings) as instance:
            instance.start()
            rates = inside(instance, "answers")
            inside(instance, "fill")
            made = inside(instance, "list")
    raw = rates["raw HSM, P-256"]
    print(f"{THREADS} threads, {SECONDS:.0f} s each, {name}, one web process:")
    for row, found in rates.items():
        print(f"  {row:28} {found:8.0f} a second   {found / raw:6.2f} of the raw rate")
    print(
        f"revocation list of {made['entries']} entries: {made['seconds']:.2f} s, {made['bytes'] / 1e6:.1f} MB, "
        f"{made['MiB']:.0f} MiB more at the peak"
    )


if __name__ == "__main__":
    main()

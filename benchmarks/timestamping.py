"""``python -m benchmarks.timestamping [postgresql]``: time-stamps a second, beside the bare HSM.

Everything is real: SoftHSM, the database, gunicorn. Four rows, each with more around the one before: the HSM's
signature, the token (DER built, signed, verified), the service (clock, record, rate), the answer over HTTP.
"""

import hashlib
import http.client
import json
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.revocation import SECONDS, THREADS, database, rate
from scripts.instance import ROOT, Instance, free_port

_SETTINGS = {"TSA_TOKENS_PER_MINUTE": "0", "LOG_LEVEL": "WARNING"}
_HEADERS = {"Content-Type": "application/timestamp-query"}


def measure(port: int) -> dict[str, float]:
    """Rates a second, in a process that has the instance's settings."""
    from asn1crypto import tsp

    from rssp.pki.tsa import OPERATION, Stamp, TimestampRequest, build_token
    from rssp.services.authority import prepare_service_certificate, read_chain
    from rssp.services.hsm import get_hsm
    from rssp.services.timestamp_records import Caller
    from rssp.services.timestamping import issue_timestamp

    certificate = prepare_service_certificate(role="tsa")
    key_id, chain = bytes(certificate.hsm_key_id or b""), read_chain(certificate)[:-1]
    digest = hashlib.sha256(b"A lease.").digest()
    algorithm = {"algorithm": "sha256"}
    imprint = {"hash_algorithm": algorithm, "hashed_message": digest}

    def signing() -> Callable[[], object]:
        session = get_hsm().open_key(key_id=key_id)
        key = session.__enter__()
        return lambda: (session, key.sign_digest(operation=OPERATION, digest=digest))

    def building() -> Callable[[], object]:
        session = get_hsm().open_key(key_id=key_id)
        key, request = session.__enter__(), TimestampRequest("sha256", digest, nonce=secrets.randbits(64))
        stamp = Stamp("2.25.1", 1 << 127, datetime.now(UTC), timedelta(seconds=1))
        return lambda: (session, build_token(request=request, stamp=stamp, chain=chain, signer=key))

    def issuing() -> Callable[[], object]:
        request = TimestampRequest("sha256", digest, nonce=secrets.randbits(64))
        return lambda: issue_timestamp(request=request, caller=Caller("benchmark", ""))

    def asking() -> Callable[[], object]:
        connection = http.client.HTTPConnection("127.0.0.1", port)

        def call() -> None:
            fields = {"version": 1, "message_imprint": imprint, "nonce": secrets.randbits(63), "cert_req": True}
            connection.request("POST", "/pki/tsa", tsp.TimeStampReq(fields).dump(), _HEADERS)
            answer = connection.getresponse()
            if answer.status != 200 or len(answer.read()) < 500:
                raise RuntimeError(f"no token, but {answer.status}")

        return call

    return {
        "raw HSM, P-256": rate(signing),
        "token built": rate(building),
        "token issued": rate(issuing),
        "token over HTTP": rate(asking),
    }


def main() -> None:
    if sys.argv[1:2] and sys.argv[1].isdecimal():
        import django

        django.setup()
        print(json.dumps(measure(int(sys.argv[1]))))
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        database() as (name, chosen),
        Instance(Path(folder) / "var", free_port(), "rssp", _SETTINGS | chosen) as instance,
    ):
        instance.start()
        command = [sys.executable, "-m", "benchmarks.timestamping", str(instance.port)]
        done = subprocess.run(
            command, cwd=ROOT, env=instance.environment, stdout=subprocess.PIPE, text=True, check=True
        )
    rates: dict[str, float] = json.loads(done.stdout)
    raw = rates["raw HSM, P-256"]
    print(f"{THREADS} threads, {SECONDS:.0f} s each, {name}, one web process:")
    for name, found in rates.items():
        print(f"  {name:28} {found:8.0f} a second   {found / raw:6.3f} of the raw rate")


if __name__ == "__main__":
    main()

"""``python -m benchmarks.dummy``: pairs of authorize and signHash with certomancer-csc-dummy, as it is shipped.

It checks no caller, stores nothing and holds its keys in memory: what a CSC server costs that does no more than sign.
It is installed from the package index into an environment of its own, ``var/benchmarks/certomancer``, which stays for
the next time.
"""

import argparse
import base64
import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmarks.load import Connection, Rate, at_once
from scripts.instance import free_port
from scripts.run import var_dir_from_environment

THREADS = 8
PACKAGE = "certomancer-csc-dummy==0.4.2"
SIGN_ALGOS = {"rsa-2048": "1.2.840.113549.1.1.11", "ec-p256": "1.2.840.10045.4.3.2"}
CONFIGURATION = """
keysets:
  keys:
    path-prefix: .
    keys:
      root: {path: root.pem}
      rsa-2048: {path: rsa-2048.pem}
      ec-p256: {path: ec-p256.pem}
pki-architectures:
  benchmark:
    keyset: keys
    entity-defaults: {country-name: FR, organization-name: Benchmark}
    entities:
      root: {common-name: Root}
      rsa-2048: {common-name: Alice}
      ec-p256: {common-name: Bob}
    certs:
      root:
        subject: root
        subject-key: root
        issuer: root
        authority-key: root
        validity: {valid-from: "2000-01-01T00:00:00+0000", valid-to: "2500-01-01T00:00:00+0000"}
        profiles: [{id: simple-ca}]
      rsa-2048:
        subject: rsa-2048
        issuer: root
        validity: {valid-from: "2020-01-01T00:00:00+0000", valid-to: "2050-01-01T00:00:00+0000"}
        profiles: [{id: digsig-commitment}]
      ec-p256:
        subject: ec-p256
        issuer: root
        validity: {valid-from: "2020-01-01T00:00:00+0000", valid-to: "2050-01-01T00:00:00+0000"}
        profiles: [{id: digsig-commitment}]
external-url-prefix: "http://dummy.test"
"""


def install() -> Path:
    """The command that starts it, installed first where it is missing."""
    folder = var_dir_from_environment() / "benchmarks" / "certomancer"
    command = folder / "bin" / "certomancer-csc"
    if not command.exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", PACKAGE], check=True)
    return command


def write_configuration(folder: Path) -> Path:
    keys = {
        "root": ec.generate_private_key(ec.SECP256R1()),
        "rsa-2048": rsa.generate_private_key(65537, 2048),
        "ec-p256": ec.generate_private_key(ec.SECP256R1()),
    }
    for name, key in keys.items():
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{name}.pem").write_bytes(pem)
    path = folder / "certomancer.yml"
    path.write_text(CONFIGURATION, encoding="utf-8")
    return path


@contextmanager
def started() -> Iterator[int]:
    """The port that it listens on."""
    command, port = install(), free_port()
    with tempfile.TemporaryDirectory() as name:
        configuration = write_configuration(Path(name))
        process = subprocess.Popen(
            [command, configuration, str(port), "2"],
            cwd=name,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait(port, process)
            yield port
        finally:
            process.terminate()
            process.wait(10)


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError("the dummy ended by itself")
        with contextlib.suppress(OSError):
            Connection(port).post("/csc/v1/info", "none", {})
            return
        time.sleep(0.1)
    raise RuntimeError("the dummy does not answer")


def pairs(key: str) -> Callable[[Connection], int]:
    def call(connection: Connection) -> int:
        credential, digests = f"benchmark/{key}", [base64.b64encode(secrets.token_bytes(32)).decode()]
        asked = {"credentialID": credential, "numSignatures": 1, "hash": digests}
        sad = connection.post("/csc/v1/credentials/authorize", "none", asked)["SAD"]
        signing = {"credentialID": credential, "SAD": sad, "hash": digests, "signAlgo": SIGN_ALGOS[key]}
        return len(connection.post("/csc/v1/signatures/signHash", "none", signing)["signatures"])

    return call


def measure(seconds: float) -> Iterator[tuple[str, Rate]]:
    with started() as port:
        for key in SIGN_ALGOS:
            yield key, at_once(pairs(key), port=port, threads=THREADS, seconds=seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10)
    chosen = parser.parse_args()
    print("| certomancer-csc-dummy, key | pairs a second | median ms |")
    print("|---|---|---|")
    for key, rate in measure(chosen.seconds):
        print(f"| {key} | {rate.signatures:.0f} | {rate.median * 1000:.0f} |", flush=True)
    print("load average:", *(f"{load:.1f}" for load in os.getloadavg()), file=sys.stderr)


if __name__ == "__main__":
    main()

"""``make check``: what a change must pass, cheap first; ends at the first step that fails."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from scripts.instance import ROOT

ROLES = ("signapp", "authz", "gateway", "rssp")
_PYTHON = sys.executable


def production(var_dir: Path) -> dict[str, str]:
    """An installation as docs/operations/installation.md has it, with secrets that nobody will use again."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    curve = ec.generate_private_key(ec.SECP256R1())
    ec_pem = curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    # OpenSC's module stands in for an HSM's own: SoftHSM would be warned of, as it should be.
    module = next(Path("/usr/lib").glob("**/opensc-pkcs11.so"))
    clients = ("SIGNAPP", "GATEWAY", "RSSP", "OPERATORS")
    return {
        "ENVIRONMENT": "production",
        "VAR_DIR": str(var_dir),
        "TRUSTED_PROXIES": "10.0.0.1",
        "SECRET_KEY": os.urandom(48).hex(),
        "OIDC_RSA_PRIVATE_KEY": pem,
        "OIDC_EC_PRIVATE_KEY": ec_pem,
        "PKCS11_MODULE": str(module),
        "PKCS11_PIN": "928374650192",
        "FOUR_EYES": "requests,lifecycle",
        "LEDGER_MAC_KEY": f"1:{os.urandom(32).hex()}",
        "RSSP_FACTOR_KEYS": Fernet.generate_key().decode(),
        "GATEWAY_DOCUMENT_KEYS": Fernet.generate_key().decode(),
        "SIGNAPP_DOCUMENT_KEYS": Fernet.generate_key().decode(),
        "BASE_URL": "https://sign.example.org",
        **{f"{role.upper()}_URL": f"https://{role}.example.org" for role in ROLES},
        **{f"DATABASE_URL_{role.upper()}": f"postgresql://{role}:secret@127.0.0.1/{role}" for role in ROLES},
        **{f"{client}_CLIENT_SECRET": os.urandom(32).hex() for client in clients},
    }


def steps(folder: Path) -> Iterator[tuple[str, list[str], Mapping[str, str]]]:
    """Each step's name, command and variables."""
    manage = [_PYTHON, "manage.py"]
    yield "lint", [_PYTHON, "-m", "ruff", "check", "."], {}
    yield "format", [_PYTHON, "-m", "ruff", "format", "--check", "."], {}
    yield "import contracts", [str(Path(_PYTHON).with_name("lint-imports"))], {}
    development = {"ENVIRONMENT": "development", "VAR_DIR": str(folder / "development")}
    yield "migrations", [*manage, "makemigrations", "--check", "--dry-run"], development
    deploy = [*manage, "check", "--deploy", "--fail-level", "WARNING"]
    for roles in ("all", *ROLES):
        yield f"deployment, ROLES={roles}", deploy, {**production(folder / roles), "ROLES": roles}
    yield "types", [_PYTHON, "-m", "mypy"], development
    yield "known weaknesses", [_PYTHON, "-m", "scripts.weaknesses"], {}
    yield "tests", [_PYTHON, "-m", "scripts.test"], {}


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="paraph-check-") as folder:
        for name, command, variables in steps(Path(folder)):
            print(f"--- {name}", flush=True)
            began = time.monotonic()
            if status := subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, check=False).returncode:
                print(f"--- {name}: failed", flush=True)
                return status
            print(f"--- {name}: {time.monotonic() - began:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

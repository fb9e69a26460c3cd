"""Four roles in processes, folders, ports and databases of their own sign one PDF; only one of them holds keys."""

import os
from pathlib import Path

import pytest

from scripts.instance import Instance
from tests.flows.verdicts import read_root, verify
from tests.support.pdfs import make_pdf
from tests.support.walk import Walker

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("flows-apart")]


@pytest.fixture(scope="module")
def signed(apart: dict[str, Instance]) -> tuple[bytes, bytes]:
    """A file before and after."""
    original = make_pdf(pages=3)
    addresses = {role: instance.base_url for role, instance in apart.items()}
    with Walker("Alice", signapp=addresses["signapp"], authz=addresses["authz"]) as alice:
        alice.sign_up()
        alice.get_certificate("rsa-2048")
        return original, alice.sign(original, reason="I agree")


def test_what_they_sign_is_accepted_elsewhere(
    apart: dict[str, Instance], signed: tuple[bytes, bytes], tmp_path: Path
) -> None:
    original, result = signed
    reader = verify(result, original=original, root=read_root(apart["rssp"].base_url), folder=tmp_path)
    assert reader.embedded_signatures[0].sig_object["/Reason"] == "I agree"


def _processes(instance: Instance) -> list[int]:
    """Every process of the instance, with those that its processes started."""
    mark = f"VAR_DIR={instance.var_dir}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def _has_opened_hsm(process: int) -> bool:
    try:
        return "libsofthsm2" in Path(f"/proc/{process}/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def test_only_the_web_process_of_rssp_has_the_hsm_loaded(
    apart: dict[str, Instance], signed: tuple[bytes, bytes]
) -> None:
    having = {role: [pid for pid in _processes(instance) if _has_opened_hsm(pid)] for role, instance in apart.items()}
    assert {role: len(found) for role, found in having.items()} == {"signapp": 0, "authz": 0, "gateway": 0, "rssp": 1}
    assert os.getpgid(having["rssp"][0]) == apart["rssp"].processes["web"].pid


_HAS_PIN = "from django.conf import settings; print(hasattr(settings, 'PKCS11_PIN'))"


def test_only_rssp_has_a_token_and_its_pin(apart: dict[str, Instance], signed: tuple[bytes, bytes]) -> None:
    for role, instance in apart.items():
        holds = role == "rssp"
        assert any((instance.var_dir / "softhsm").glob("tokens/*/*.object")) == holds
        assert (instance.var_dir / "secrets" / "pkcs11_pin").exists() == holds
        told = instance.manage("shell", "-c", _HAS_PIN, capture=True)
        assert told.split()[-1] == str(holds)


def test_each_role_has_its_own_tables_alone(apart: dict[str, Instance]) -> None:
    for role, instance in apart.items():
        assert sorted(path.stem for path in instance.var_dir.glob("*.sqlite3")) == [role]

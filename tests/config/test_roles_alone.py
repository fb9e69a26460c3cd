"""Every value of ROLES boots and migrates alone, from an empty folder, as real processes."""

from pathlib import Path

import httpx
import pytest

from config.roles import ALL_ROLES
from scripts.instance import Instance, InstanceError
from tests.support.instance import start_instance, start_roles_apart

pytestmark = pytest.mark.instance

# An address that only this role has, and what it answers to a stranger.
ADDRESSES = {
    "signapp": ("/", 200),
    "authz": ("/.well-known/oauth-authorization-server/authz", 200),
    "gateway": ("/gateway/v1/credentials", 401),
    # The CSC API calls a request without a token malformed.
    "rssp": ("/csc/v2/credentials/list", 400),
}


def status(instance: Instance, path: str) -> int:
    if path.startswith("/csc/"):
        return httpx.post(instance.base_url + path, json={}, timeout=20).status_code
    return httpx.get(instance.base_url + path, timeout=20).status_code


@pytest.mark.parametrize("role", ALL_ROLES)
def test_a_role_alone_serves_its_own_addresses_and_no_others(tmp_path: Path, role: str) -> None:
    with start_instance(tmp_path, role) as instance:
        instance.manage("check")
        instance.manage("migrate", "--check")
        assert {name: status(instance, path) for name, (path, _) in ADDRESSES.items()} == {
            name: expected if name == role else 404 for name, (_, expected) in ADDRESSES.items()
        }
        instance.verify_alive()
        assert sorted(path.name for path in tmp_path.glob("*.sqlite3")) == [f"{role}.sqlite3"]


def test_all_roles_together_serve_every_address_and_a_second_start_is_quick(tmp_path: Path) -> None:
    for _ in range(2):
        with start_instance(tmp_path, fresh=True) as instance:
            for path, expected in ADDRESSES.values():
                assert status(instance, path) == expected
            instance.verify_alive()
    assert sorted(path.stem for path in tmp_path.glob("*.sqlite3")) == sorted(ALL_ROLES)


def test_roles_apart_tell_one_another_s_addresses(tmp_path: Path) -> None:
    with start_roles_apart(tmp_path) as instances:
        for role, (path, expected) in ADDRESSES.items():
            assert status(instances[role], path) == expected
        metadata = f"{instances['authz'].base_url}/.well-known/oauth-authorization-server/authz"
        assert httpx.get(metadata).json()["issuer"] == f"{instances['authz'].base_url}/authz"


def test_an_installation_does_not_change_its_roles_in_place(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Instance(tmp_path, 1, "authz").manage("prepare")
    with pytest.raises(InstanceError):
        Instance(tmp_path, 1, "authz,gateway").manage("prepare")
    complaint = capfd.readouterr().err
    assert "was made with ROLES=authz and keeps it; this process has ROLES=authz,gateway" in complaint
    assert "Traceback" not in complaint
    assert not (tmp_path / "gateway.sqlite3").exists()


def test_a_role_boots_and_migrates_on_postgresql(tmp_path: Path, postgresql_url: str) -> None:
    with start_instance(tmp_path, "authz", settings={"DATABASE_URL_AUTHZ": postgresql_url}) as instance:
        instance.manage("migrate", "--check")
        assert status(instance, ADDRESSES["authz"][0]) == 200
        assert not list(tmp_path.glob("*.sqlite3"))

"""``make run HOST=name``: TLS by an authority for that name alone, and passkeys that are bound to it."""

import json
import socket
import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from scripts.instance import Instance, InstanceError, free_port, running_instance
from scripts.run import announce, host_from_environment, var_dir_from_environment
from scripts.tls import HostNameError, Tls, prepare_tls, verify_name


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return prepare_tls(tmp_path_factory.mktemp("tls"), "desk.home.arpa")


def verify(tls: Tls, *options: str) -> "subprocess.CompletedProcess[str]":
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", str(tls.authority), *options]
    return subprocess.run([*command, str(tls.certificate)], capture_output=True, text=True, check=False)


def test_openssl_accepts_the_certificate_for_that_name_and_no_other(tls: Tls) -> None:
    assert verify(tls, "-verify_hostname", "desk.home.arpa").returncode == 0
    assert "hostname mismatch" in verify(tls, "-verify_hostname", "desk.example").stderr


def test_the_authority_may_vouch_for_nothing_else_and_its_key_is_gone(tls: Tls) -> None:
    authority = x509.load_pem_x509_certificate(tls.authority.read_bytes())
    limits = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert limits.critical
    assert [str(each.value) for each in limits.value.permitted_subtrees or []] == ["desk.home.arpa", "127.0.0.1/32"]
    keys = [path.name for path in tls.folder.rglob("*") if path.is_file() and b"PRIVATE" in path.read_bytes()]
    assert keys == ["key.pem"]
    assert [path.name for path in tls.authority.parent.iterdir()] == ["authority.crt"]
    assert tls.key.stat().st_mode & 0o077 == 0


def test_what_is_there_is_kept_and_what_is_broken_is_made_anew(tls: Tls, tmp_path: Path) -> None:
    before = tls.authority.read_bytes()
    assert prepare_tls(tls.folder, "desk.home.arpa").authority.read_bytes() == before
    (tmp_path / "certificate.pem").write_text("nonsense")
    assert prepare_tls(tmp_path, "desk.home.arpa").is_good()


@pytest.mark.parametrize("name", ["192.168.1.7", "-desk", "desk_1", "a..b", "x" * 64, "déjà.example", "desk/..", ""])
def test_what_is_no_name_is_a_sentence(name: str) -> None:
    with pytest.raises(HostNameError, match="HOST must be a name, because passkeys are bound to one"):
        verify_name(name)


def test_a_name_that_leads_nowhere_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise socket.gaierror

    monkeypatch.setenv("HOST", "Nowhere.example")
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(InstanceError, match=r"nowhere\.example leads nowhere"):
        host_from_environment()


@pytest.mark.instance
def test_the_instance_is_reached_by_its_name_over_tls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    with Instance(tmp_path, port, "authz", host="localhost") as instance:
        instance.start()
        announce(instance, [])
        told = capsys.readouterr().out
        assert f"https://localhost:{port}" in told
        assert str(instance.tls.authority) in told
        curl = ["curl", "--silent", "--show-error", "--cacert", str(instance.tls.authority), "--include"]
        page = subprocess.run(
            [*curl, f"https://localhost:{port}/authz/signup"], capture_output=True, text=True, check=True
        ).stdout
        assert page.startswith("HTTP/1.1 200")
        assert "__Host-paraph_authz=" in page
        assert "Strict-Transport-Security" not in page
        described = subprocess.run(
            [*curl[:-1], f"https://localhost:{port}/authz/.well-known/openid-configuration"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert json.loads(described)["issuer"] == f"https://localhost:{port}/authz"
        untrusted = subprocess.run(["curl", "--silent", f"https://localhost:{port}/"], check=False)
        assert untrusted.returncode == 60
        asked = "from django.conf import settings; print(settings.WEBAUTHN_RP_ID, settings.WEBAUTHN_ORIGIN)"
        bound = running_instance(tmp_path).manage("shell", "--no-imports", "-c", asked, capture=True)
        assert bound.split() == ["localhost", f"https://localhost:{port}"]
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            instance.tls.context().wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            assert connection.version() in {"TLSv1.2", "TLSv1.3"}


def test_each_name_has_an_installation_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VAR_DIR", str(tmp_path))
    assert var_dir_from_environment("desk.home.arpa") == tmp_path / "hosts" / "desk.home.arpa"
    assert var_dir_from_environment() == tmp_path

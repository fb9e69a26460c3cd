"""A real PostgreSQL and a real Redis of the test run's own: in a temporary folder, on a free port, never as root."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import redis

from scripts.instance import free_port

_START_SECONDS = 60


def _binary(name: str) -> str:
    """The newest of Debian's several versions, or what is in PATH."""
    versions = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    newest = max(versions, key=lambda path: float(path.parts[-3]), default=None)
    found = str(newest) if newest else shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed: make test installs it")
    return found


def _as_nobody(user: str) -> list[str]:
    """What stands before a command so that it runs without root's rights."""
    if os.geteuid() != 0:
        return []
    account = pwd.getpwnam(user)
    return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]


@contextmanager
def _folder(user: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=f"paraph-{user}-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, user)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _server(command: list[str], folder: Path, is_ready: Callable[[], object]) -> Iterator[None]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _wait(process, is_ready, folder / "log")
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], is_ready: Callable[[], object], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            is_ready()
            return
        except (psycopg.OperationalError, redis.RedisError):
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{process.args!r} did not start:\n{said}") from None
            time.sleep(0.05)


@contextmanager
def postgresql(*, lasting: bool = False) -> Iterator[str]:
    """A server's address, as its superuser; ``lasting``: its commits wait for the disk, as an installation's do."""
    user = "postgres"
    password = secrets.token_urlsafe(16)
    port = free_port()
    url = f"postgresql://paraph:{password}@127.0.0.1:{port}/postgres"
    with _folder(user) as folder:
        secret = folder / "password"
        secret.write_text(password)
        secret.chmod(0o644)
        data = folder / "data"
        setup = ["--auth=scram-sha-256", "--username=paraph", f"--pwfile={secret}", "--no-sync", "--encoding=UTF8"]
        subprocess.run(
            [*_as_nobody(user), _binary("initdb"), *setup, f"--pgdata={data}"],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        secret.unlink()
        given = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "max_connections": 200,
        }
        if not lasting:  # a test's data need not survive a power cut
            given |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
        # INT is its fast shutdown: it does not wait for clients that are still connected.
        privileges = _as_nobody(user) or ["setpriv"]
        command = [*privileges, "--pdeathsig", "INT", _binary("postgres"), "-D", str(data), *options]
        with _server(command, folder, lambda: psycopg.connect(url).close()):
            yield url


@contextmanager
def database_of_its_own(server: str) -> Iterator[str]:
    """An empty database on the PostgreSQL server at ``server``, gone with the block."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield urlsplit(server)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def redis_server() -> Iterator[str]:
    """A server's address, without a database number."""
    user = "nobody"
    port = free_port()
    with _folder(user) as folder:
        options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder), "--databases", "64"]
        privileges = _as_nobody(user) or ["setpriv"]
        command = [*privileges, "--pdeathsig", "TERM", shutil.which("redis-server") or "redis-server", *options]
        url = f"redis://127.0.0.1:{port}"
        with _server(command, folder, lambda: redis.Redis.from_url(url).ping()):
            yield url

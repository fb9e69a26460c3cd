"""A PostgreSQL of its own that a test kills as a loss of its process does, starts again, fills and slows.

with cluster(max_connections=40) as server: server.url; server.kill(); server.start()
"""

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from scripts.instance import free_port
from tests.support import services

_USER = "postgres"


@dataclass
class Cluster:
    folder: Path
    port: int
    password: str
    settings: dict[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        """As its superuser."""
        return f"postgresql://paraph:{self.password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Returns when it answers, after whatever recovery it needs."""
        given = {"listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": ""}
        options = [part for name, value in (given | self.settings).items() for part in ("-c", f"{name}={value}")]
        privileges = services._as_nobody(_USER) or ["setpriv"]
        command = [*privileges, "--pdeathsig", "INT", services._binary("postgres"), "-D", str(self.folder / "data")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *options], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        services._wait(self.process, lambda: psycopg.connect(self.url).close(), self.folder / "log")

    def create_database(self, name: str) -> str:
        """Its address; it is gone with the server."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    def kill(self) -> None:
        """SIGKILL for the server and every process of its: nothing is written down any more."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        # Stopped first, so that it starts none and mends nothing meanwhile.
        os.kill(self.process.pid, signal.SIGSTOP)
        for pid in [*map(int, children.split()), self.process.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        deadline = time.monotonic() + 60
        while any(Path(f"/proc/{pid}").exists() for pid in children.split()):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def stop(self) -> None:
        """Its fast shutdown."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=60)


@contextmanager
def cluster(**settings: object) -> Iterator[Cluster]:
    """Commits wait for the disk: what is committed must survive `Cluster.kill`."""
    with services._folder(_USER) as folder:
        password = secrets.token_urlsafe(16)
        secret = folder / "password"
        secret.write_text(password)
        secret.chmod(0o644)
        setup = ["--auth=scram-sha-256", "--username=paraph", f"--pwfile={secret}", "--no-sync", "--encoding=UTF8"]
        command = [*services._as_nobody(_USER), services._binary("initdb"), *setup, f"--pgdata={folder / 'data'}"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        secret.unlink()
        server = Cluster(folder, free_port(), password, {name: str(value) for name, value in settings.items()})
        server.start()
        try:
            yield server
        finally:
            server.stop()

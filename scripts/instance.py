"""A whole instance: one folder, the processes that serve it, and their end.

    with Instance(folder, port=free_port()) as instance:
        instance.start()
        ...  # instance.base_url answers

Each process leads a group of its own, so that ending it ends what it started; should the starter itself be killed,
the kernel ends the processes in its place. Start an instance in the thread that lives as long as it: the kernel
takes that thread's end for the starter's.
"""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import IO, Self
from urllib.parse import urlsplit

from scripts.letters import Mailbox
from scripts.tls import Tls, prepare_tls

ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS = 90
_END_SECONDS = 15
_MOST_WORKERS = 64
_ENDED_WITH_STARTER = ["setpriv", "--pdeathsig", "TERM"]
_WEB = "gunicorn config.wsgi --worker-class gthread --threads 16 --graceful-timeout 8 --no-control-socket"
_CELERY = "celery -A config.celery"
_WORKER = f"{_CELERY} worker --pool threads --concurrency 2 --without-gossip --without-mingle --without-heartbeat"


class InstanceError(Exception):
    """The instance does not run; the message is a sentence for whoever wanted it to."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def verify_port_is_free(port: int) -> None:
    """Raises `InstanceError` if this user cannot listen on 127.0.0.1, ``port``."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise InstanceError(f"Port {port} cannot be used ({reason}). Choose another: PORT=9000 make run") from None


@dataclass
class Instance:
    """An installation below ``var_dir`` that listens on 127.0.0.1, ``port``; ``settings`` are further variables. With
    a ``host``, a name of this machine, it listens on every address, and speaks TLS."""

    var_dir: Path
    port: int
    roles: str = "all"
    settings: Mapping[str, str] = field(default_factory=dict)
    host: str = ""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict, init=False)
    _held: IO[str] | None = field(default=None, init=False)

    @property
    def base_url(self) -> str:
        # Passkeys are bound to a host name, and a number is none.
        return f"https://{self.host}:{self.port}" if self.host else f"http://localhost:{self.port}"

    @property
    def tls(self) -> Tls:
        return Tls(self.var_dir / "tls")

    @cached_property
    def mailbox(self) -> Mailbox:
        return Mailbox(self.var_dir / "mail")

    @property
    def environment(self) -> dict[str, str]:
        mine = {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "ENVIRONMENT": "development",
            "VAR_DIR": str(self.var_dir),
            "ROLES": self.roles,
            "BASE_URL": self.base_url,
            # Ours, whatever the caller has: a token's configuration lies beside the token.
            "SOFTHSM2_CONF": str(self.var_dir / "softhsm" / "softhsm2.conf"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
            "PYTHONUNBUFFERED": "1",
        }
        if self.host:
            # Its processes call one another by its name. What is told of certificates has no second port for HTTP.
            mine |= {"SSL_CERT_FILE": str(self.tls.bundle), "RSSP_PKI_URL": f"{self.base_url}/pki"}
        return {**os.environ, **mine, **self.settings}

    def __enter__(self) -> Self:
        self.hold()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def hold(self) -> None:
        """Takes the folder for this starter alone; raises `InstanceError` if another one has it."""
        self.var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = (self.var_dir / "running").open("a+", encoding="ascii")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            held.seek(0)
            address = held.read().strip() or "another address"
            held.close()
            raise InstanceError(f"Paraph already runs on {self.var_dir}, at {address}.") from None
        held.truncate(0)
        held.write(self.base_url)
        held.flush()
        self._held = held

    def manage(self, *arguments: str, capture: bool = False) -> str:
        """Runs ``manage.py`` to its end; with ``capture``, tells what it printed. Raises `InstanceError`."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE if capture else None,
            text=True,
            check=False,
        )
        if done.returncode:
            raise InstanceError(f"manage.py {arguments[0]} failed; what it said stands above.")
        return done.stdout or ""

    def start(self) -> None:
        """Prepares the folder and starts every process; returns when the web process answers."""
        workers = count_workers(self.environment)
        verify_port_is_free(self.port)
        where = f"--bind 127.0.0.1:{self.port}"
        if self.host:
            tls = prepare_tls(self.tls.folder, self.host)
            where = f"--bind 0.0.0.0:{self.port} --certfile {tls.certificate} --keyfile {tls.key}"
        self.manage("prepare", capture=True)
        self._spawn("web", f"{_WEB} {where}")
        for number in range(workers):
            self.start_worker(number)
        self._spawn("beat", f"{_CELERY} beat", PROCESS="worker")
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_answering():
            self.verify_alive()
            if time.monotonic() > deadline:
                raise InstanceError(f"web did not answer within {_START_SECONDS} seconds.{self._last_words('web')}")
            time.sleep(0.1)

    def start_worker(self, number: int = 0) -> None:
        """Another one for each number, from 0: Python's lock lets one thread of a process compute at a time."""
        name = f"worker-{number + 1}" if number else "worker"
        self._spawn(name, f"{_WORKER} --hostname {name}@%h", PROCESS="worker")

    def _spawn(self, name: str, command: str, **settings: str) -> None:
        log = self._log(name)
        log.parent.mkdir(mode=0o700, exist_ok=True)
        with log.open("wb") as output:
            self.processes[name] = subprocess.Popen(
                [*_ENDED_WITH_STARTER, sys.executable, "-m", *command.split()],
                cwd=ROOT,
                env={**self.environment, **settings},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _log(self, name: str) -> Path:
        return self.var_dir / "log" / f"{name}.log"

    def _is_answering(self) -> bool:
        connection = self._connection()
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (HTTPException, OSError):
            return False
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        if self.host:
            return HTTPSConnection("127.0.0.1", self.port, timeout=5, context=self.tls.context())
        return HTTPConnection("127.0.0.1", self.port, timeout=5)

    def verify_alive(self) -> None:
        """Raises `InstanceError` with its last words if a process has ended."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise InstanceError(f"{name} ended by itself ({process.returncode}).{self._last_words(name)}")

    def _last_words(self, name: str) -> str:
        lines = self._log(name).read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        return "".join(f"\n    {line}" for line in [f"The end of {self._log(name)}:", *lines])

    def stop(self) -> None:
        """Ends every process with what it started, gently first; ends the hold on the folder."""
        for process in self.processes.values():
            _signal_group(process, signal.SIGTERM)
        deadline = time.monotonic() + _END_SECONDS
        for process in self.processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(0, deadline - time.monotonic()))
            # Also after a gentle end: nothing of the group may stay behind.
            _signal_group(process, signal.SIGKILL)
            process.wait()
        self.processes.clear()
        if self._held is not None:
            self._held.truncate(0)
            self._held.close()
            self._held = None


def count_workers(environment: Mapping[str, str]) -> int:
    """``WORKERS``, 1 where it is not set; raises `InstanceError`."""
    value = environment.get("WORKERS") or "1"
    if not value.isdecimal() or not 1 <= int(value) <= _MOST_WORKERS:
        raise InstanceError(f"WORKERS must be a number from 1 to {_MOST_WORKERS}, not {value!r}.")
    return int(value)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def running_instance(var_dir: Path) -> Instance:
    """The instance that another starter keeps on ``var_dir``, to run commands in; raises `InstanceError`."""
    try:
        with (var_dir / "running").open(encoding="ascii") as held:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        address = (var_dir / "running").read_text(encoding="ascii").strip()
        parts = urlsplit(address)
        host = str(parts.hostname) if parts.scheme == "https" else ""
        return Instance(var_dir, parts.port or 443, host=host)
    except OSError:
        pass
    raise InstanceError("Nothing runs here. Start Paraph first: make run")

"""``make run``'s supervisor: what it starts ends with it, whichever way it ends, and what it says is a sentence."""

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.instance import ROOT, InstanceError, count_workers, free_port

pytestmark = pytest.mark.instance


@contextmanager
def supervisor(var_dir: Path, port: int | str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.run"],
        cwd=ROOT,
        env={**os.environ, "VAR_DIR": str(var_dir), "PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def read_until(process: "subprocess.Popen[str]", words: str, seconds: float = 120) -> str:
    assert process.stdout is not None
    said = ""
    deadline = time.monotonic() + seconds
    while words not in said:
        # From the descriptor itself: what a buffered reader holds back, select does not see.
        ready, _, _ = select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))
        part = os.read(process.stdout.fileno(), 65536).decode() if ready else ""
        assert part, f"{words!r} was not said:\n{said}"
        said += part
    return said


def processes_of(var_dir: Path) -> dict[int, str]:
    """Every process that was started for this folder: its environment names it."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"VAR_DIR={var_dir}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, UnicodeDecodeError):
            continue
    return found


def wait_until_gone(var_dir: Path, seconds: float = 20) -> dict[int, str]:
    deadline = time.monotonic() + seconds
    while (left := processes_of(var_dir)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_web_worker_and_beat_and_the_folder_starts_again(tmp_path: Path, ending: signal.Signals) -> None:
    port = free_port()
    for _ in range(2 if ending is signal.SIGTERM else 1):
        with supervisor(tmp_path, port) as process:
            said = read_until(process, "Ctrl-C ends everything")
            assert f"http://localhost:{port}" in said
            commands = " ".join(processes_of(tmp_path).values())
            assert all(word in commands for word in ("gunicorn", "config.celery worker", "config.celery beat"))
            with urllib.request.urlopen(f"http://localhost:{port}/healthz", timeout=10) as answer:
                assert answer.status == 200
            process.send_signal(ending)
            assert process.wait(timeout=30) == 0
            assert processes_of(tmp_path) == {}


def test_a_killed_supervisor_leaves_nobody_behind(tmp_path: Path) -> None:
    with supervisor(tmp_path, free_port()) as process:
        read_until(process, "Ctrl-C ends everything")
        process.kill()
        process.wait()
        assert wait_until_gone(tmp_path) == {}


def test_when_one_process_dies_the_others_end_and_the_reason_is_told(tmp_path: Path) -> None:
    with supervisor(tmp_path, free_port()) as process:
        read_until(process, "Ctrl-C ends everything")
        beat = next(pid for pid, command in processes_of(tmp_path).items() if "config.celery beat" in command)
        os.kill(beat, signal.SIGKILL)
        said, _ = process.communicate(timeout=30)
        assert process.returncode == 1
        assert "beat ended by itself (-9)" in said
        assert processes_of(tmp_path) == {}


def test_a_busy_port_is_a_sentence_and_nothing_is_made(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with supervisor(tmp_path, port) as process:
            said, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert said.startswith(f"Port {port} cannot be used (Address already in use). Choose another: PORT=")
    assert not (tmp_path / "secrets").exists()


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1"])
def test_a_port_that_is_none_is_a_sentence(tmp_path: Path, port: str) -> None:
    with supervisor(tmp_path, port) as process:
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert re.fullmatch(r"PORT must be a number from 1 to 65535, not '.*'\.\n", said)


@pytest.mark.parametrize("workers", ["0", "65", "-1", "two", "1.0"])
def test_a_number_of_workers_that_is_none_is_a_sentence(workers: str) -> None:
    with pytest.raises(InstanceError, match=r"WORKERS must be a number from 1 to 64, not '.*'\."):
        count_workers({"WORKERS": workers})


@pytest.mark.parametrize(("environment", "workers"), [({}, 1), ({"WORKERS": ""}, 1), ({"WORKERS": "3"}, 3)])
def test_there_is_one_worker_or_as_many_as_are_wanted(environment: dict[str, str], workers: int) -> None:
    assert count_workers(environment) == workers


def test_a_second_start_on_the_same_folder_is_refused_with_the_address_of_the_first(tmp_path: Path) -> None:
    first_port = free_port()
    with supervisor(tmp_path, first_port) as first:
        read_until(first, "Ctrl-C ends everything")
        with supervisor(tmp_path, free_port()) as second:
            said, _ = second.communicate(timeout=30)
        assert second.returncode == 1
        assert said == f"Paraph already runs on {tmp_path}, at http://localhost:{first_port}.\n"
        first.terminate()
        first.wait(timeout=30)


def test_only_this_machine_is_listened_to(tmp_path: Path) -> None:
    port = free_port()
    with supervisor(tmp_path, port) as process:
        read_until(process, "Ctrl-C ends everything")
        listening = Path("/proc/net/tcp").read_text(encoding="ascii")
        assert re.findall(rf"(\w+):{port:04X} 00000000:0000 0A", listening) == ["0100007F"]
        process.terminate()
        process.wait(timeout=30)


def test_the_seed_wants_a_running_instance(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.seed"],
        cwd=ROOT,
        env={**os.environ, "VAR_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Nothing runs here. Start Paraph first: make run\n"

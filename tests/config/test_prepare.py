"""``manage.py prepare``: idempotent, quick when nothing is to be done, safe when several start at once."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts.instance import ROOT, Instance

pytestmark = pytest.mark.instance


def start(instance: Instance) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", "prepare"],
        cwd=ROOT,
        env=instance.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("secrets/*")}


def test_three_at_once_on_an_empty_folder_all_succeed_and_agree(tmp_path: Path) -> None:
    instance = Instance(tmp_path, 1)
    for process in [start(instance) for _ in range(3)]:
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
    secrets = files(tmp_path)
    instance.manage("migrate", "--check", "--database", "rssp")
    instance.manage("prepare")
    assert files(tmp_path) == secrets


def test_several_at_once_on_one_postgresql_database_all_succeed(tmp_path: Path, postgresql_url: str) -> None:
    # Two machines: folders of their own, one database.
    settings = {"DATABASE_URL_AUTHZ": postgresql_url, "SECRET_KEY": "of both machines"}
    machines = [Instance(tmp_path / name, 1, "authz", settings) for name in ("one", "two", "three")]
    for instance in machines:
        instance.var_dir.mkdir()
    for process in [start(instance) for instance in machines]:
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said


def test_a_second_prepare_takes_a_moment(tmp_path: Path) -> None:
    instance = Instance(tmp_path, 1)
    instance.manage("prepare")
    began = time.monotonic()
    instance.manage("prepare")
    assert time.monotonic() - began < 10

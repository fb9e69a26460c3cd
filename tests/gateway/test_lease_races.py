"""Threads at one batch take leases at once, on SQLite and on PostgreSQL: none takes another's document."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from scripts.instance import ROOT, Instance

JOBS, THREADS = 60, 6


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Instance:
    """A database, and nothing running."""
    settings = {}
    if request.param == "postgresql":
        settings["DATABASE_URL_GATEWAY"] = request.getfixturevalue("postgresql_url")
    instance = Instance(tmp_path / "var", 1, "gateway", settings)
    instance.var_dir.mkdir()
    instance.manage("migrate", capture=True)
    return instance


def test_no_document_is_taken_twice_and_none_is_left(installation: Instance) -> None:
    command = [sys.executable, "-m", "tests.gateway.lease_taking", str(JOBS), str(THREADS)]
    done = subprocess.run(command, cwd=ROOT, env=installation.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said, counted = done.stdout.splitlines()
    for way in zip(*json.loads(said), strict=True):
        taken = Counter(job_id for one in way for job_id in one)
        assert (len(taken), max(taken.values())) == (JOBS, 1)
    assert int(counted) == JOBS

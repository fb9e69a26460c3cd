"""Two processes over one database and one token: each revokes, each issues, and nobody is ever shown less than before.

On SQLite and on PostgreSQL.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from scripts.instance import ROOT, Instance, free_port

ROUNDS, PROCESSES = 15, 2


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Instance:
    """Prepared, with nothing running."""
    settings: dict[str, str] = {}
    if request.param == "postgresql":
        settings["DATABASE_URL_RSSP"] = request.getfixturevalue("postgresql_url")
    instance = Instance(tmp_path / "var", free_port(), "rssp", settings)
    instance.var_dir.mkdir()
    instance.manage("prepare", capture=True)
    return instance


def run_processes(instance: Instance) -> list[list[dict[str, Any]]]:
    command = [sys.executable, "-m", "tests.rssp.list_issuing", str(ROUNDS)]
    running = [
        subprocess.Popen(command, cwd=ROOT, env=instance.environment, stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    said = [process.communicate(timeout=240)[0] for process in running]
    assert [process.returncode for process in running] == [0] * PROCESSES
    return [[json.loads(line) for line in text.splitlines()] for text in said]


def test_numbers_are_unique_and_grow_and_nothing_revoked_disappears(installation: Instance) -> None:
    told = run_processes(installation)
    by_number: dict[int, set[str]] = {}
    for lists in told:
        numbers = [seen["number"] for seen in lists]
        assert numbers == sorted(numbers)
        for seen in lists:
            assert by_number.setdefault(seen["number"], set(seen["listed"])) == set(seen["listed"])
    for older, newer in zip(sorted(by_number), sorted(by_number)[1:], strict=False):
        assert by_number[older] <= by_number[newer]
    assert len(by_number[max(by_number)]) == ROUNDS * PROCESSES
    if url := installation.settings.get("DATABASE_URL_RSSP"):
        with psycopg.connect(url) as connection:
            rows = connection.execute(
                "SELECT number, changes, entries FROM rssp_revocationlist WHERE entries > 0 ORDER BY id"
            ).fetchall()
        for column in range(3):
            values = [row[column] for row in rows]
            assert values == sorted(values)
        assert len({row[0] for row in rows}) == len(rows)

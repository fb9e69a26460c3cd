"""Several processes over one database and one token take keys at once: nobody ever gets one that another has.

On SQLite and on PostgreSQL.
"""

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from scripts.instance import ROOT, Instance, free_port

POOLED, PROCESSES, TAKES, PREPARED = 24, 4, 8, 10


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Instance:
    """Prepared, with a full pool and nothing running."""
    settings = {
        "KEY_POOL": f"ec-p256={POOLED}",
        "RSSP_CERTIFICATE_POLICIES": "demonstration,short-lived",
        "PREPARED_CREDENTIALS": str(PREPARED),
    }
    if request.param == "postgresql":
        settings["DATABASE_URL_RSSP"] = request.getfixturevalue("postgresql_url")
    instance = Instance(tmp_path / "var", free_port(), "rssp", settings)
    instance.var_dir.mkdir()
    instance.manage("prepare", capture=True)
    fill = "from rssp.services.tending import tend_keys; print(tend_keys())"
    assert f"({POOLED}, 0)" in instance.manage("shell", "-c", fill, capture=True)
    return instance


def rows(instance: Instance) -> list[tuple[Any, ...]]:
    """The id and the state of every key."""
    sql = "SELECT key_id, state FROM rssp_signingkey ORDER BY id"
    if url := instance.settings.get("DATABASE_URL_RSSP"):
        with psycopg.connect(url) as connection:
            return connection.execute(sql).fetchall()
    with closing(sqlite3.connect(instance.var_dir / "rssp.sqlite3")) as connection:
        return connection.execute(sql).fetchall()


def start(instance: Instance, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env=instance.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def tell(running: list[subprocess.Popen[str]], line: str) -> None:
    for process in running:
        assert process.stdin is not None
        process.stdin.write(f"{line}\n")
        process.stdin.flush()


def hear(running: list[subprocess.Popen[str]]) -> list[Any]:
    """A line of JSON of each."""
    return [json.loads(process.stdout.readline()) for process in running if process.stdout is not None]


def take_at_once(instance: Instance) -> list[list[str]]:
    """The ids that each process got."""
    running = [start(instance, "tests.rssp.key_taking", str(TAKES)) for _ in range(PROCESSES)]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    tell(running, "go")
    said = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0] * PROCESSES
    return [text.split() for text in said]


def test_no_pooled_key_is_taken_twice_and_an_empty_pool_refuses_nobody(installation: Instance) -> None:
    before = {bytes(key_id).hex() for key_id, state in rows(installation) if state == "pooled"}
    assert len(before) == POOLED
    taken = take_at_once(installation)
    assert [len(keys) for keys in taken] == [TAKES] * PROCESSES
    everything = [key for keys in taken for key in keys]
    assert max(Counter(everything).values()) == 1
    # All of the pool was used before anybody made a key on the spot, and every row says that it is taken.
    assert before < set(everything)
    assert {(bytes(key_id).hex(), state) for key_id, state in rows(installation)} == {
        (key, "assigned") for key in everything
    }
    share_a_short_lived_credential(installation)


def share_a_short_lived_credential(installation: Instance) -> None:
    """Who come at once are let prepare as many as may wait and no more, each with a key of its own; and of several
    approvals of one credential the first has it."""
    [credential_id] = hear([start(installation, "tests.rssp.one_time_racing", "stand")])
    running = [start(installation, "tests.rssp.one_time_racing", "race", credential_id) for _ in range(PROCESSES)]
    assert hear(running) == ["ready"] * PROCESSES
    tell(running, "go")
    made = [one for each in hear(running) for one in each]
    assert len(made) == len({key for key, _credential in made}) == PREPARED
    credentials = sorted(credential for _key, credential in made)
    tell(running, json.dumps(credentials))
    assert sorted(credential for each in hear(running) for credential in each) == credentials
    assert [process.wait(60) for process in running] == [0] * PROCESSES

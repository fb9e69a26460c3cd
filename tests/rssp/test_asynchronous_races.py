"""Two processes over one database: a call of mode A is done once, closed once, and its client told once.

On SQLite and on PostgreSQL.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scripts.instance import ROOT, Instance, free_port
from tests.rssp.test_asynchronous import Receiver

CALLS, PROCESSES = 40, 2
_MAKE = """
import json, sys, django
django.setup()
from datetime import datetime, timedelta
from rssp.models import AsynchronousCall
given = json.loads(sys.argv[1])
moment = datetime.fromisoformat(given.pop("moment"))
rows = [
    AsynchronousCall.objects.create(
        response_id=f"{given['state']}-{number}", issuer="i", client_id="c", subject="s", credential_id="k",
        validity=timedelta(minutes=10), created=moment, started=moment, next_attempt=moment, **given
    ).pk
    for number in range(int(sys.argv[2]))
]
print(json.dumps(rows))
"""
_READ = """
import json, django
django.setup()
from rssp.models import AsynchronousCall
print(json.dumps(list(AsynchronousCall.objects.order_by("pk").values("pk", "state", "notification", "attempts"))))
"""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Instance:
    """Prepared, with nothing running."""
    settings = {"RESPONSE_URI_HOSTS": "localhost"}
    if request.param == "postgresql":
        settings["DATABASE_URL_RSSP"] = request.getfixturevalue("postgresql_url")
    instance = Instance(tmp_path / "var", free_port(), "rssp", settings)
    instance.var_dir.mkdir()
    instance.manage("migrate", "--database", "default", capture=True)
    return instance


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    fresh = Receiver()
    yield fresh
    fresh.end()


def ask(instance: Instance, script: str, *arguments: str) -> Any:
    command = [sys.executable, "-c", script, *arguments]
    said = subprocess.run(command, cwd=ROOT, env=instance.environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(said.stdout.splitlines()[-1])


def make_calls(instance: Instance, moment: datetime, **fields: Any) -> list[int]:
    keys: list[int] = ask(instance, _MAKE, json.dumps({"moment": moment.isoformat()} | fields), str(CALLS))
    return keys


def race(instance: Instance, what: str, keys: list[int]) -> list[list[int]]:
    begin = str(time.time() + 8)
    command = [sys.executable, "-m", "tests.rssp.call_racing", what, begin, json.dumps(keys)]
    running = [
        subprocess.Popen(command, cwd=ROOT, env=instance.environment, stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    said = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0] * PROCESSES
    return [json.loads(text.splitlines()[-1]) for text in said]


def test_a_call_is_begun_by_one_process_and_ends_once(installation: Instance) -> None:
    keys = make_calls(installation, datetime.now(UTC), state="accepted")
    begun = race(installation, "run", keys)
    assert Counter(pk for each in begun for pk in each) == Counter(keys)
    found = ask(installation, _READ)
    assert {row["pk"]: row["state"] for row in found} == {pk: "failed" if pk % 3 == 0 else "done" for pk in keys}


def test_a_lost_call_is_closed_once(installation: Instance) -> None:
    make_calls(installation, datetime.now(UTC) - timedelta(hours=1), state="accepted")
    closed = race(installation, "sweep", [])
    assert sum(sum(each) for each in closed) == CALLS
    assert {row["state"] for row in ask(installation, _READ)} == {"failed"}


def test_two_workers_tell_each_client_once(installation: Instance, receiver: Receiver) -> None:
    uri = f"http://localhost:{receiver.port}/told"
    make_calls(installation, datetime.now(UTC), state="done", response_uri=uri, notification="due")
    told = race(installation, "notify", [])
    assert sum(sum(each) for each in told) == CALLS
    heard = Counter(body["responseID"] for body in receiver.got)
    assert heard == Counter({f"done-{number}": 1 for number in range(CALLS)})
    assert {(row["notification"], row["attempts"]) for row in ask(installation, _READ)} == {("sent", 1)}

"""A pytest plugin, loaded before Django's settings are: everything that a process would keep under ``var/`` lies in a
temporary folder of this test process (each parallel worker has its own)."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_var = Path(tempfile.mkdtemp(prefix="paraph-tests-"))
os.environ["ENVIRONMENT"] = "development"
os.environ["VAR_DIR"] = str(_var)
os.environ.pop("ROLES", None)
# A level that needs nobody else, for all tests that are about something else.
os.environ["SIGNATURE_LEVEL"] = "B-B"
# And people whose address nobody asks about.
os.environ["REGISTRATION"] = "demonstration=automatic"


@pytest.fixture(scope="session")
def var_dir() -> Path:
    """This run's ``var/``."""
    return _var


@pytest.fixture(autouse=True, scope="session")
def _remove_var_dir() -> Iterator[None]:
    yield
    shutil.rmtree(_var, ignore_errors=True)

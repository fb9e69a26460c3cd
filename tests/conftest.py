"""What every test may use: the servers that make test starts. Fast tests run first; in CI nothing may be skipped."""

import gc
import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest
import redis
from django.utils import translation
from django.utils.translation import trans_real

from scripts.messages import compile_all
from tests.support.services import database_of_its_own

_SLOW = ("postgresql", "browser", "instance")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(
        key=lambda item: max(
            (_SLOW.index(mark.name) + 1 for mark in item.iter_markers() if mark.name in _SLOW), default=0
        )
    )


def pytest_collection_finish() -> None:
    """What is loaded by now stays to the end: no collection of garbage need walk it again."""
    gc.collect()
    gc.freeze()


def _fail_if_skipped(report: Any) -> Any:
    if os.environ.get("CI") and report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"Skipped, which CI does not allow: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _fail_if_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _fail_if_skipped((yield))


@pytest.fixture(scope="session")
def postgresql_server() -> str:
    """A real PostgreSQL server's address, as its superuser."""
    if server := os.environ.get("TEST_POSTGRESQL_URL"):
        return server
    pytest.skip("there is no PostgreSQL: make test starts one")


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """An empty database of this test's own on a real PostgreSQL server."""
    with database_of_its_own(postgresql_server) as url:
        yield url


@pytest.fixture(scope="session")
def compiled_messages() -> None:
    """Pages and mails speak French, whatever this process read of the catalogues before."""
    compile_all()
    trans_real._translations.clear()


@pytest.fixture(scope="session")
def redis_server() -> str:
    """A real Redis server's address, without a database number."""
    if server := os.environ.get("TEST_REDIS_URL"):
        return server
    pytest.skip("there is no Redis: make test starts one")


@pytest.fixture
def redis_url(redis_server: str) -> Iterator[str]:
    """An empty database of this test process's own on a real Redis server."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    url = f"{redis_server}/{worker}"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield url
        client.flushdb()


@pytest.fixture(autouse=True)
def _no_language_left_behind() -> Iterator[None]:
    """A page that a test asked for in French leaves its thread so."""
    yield
    translation.deactivate()

"""Whole instances, shared by the modules that say so (each module names its xdist group, so that one worker has it)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.instance import Instance
from tests.flows.chain import Chain, Signer, spied
from tests.support.cluster import Cluster, cluster
from tests.support.instance import start_instance, start_roles_apart
from tests.support.receiver import Receiver, receive
from tests.support.services import database_of_its_own


@pytest.fixture(scope="session")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Instance]]:
    """The four roles, each with processes, folder, port and database of its own."""
    with start_roles_apart(tmp_path_factory.mktemp("apart")) as instances:
        yield instances


@pytest.fixture(scope="session")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A client's server that takes webhooks, at an origin that the instance's operator vouches for."""
    with receive(tmp_path_factory.mktemp("receiver")) as running:
        yield running


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Chain]:
    """One instance with all roles, on SQLite, with the spy before its HSM."""
    folder = tmp_path_factory.mktemp("one")
    settings = spied(folder, JOB_SWEEP_SECONDS="1", PRIVATE_ORIGINS=receiver.origin)
    with start_instance(folder / "var", settings=settings) as instance:
        yield Chain(instance, folder)


@pytest.fixture(scope="session")
def several(tmp_path_factory: pytest.TempPathFactory, postgresql_server: str, redis_server: str) -> Iterator[Chain]:
    """One instance on PostgreSQL and Redis, with two web processes and a pool of keys that beat has filled."""
    folder = tmp_path_factory.mktemp("several")
    with (
        database_of_its_own(postgresql_server) as authz,
        database_of_its_own(postgresql_server) as rssp,
    ):
        databases = {"DATABASE_URL_AUTHZ": authz, "DATABASE_URL_RSSP": rssp}
        pool = {"KEY_POOL": "ec-p256=3", "KEY_TEND_SECONDS": "2"}
        often = {"JOB_SWEEP_SECONDS": "1"}
        settings = spied(folder, **databases, **pool, **often, REDIS_URL=f"{redis_server}/60", WEB_CONCURRENCY="2")
        with start_instance(folder / "var", settings=settings) as instance:
            yield Chain(instance, folder, (("authz", authz), ("rssp", rssp)))


@dataclass(frozen=True)
class Breakable:
    """An instance whose web processes and whose PostgreSQL are killed, slowed and filled."""

    chain: Chain
    server: Cluster
    faults: Path


@pytest.fixture(scope="session")
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Breakable]:
    """Three web processes on a PostgreSQL of their own, which waits two seconds for nothing longer."""
    folder = tmp_path_factory.mktemp("breakable")
    (folder / "faults").mkdir()
    with cluster(max_connections=60, superuser_reserved_connections=0) as server:
        authz, rssp = server.create_database("authz"), server.create_database("rssp")
        databases = {"DATABASE_URL_AUTHZ": authz, "DATABASE_URL_RSSP": rssp, "DATABASE_PATIENCE_SECONDS": "2"}
        often = {"LEDGER_SWEEP_SECONDS": "1", "AUDIT_CHECKPOINT_SECONDS": "2", "WEB_CONCURRENCY": "3"}
        own = {"TEST_FAULTS_DIR": str(folder / "faults")}
        with start_instance(folder / "var", settings=spied(folder, **databases, **often, **own)) as instance:
            chain = Chain(instance, folder, (("authz", authz), ("rssp", rssp)))
            yield Breakable(chain, server, folder / "faults")


@pytest.fixture(scope="session")
def alice(chain: Chain) -> Iterator[Signer]:
    with chain.signer("Alice", "ec-p256", "ec-p256") as signer:
        yield signer


@pytest.fixture(scope="session")
def bob(chain: Chain) -> Iterator[Signer]:
    with chain.signer("Bob", "ec-p256") as signer:
        yield signer

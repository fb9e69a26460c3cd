"""F17: four databases, the token and the documents of a running installation are copied and put back on an empty
machine, as docs/operations/ says.

``RESTORED_DOCUMENTS`` says how many signed documents and signatures there are (10,000).
"""

import os
import re
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from config.roles import ALL_ROLES
from scripts.instance import Instance, free_port
from tests.flows.chain import Chain, Signer, eventually, report
from tests.support import services
from tests.support.cluster import Cluster, cluster
from tests.support.instance import THRIFT
from tests.support.pdfs import make_pdf
from tests.support.walk import digest_of

pytestmark = [pytest.mark.instance, pytest.mark.postgresql, pytest.mark.xdist_group("flows-restore")]

DOCUMENTS = int(os.environ.get("RESTORED_DOCUMENTS", "10000"))
QUARTER_OF_AN_HOUR = 900
ROOM = {"LIBRARY_DOCUMENTS": "100000"}
_AT_ONCE, _APPROVED = 100, 500


def database_settings(server: Cluster) -> dict[str, str]:
    return {f"DATABASE_URL_{role.upper()}": server.create_database(role) for role in ALL_ROLES}


@contextmanager
def installation(folder: Path, port: int, server: Cluster) -> Iterator[Instance]:
    with Instance(folder, port, settings={**THRIFT, **ROOM, **database_settings(server)}) as instance:
        yield instance


def run(name: str, url: str, *arguments: str) -> None:
    subprocess.run([services._binary(name), *arguments, url], check=True, stdout=subprocess.DEVNULL)


def back_up(instance: Instance, copy: Path) -> None:
    """While it runs. The databases first: a file or a key that no row names does no harm, the other way round does."""
    copy.mkdir()
    for role in ALL_ROLES:
        url = instance.settings[f"DATABASE_URL_{role.upper()}"]
        run("pg_dump", url, "--format=custom", "--compress=1", f"--file={copy / role}.dump")
    for name in ("softhsm", "secrets", "signapp-documents", "gateway-documents", "roles"):
        source = instance.var_dir / name
        if source.is_dir():
            shutil.copytree(source, copy / name)
        elif source.exists():
            shutil.copy2(source, copy / name)


def restore(instance: Instance, copy: Path) -> None:
    """In the order of docs/operations/running.md."""
    for item in copy.iterdir():
        if item.suffix == ".dump":
            url = instance.settings[f"DATABASE_URL_{item.stem.upper()}"]
            subprocess.run(
                [services._binary("pg_restore"), "--jobs=2", f"--dbname={url}", str(item)], check=True, cwd=copy
            )
        elif item.is_dir():
            shutil.copytree(item, instance.var_dir / item.name)
        else:
            shutil.copy2(item, instance.var_dir / item.name)
    for role in ALL_ROLES:
        instance.manage("migrate", "--database", "default" if role == "authz" else role, capture=True)
    instance.manage("prepare_token", capture=True)  # the folder has another name here
    assert "epoch" in instance.manage("begin_epoch", capture=True)
    assert "all as they were written" in instance.manage("verify_audit", capture=True)


def sign_many(alice: Signer, count: int) -> None:
    for first in range(0, count, _APPROVED):
        digests = [digest_of(secrets.token_hex(8)) for _ in range(first, min(count, first + _APPROVED))]
        token = alice.ask(*digests, push=True)
        for start in range(0, len(digests), _AT_ONCE):
            answer = alice.sign(token, *digests[start : start + _AT_ONCE])
            assert answer.status_code == 200, answer.text


@contextmanager
def signing_meanwhile(alice: Signer, token: str, digests: list[bytes]) -> Iterator[list[int]]:
    """One digest after the other, until the block ends."""
    done, ended = list[int](), threading.Event()

    def sign() -> None:
        for digest in digests:
            if ended.is_set():
                return
            done.append(alice.sign(token, digest).status_code)

    thread = threading.Thread(target=sign)
    thread.start()
    yield done
    ended.set()
    thread.join()


def intact(instance: Instance) -> tuple[int, int]:
    told = instance.manage("shell", "-c", "from tests.flows import filling; filling.count_intact()", capture=True)
    found = re.search(r"^(\d+) (\d+)$", told, re.MULTILINE)
    assert found, told
    return int(found[1]), int(found[2])


def test_f17_what_was_spent_stays_spent_and_every_document_is_there_within_a_quarter_of_an_hour(
    tmp_path: Path,
) -> None:
    port, copy = free_port(), tmp_path / "copy"
    lease, annex = digest_of("Lease"), digest_of("Annex")
    busy = [digest_of(f"busy {number}") for number in range(_APPROVED)]
    with ExitStack() as stack:
        with cluster() as server, installation(tmp_path / "first", port, server) as first:
            first.start()
            alice = stack.enter_context(Chain(first, tmp_path).signer("Alice", "ec-p256"))
            alice.walker.sign(make_pdf(), credential_id=alice.credential)
            first.manage("shell", "-c", f"from tests.flows import filling; filling.fill({DOCUMENTS - 1})", capture=True)
            sign_many(alice, DOCUMENTS)
            spent_later, begun_before, load = alice.ask(lease), alice.ask(annex, lease), alice.ask(*busy, push=True)
            assert alice.sign(begun_before, annex).status_code == 200
            with signing_meanwhile(alice, load, busy) as done:
                began = time.monotonic()
                eventually(lambda: len(done) > 2)
                back_up(first, copy)
                backed_up = time.monotonic() - began
            assert set(done) == {200}
            assert alice.sign(spent_later, lease).status_code == 200  # after the copy, which does not know
        (tmp_path / "first").rename(tmp_path / "lost")  # another machine has no such folder
        with cluster() as empty, installation(tmp_path / "second", port, empty) as second:
            began = time.monotonic()
            restore(second, copy)
            second.start()
            restored = time.monotonic() - began
            assert restored <= QUARTER_OF_AN_HOUR
            began = time.monotonic()
            assert intact(second) == (2 * DOCUMENTS, 2 * DOCUMENTS)
            read = time.monotonic() - began
            chain = Chain(second, tmp_path, (("rssp", second.settings["DATABASE_URL_RSSP"]),))
            (signed,) = chain.rows("rssp", "SELECT count(*) FROM rssp_activateddigest WHERE state = 'signed'")[0]
            assert signed >= DOCUMENTS
            assert "authorised" in chain.ledger([lease])
            for token, digest in ((spent_later, lease), (begun_before, annex), (begun_before, lease), (load, busy[0])):
                assert alice.sign(token, digest).status_code in {400, 401}
            time.sleep(61)  # approvals of an epoch's first minute count as of before
            alice.walker.log_in()
            alice.walker.sign(make_pdf(), credential_id=alice.credential)
    megabytes = sum(path.stat().st_size for path in copy.rglob("*") if path.is_file()) // 1_000_000
    report(
        f"{DOCUMENTS} signed documents, {signed} signatures, {megabytes} MB: copied in {backed_up:.0f} s under load,"
        f" restored and answering in {restored:.0f} s, each file read again in {read:.0f} s"
    )

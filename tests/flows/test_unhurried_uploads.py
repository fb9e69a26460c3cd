"""Bodies that never end, come slowly or are not what was announced, at a real server (yardstick G6)."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from tests.flows.chain import Chain, Signer, eventually
from tests.support.gateway_caller import GatewayCaller
from tests.support.pdfs import make_pdf

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("flows-one")]
PDF = make_pdf()


@pytest.fixture(scope="module")
def caller(chain: Chain, alice: Signer) -> GatewayCaller:
    return GatewayCaller(alice.walker, chain.instance)


@contextmanager
def connected(caller: GatewayCaller, *headers: str) -> Iterator[socket.socket]:
    """A request to upload a document has begun."""
    address = urlsplit(caller.instance.base_url)
    with socket.create_connection((address.hostname or "", address.port or 80), timeout=60) as connection:
        lines = [
            "POST /gateway/v1/inspections HTTP/1.1",
            f"Host: {address.netloc}",
            f"Authorization: Bearer {caller.token}",
            "Content-Type: application/pdf",
            *headers,
        ]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        yield connection


def answer(connection: socket.socket) -> tuple[int, str]:
    """Its status, and the error's code where there is one."""
    received = b""
    while b"\r\n\r\n" not in received or b"}" not in received:
        chunk = connection.recv(65536)
        if not chunk:
            break
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])["error"]


def left(caller: GatewayCaller) -> list[str]:
    """Files with a name; those without are gone with who held them."""
    folder = caller.instance.var_dir / "tmp"
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def test_g6_a_body_without_end_is_refused_before_it_is_read(caller: GatewayCaller) -> None:
    with connected(caller, "Transfer-Encoding: chunked") as connection:
        connection.sendall(b"%x\r\n%s\r\n" % (len(PDF), PDF))
        assert answer(connection) == (400, "invalid_request")
    eventually(lambda: left(caller) == [])


@pytest.mark.parametrize("length", ["-1", "1e3", str(10**12)])
def test_g6_a_length_that_is_none_or_too_large_is_refused(caller: GatewayCaller, length: str) -> None:
    with connected(caller, f"Content-Length: {length}") as connection:
        try:
            status, _code = answer(connection)
        except (IndexError, ValueError):
            status = 400  # the server's own page, without a body of ours
    assert status in {400, 413}
    eventually(lambda: left(caller) == [])


def test_g6_a_body_that_breaks_off_is_refused_and_leaves_nothing(caller: GatewayCaller) -> None:
    with connected(caller, f"Content-Length: {len(PDF) + 100}") as connection:
        connection.sendall(PDF)
        connection.shutdown(socket.SHUT_WR)
        assert answer(connection) == (400, "invalid_request")
    eventually(lambda: left(caller) == [])


def test_g6_slow_uploads_keep_nobody_waiting(caller: GatewayCaller) -> None:
    connections = []
    for _ in range(6):
        held = connected(caller, f"Content-Length: {len(PDF)}")
        connections.append((held, held.__enter__()))
    for byte in range(5):
        for _, connection in connections:
            connection.sendall(PDF[byte : byte + 1])
        began = time.monotonic()
        assert caller.call("POST", "inspections", PDF).status_code == httpx.codes.OK
        assert time.monotonic() - began < 10
    for held, _connection in connections:
        held.__exit__(None, None, None)
    assert caller.call("POST", "inspections", PDF).status_code == httpx.codes.OK
    eventually(lambda: left(caller) == [])

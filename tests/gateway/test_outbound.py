"""Yardsticks H1, H2, F15: where gateway may call, and how long it listens."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.clients import pinning
from gateway.clients.outbound import Allowed, Bounds, call, origin_of
from gateway.errors import OutboundError, OutboundRefusedError
from scripts.instance import free_port

ANY = Allowed(schemes=("http", "https"))
QUICK = Bounds(seconds=1.0, size=1000)


class Server:
    """Says what a test gives it, as slowly as it says, and counts who connected."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url, self.hits = f"http://127.0.0.1:{self.port}/x", 0
        self.answer, self.pause = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 0.0
        self.asked = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.hits += 1
            with connection:
                self.asked = connection.recv(65536)
                try:
                    if not self.pause:
                        connection.sendall(self.answer)
                        continue
                    for byte in self.answer:
                        connection.sendall(bytes([byte]))
                        time.sleep(self.pause)
                except OSError:
                    continue


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.listener.close()


def allowed(server: Server) -> Allowed:
    return Allowed(("http",), {origin_of(server.url)})


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1",
            "localhost",
            "[::1]",
            "0.0.0.0",  # noqa: S104  (asked, not bound)
            "0",
            "169.254.169.254",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
        ),
        *("2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]", "[::ffff:a00:1]", "[64:ff9b::7f00:1]"),
        *("[fe80::1]", "[fc00::1]", "[2002:7f00:1::]", "100.64.0.1", "224.0.0.1"),
    ],
)
def test_a_private_address_is_refused_before_a_packet_leaves(server: Server, host: str) -> None:
    with pytest.raises(OutboundRefusedError):
        call("GET", f"http://{host}:{server.port}/", bounds=QUICK, allowed=ANY)
    assert server.hits == 0


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "gopher://x/", "ldap://directory.example/cn=crl", "ftp://x/", "//x/", "", "http://"),
        *("http://ok@127.0.0.1/", "http://a:b@x/", "http://[bad/", "http://x:port/", "http://a b/", "http://x\\@y/"),
        "http://example.org/" + "x" * 2000,
    ],
)
def test_what_is_no_address_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(OutboundRefusedError):
        call("GET", url, bounds=QUICK, allowed=ANY)


def test_plain_http_only_where_it_is_allowed() -> None:
    with pytest.raises(OutboundRefusedError, match="not https"):
        call("GET", "http://example.org/", bounds=QUICK, allowed=Allowed())


def test_a_name_that_leads_inward_is_refused_and_a_second_answer_changes_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rebinding: the name is resolved once, and what was looked at is what is connected to."""
    answers = [[("8.8.8.8", server.port), ("127.0.0.1", server.port)], [("127.0.0.1", server.port)]]
    asked = []

    def resolve(host: str, *_arguments: Any, **_options: Any) -> list[Any]:
        asked.append(host)
        return [(2, 1, 6, "", address) for address in answers[min(len(asked), len(answers)) - 1]]

    monkeypatch.setattr(pinning.socket, "getaddrinfo", resolve)
    for _ in range(2):
        with pytest.raises(OutboundRefusedError):
            call("GET", f"http://rebind.example:{server.port}/", bounds=QUICK, allowed=ANY)
    assert server.hits == 0
    monkeypatch.setattr(pinning, "is_public", lambda _address: True)
    assert call("GET", f"http://rebind.example:{server.port}/", bounds=QUICK, allowed=ANY) == b"ok"
    assert f"Host: rebind.example:{server.port}".encode().lower() in server.asked.lower()
    # getaddrinfo of the literal that is connected to is the system's own business; the name was asked for once a call.
    assert asked.count("rebind.example") == 3


def test_an_origin_that_an_operator_vouches_for_is_called_and_no_other_port_of_it(server: Server) -> None:
    assert call("GET", server.url, bounds=QUICK, allowed=allowed(server)) == b"ok"
    with pytest.raises(OutboundRefusedError):
        call("GET", f"http://127.0.0.1:{server.port + 1}/", bounds=QUICK, allowed=allowed(server))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", "answered 302"),
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "answered 500"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2147483648\r\n\r\n" + b"x" * 5000, "longer"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000, "longer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx", "could not be asked"),
        (b"SSH-2.0-OpenSSH\r\n", "could not be asked"),
        (b"", "could not be asked"),
    ],
)
def test_another_answer_than_a_short_good_one_is_refused(server: Server, answer: bytes, said: str) -> None:
    server.answer = answer
    with pytest.raises(OutboundError, match=said):
        call("GET", server.url, bounds=QUICK, allowed=allowed(server))
    assert server.hits == 1


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\nX: " + b"y" * 500, b"HTTP/1.1 200 OK\r\n\r\n" + b"y" * 500], ids=["head", "body"]
)
def test_a_server_that_drips_is_left_when_the_time_is_up(server: Server, answer: bytes) -> None:
    # The status line and what follows it are there well before the time is up.
    server.answer, server.pause = answer, 0.01
    begun = time.monotonic()
    with pytest.raises(OutboundError, match="took too long"):
        call("GET", server.url, bounds=Bounds(0.5, 1000), allowed=allowed(server))
    assert time.monotonic() - begun < 2


def test_nobody_listens() -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    with pytest.raises(OutboundError, match="could not be asked"):
        call("GET", url, bounds=QUICK, allowed=Allowed(("http",), {origin_of(url)}))

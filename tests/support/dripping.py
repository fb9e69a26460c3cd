"""A server that says what it has to say byte by byte, so that no pause between two is long."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

HEAD = b"HTTP/1.1 200 OK\r\nX: " + b"y" * 500
BODY = b"HTTP/1.1 200 OK\r\n\r\n" + b"y" * 500


@contextmanager
def dripping(answer: bytes) -> Iterator[str]:
    """Its address, at ``localhost``."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, answer), daemon=True).start()
        yield f"http://localhost:{listener.getsockname()[1]}/x"


def _serve(listener: socket.socket, answer: bytes) -> None:
    with suppress(OSError):
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            for byte in answer:
                connection.sendall(bytes([byte]))
                time.sleep(0.05)

"""How a role's client reaches another role: over the network, or inside this process where the callee is served here.

The nested request runs in a thread of its own, because Django's connections, active language and request
signals belong to the thread: in the caller's thread it would close the caller's database connection and reset its
language. The pool makes a thread only when none is idle, and its limit lies far above what the web server's
threads can ask for, so nested calls cannot wait for one another. Its threads live on; so do those of their database
connections that cost no server anything (SQLite's, kept for ever), and a few threads' others.
"""

import tempfile
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import RawIOBase
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.db import connections

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

_SPOOLED_BYTES = 1024 * 1024
# Connecting costs a database server more than a request does. More threads than these come of a burst alone.
_MOST_KEEPERS = 8
_keepers: set[int] = set()
_threads = ThreadPoolExecutor(max_workers=1024, thread_name_prefix="in-process")


class CalledInsideTransactionError(RuntimeError):
    """Another role was called while a transaction was open: its answer would outlive a rollback."""


def refuse_open_transaction() -> None:
    """Raises `CalledInsideTransactionError` if this thread holds a transaction (a test case's own aside)."""
    for connection in connections.all(initialized_only=True):
        if any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
            raise CalledInsideTransactionError(f"a transaction is open on {connection.alias!r}")


def transport_for(address: str) -> httpx.BaseTransport:
    """The transport for calls to ``address``: in-process where this process serves that host's role."""
    parts = urlsplit(address)
    if f"{parts.scheme}://{parts.netloc}" in settings.IN_PROCESS_URLS:
        from config.application import application

        return GuardedTransport(InProcessTransport(application))
    return GuardedTransport(httpx.HTTPTransport(retries=0))


class GuardedTransport(httpx.BaseTransport):
    """Refuses any call inside an open transaction, whichever way it would go."""

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self._transport = transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        refuse_open_transaction()
        return self._transport.handle_request(request)

    def close(self) -> None:
        self._transport.close()


class InProcessTransport(httpx.BaseTransport):
    """Calls a WSGI application in another thread. Request bodies are streamed, answers spooled to disk above 1 MiB."""

    def __init__(self, application: "WSGIApplication") -> None:
        self._application = application

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return _threads.submit(self._isolated, request).result()

    def _isolated(self, request: httpx.Request) -> httpx.Response:
        try:
            return self._call(request)
        finally:
            # A burst leaves many idle threads: the server's connections that they held would be missing elsewhere.
            if not _may_keep():
                for connection in connections.all(initialized_only=True):
                    if connection.settings_dict["CONN_MAX_AGE"] is not None:
                        connection.close()

    def _call(self, request: httpx.Request) -> httpx.Response:
        body: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_SPOOLED_BYTES, dir=settings.FILE_UPLOAD_TEMP_DIR)  # noqa: SIM115
        started: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None, /) -> Any:
            started.update(status=int(status.split(" ", 1)[0]), headers=headers)
            return body.write

        start: StartResponse = start_response
        result: Iterable[bytes] = self._application(_environ(request), start)
        try:
            for chunk in result:
                body.write(chunk)
        finally:
            if close := getattr(result, "close", None):
                close()
        body.seek(0)
        return httpx.Response(started["status"], headers=started["headers"], stream=_Spooled(body), request=request)


def _may_keep() -> bool:
    """Whether this thread is one of the few that keep a server's connections, as long as `CONN_MAX_AGE` says."""
    if len(_keepers) < _MOST_KEEPERS:  # two at once may be one too many: no harm
        _keepers.add(threading.get_ident())
    return threading.get_ident() in _keepers


class _Spooled(httpx.SyncByteStream):
    def __init__(self, body: IO[bytes]) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self._body.read(65536):
            yield chunk

    def close(self) -> None:
        self._body.close()


class _StreamReader(RawIOBase):
    """``wsgi.input`` over an iterator of chunks."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts: list[bytes] = []
        wanted = size
        while size < 0 or wanted > 0:
            if not self._rest:
                self._rest = next(self._chunks, b"")
                if not self._rest:
                    break
            part = self._rest if size < 0 else self._rest[:wanted]
            self._rest = self._rest[len(part) :]
            wanted -= len(part)
            parts.append(part)
        return b"".join(parts)


def _environ(request: httpx.Request) -> dict[str, Any]:
    url = request.url
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": url.path,
        "QUERY_STRING": url.query.decode("ascii"),
        "SERVER_NAME": url.host,
        "SERVER_PORT": str(url.port or {"http": 80, "https": 443}[url.scheme]),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": _StreamReader(request.stream),  # type: ignore[arg-type]
        "wsgi.errors": None,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value
    return environ

"""The client by itself: what it refuses before and after the browser, against real sockets."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from paraph_client import ClientError, Gateway, JobFailedError, LoginError, RefusedError, Server, discover, log_in
from paraph_client.__main__ import main
from paraph_client.api import ApprovalFailedError
from scripts.instance import free_port

ISSUER = "http://localhost:1/authz"


class Answers(HTTPServer):
    """Answers what it was given to say, in its order, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.says: list[tuple[int, dict[str, str], bytes]] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []

    def say(self, status: int, body: Any = None, **headers: str) -> None:
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        self.says.append((status, headers, content))


class _Handler(BaseHTTPRequestHandler):
    server: Answers

    def _answer(self) -> None:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            raise AssertionError("a length is announced")
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.command, self.path, headers, body))
        status, more, content = self.server.says.pop(0)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **more}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815  (http.server's names)

    def log_message(self, *_arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def answers() -> Iterator[Answers]:
    with Answers() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paraph_client.api._POLL_SECONDS", 0.01)


@pytest.fixture
def gateway(answers: Answers) -> Iterator[Gateway]:
    with Gateway(answers.url, "token-canary") as gateway:
        yield gateway


def job(state: str, **members: Any) -> dict[str, Any]:
    return {"job_id": "j", "state": state, "document": {"name": "a.pdf"}, "new": {"member": 1}, **members}


# --- Calls --------------------------------------------------------------------------------------------------


def test_an_upload_says_name_length_and_key_and_is_sent_again_with_them(
    gateway: Gateway, answers: Answers, tmp_path: Path
) -> None:
    document = tmp_path / 'Mietvertrag "2026" ü.pdf'
    document.write_bytes(b"%PDF-1.7 ...")
    answers.say(503, {"error": "storage_full", "error_description": "No room."}, Retry_After="0")
    answers.say(201, job("open"))
    assert gateway.open_job(document).state == "open"
    (first, second) = answers.asked
    assert first == second
    _method, path, headers, body = first
    assert (path, body) == ("/jobs", document.read_bytes())
    assert headers["authorization"] == "Bearer token-canary"
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''Mietvertrag%20%222026%22%20%C3%BC.pdf"
    assert len(headers["idempotency-key"]) > 20


def test_a_refusal_is_told_with_its_code(gateway: Gateway, answers: Answers) -> None:
    answers.say(409, {"error": "credential_not_usable", "error_description": "This certificate cannot sign now."})
    with pytest.raises(RefusedError, match="cannot sign now") as refused:
        gateway.prepare("j", "c")
    assert (refused.value.code, refused.value.status) == ("credential_not_usable", 409)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"state": 1}', b'{"job_id": "j", "state": "open"}'])
def test_an_answer_that_is_none_is_told_apart(gateway: Gateway, answers: Answers, body: bytes) -> None:
    answers.say(200, body)
    with pytest.raises(ClientError, match=r"answer"):
        gateway.job("j")


def test_nobody_answers(tmp_path: Path) -> None:
    with Gateway(f"http://127.0.0.1:{free_port()}", "t") as gateway, pytest.raises(RefusedError, match="reached"):
        gateway.credentials()


def test_credentials_that_cannot_sign_are_not_offered(gateway: Gateway, answers: Answers) -> None:
    told = {"common_name": "Alice", "description": "", "status": "enabled", "cert_status": "valid"}
    each = [told | {"credential_id": "a"}, told | {"credential_id": "b", "cert_status": "revoked"}]
    answers.say(200, {"credentials": each, "requests": []})
    assert [found.credential_id for found in gateway.credentials()] == ["a"]


@pytest.mark.parametrize(
    ("states", "error", "said"),
    [
        (["authorizing", "failed"], {"code": "outcome_unknown", "message": "Approve again."}, JobFailedError),
        (["authorizing", "expired"], None, JobFailedError),
        (["authorizing", "prepared"], {"code": "approval_denied", "message": "Denied."}, ApprovalFailedError),
    ],
)
def test_what_did_not_come_to_a_signature_is_said(
    gateway: Gateway, answers: Answers, states: list[str], error: Any, said: type[Exception]
) -> None:
    for state in states[:-1]:
        answers.say(200, job(state))
    answers.say(200, job(states[-1], error=error))
    with pytest.raises(said, match=error["message"] if error else "ended"):
        gateway.wait("j")


def test_nobody_approves_in_time(gateway: Gateway, answers: Answers) -> None:
    answers.say(200, job("authorizing"))
    with pytest.raises(ApprovalFailedError, match="in time"):
        gateway.wait("j", seconds=0)


def test_a_result_is_written_whole_or_not_at_all(gateway: Gateway, answers: Answers, tmp_path: Path) -> None:
    target = tmp_path / "signed.pdf"
    target.write_bytes(b"what was there")
    answers.say(409, {"error": "not_signed_yet", "error_description": "The document is not signed yet."})
    with pytest.raises(RefusedError, match="not signed yet"):
        gateway.save_result("j", target)
    answers.says.append((200, {"Content-Length": "1000"}, b"%PDF broken off"))
    threading.Timer(0.2, answers.shutdown).start()
    broken = Gateway(answers.url, "t")
    broken._http.timeout = httpx.Timeout(0.5)
    with pytest.raises(RefusedError, match="reached"):
        broken.save_result("j", target)
    assert target.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [target]


# --- Finding the service ------------------------------------------------------------------------------------


def test_a_service_says_where_to_log_in(answers: Answers) -> None:
    issuer = f"{answers.url}/authz"
    answers.say(200, {"resource": f"{answers.url}/gateway", "authorization_servers": [issuer]})
    endpoints = {"authorization_endpoint": f"{issuer}/a", "token_endpoint": f"{issuer}/t"}
    answers.say(200, {"issuer": issuer, **endpoints})
    found = discover(f"{answers.url}/")
    assert found == Server(f"{answers.url}/gateway/v1", issuer, f"{issuer}/a", f"{issuer}/t")
    assert answers.asked[1][1] == "/.well-known/oauth-authorization-server/authz"


@pytest.mark.parametrize("url", ["http://example.org", "ftp://localhost", "localhost:8000", "", "file:///etc"])
def test_plain_http_is_for_this_machine_alone(url: str) -> None:
    with pytest.raises(ClientError, match="https"):
        discover(url)


@pytest.mark.parametrize(
    ("resource", "server", "said"),
    [
        ({"resource": "https://elsewhere.example/gateway"}, None, "another service"),
        ({}, {"issuer": "https://elsewhere.example"}, "describe its login"),
        ({"authorization_servers": []}, None, "where to log in"),
        ({"authorization_servers": ["http://elsewhere.example"]}, None, "https"),
        ({}, {"token_endpoint": "http://elsewhere.example/t"}, "https"),
    ],
)
def test_a_service_that_says_something_odd_is_not_believed(
    answers: Answers, resource: dict[str, Any], server: dict[str, Any] | None, said: str
) -> None:
    issuer = f"{answers.url}/authz"
    answers.say(200, {"resource": f"{answers.url}/gateway", "authorization_servers": [issuer], **resource})
    endpoints = {"authorization_endpoint": f"{issuer}/a", "token_endpoint": f"{issuer}/t"}
    answers.say(200, {"issuer": issuer, **endpoints, **(server or {})})
    with pytest.raises(ClientError, match=said):
        discover(answers.url)


# --- Logging in ---------------------------------------------------------------------------------------------


def browser(**bend: Any) -> Callable[[str], None]:
    """Comes back as an authorization server would send it, after a stranger tried."""

    def open_page(url: str) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert query["code_challenge_method"] == "S256"
        assert query["scope"] == "service"
        assert query["redirect_uri"].startswith("http://127.0.0.1:")
        given = {"code": "code-1", "state": query["state"], "iss": ISSUER, **bend}
        answer = {name: value for name, value in given.items() if value is not None}

        def come_back() -> None:
            for strange in ("/", "/callback", "/callback?state=x&code=stolen", "/favicon.ico"):
                path = query["redirect_uri"].removesuffix("/callback") + strange
                assert httpx.get(path, trust_env=False).status_code == 404
            httpx.get(f"{query['redirect_uri']}?{urlencode(answer)}", trust_env=False)

        threading.Thread(target=come_back, daemon=True).start()

    return open_page


def server_at(token_endpoint: str) -> Server:
    return Server("http://localhost:1/gateway/v1", ISSUER, f"{ISSUER}/authorize", token_endpoint)


def test_a_code_is_redeemed_with_its_verifier(answers: Answers) -> None:
    answers.say(200, {"access_token": "t", "token_type": "Bearer", "expires_in": 900})
    assert log_in(server_at(answers.url), open_browser=browser()) == "t"
    form = parse_qs(answers.asked[0][3].decode())
    assert form["code"] == ["code-1"]
    assert form["client_id"] == ["paraph-cli"]
    assert len(form["code_verifier"][0]) >= 43


@pytest.mark.parametrize(
    ("bend", "said"),
    [
        ({"iss": "https://elsewhere.example"}, "Somebody else"),
        ({"iss": None}, "Somebody else"),
        ({"code": None, "error": "access_denied"}, "declined"),
        ({"code": None, "error": "invalid_scope"}, "invalid_scope"),
    ],
)
def test_another_answer_is_no_login(answers: Answers, bend: dict[str, Any], said: str) -> None:
    with pytest.raises(LoginError, match=said):
        log_in(server_at(answers.url), open_browser=browser(**bend))
    assert answers.asked == []


@pytest.mark.parametrize(
    ("status", "body"),
    [(400, {"error": "invalid_grant"}), (200, {"token_type": "Bearer"}), (200, b"<html>"), (500, b"")],
)
def test_no_token_is_no_login(answers: Answers, status: int, body: Any) -> None:
    answers.say(status, body)
    with pytest.raises(LoginError):
        log_in(server_at(answers.url), open_browser=browser())


def test_nobody_logs_in() -> None:
    begun = time.monotonic()
    with pytest.raises(LoginError, match="in time"):
        log_in(server_at("http://localhost:1"), open_browser=lambda _url: None, seconds=0.1)
    assert time.monotonic() - begun < 2


# --- The command line -----------------------------------------------------------------------------------------


def published(answers: Answers) -> None:
    issuer = f"{answers.url}/authz"
    answers.say(200, {"resource": f"{answers.url}/gateway", "authorization_servers": [issuer]})
    answers.say(200, {"issuer": issuer, "authorization_endpoint": f"{issuer}/a", "token_endpoint": f"{issuer}/t"})


def test_files_are_looked_at_before_anybody_logs_in(
    answers: Answers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document, output = tmp_path / "in.pdf", tmp_path / "in.signed.pdf"
    cases = [
        ([str(document)], "There is no file"),
        ([str(document)], "--force"),
        ([str(document), "-o", str(tmp_path / "none" / "x.pdf")], "There is no folder"),
    ]
    for arguments, said in cases:
        published(answers)
        assert main(["--server", answers.url, "--no-browser", "sign", *arguments]) == 1
        assert said in capsys.readouterr().err
        document.write_bytes(b"%PDF")
        output.write_bytes(b"signed")
    assert output.read_bytes() == b"signed"


def test_a_service_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--server", f"http://localhost:{free_port()}", "credentials"]) == 1
    assert "There is no such service" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["sign"], ["destroy"], ["sign", "a.pdf", "--level", "B-X"]])
def test_an_odd_command_is_explained(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: paraph" in capsys.readouterr().err

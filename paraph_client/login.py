"""Logging a person in from a program on their own machine (RFC 8252): their browser, PKCE, and a port on the loopback
address that lives as long as the login. The token is answered, and kept nowhere."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from paraph_client.errors import LoginError
from paraph_client.servers import Server

CLIENT_ID = "paraph-cli"
_PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Paraph</title>
<p>You can close this window and go back to the program.</p></html>"""


def log_in(
    server: Server, *, open_browser: Callable[[str], object], client_id: str = CLIENT_ID, seconds: float = 300
) -> str:
    """An access token of scope ``service``. ``open_browser`` gets the address where the person logs in; what it answers
    is not looked at. Raises `LoginError`."""
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    with _Listener(("127.0.0.1", 0), _Handler) as listener:
        redirect_uri = f"http://127.0.0.1:{listener.server_port}/callback"
        asked = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "scope": "service",
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        open_browser(f"{server.authorization_endpoint}?{urlencode(asked)}")
        given = listener.wait(state, seconds)
    if given.get("iss") != server.issuer:
        raise LoginError("Somebody else answered than who was asked (RFC 9207).")
    if "code" not in given:
        declined = given.get("error") == "access_denied"
        raise LoginError("Access was declined." if declined else f"The login failed: {given.get('error')}.")
    return _redeem(server, client_id=client_id, code=given["code"], redirect_uri=redirect_uri, verifier=verifier)


def _redeem(server: Server, *, client_id: str, code: str, redirect_uri: str, verifier: str) -> str:
    form = {
        "grant_type": "authorization_code",
        "client_id": client_id,
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    try:
        answer = httpx.post(server.token_endpoint, data=form, timeout=30, follow_redirects=False)
        body = answer.json()
    except (httpx.HTTPError, ValueError):
        raise LoginError("The authorization server does not answer.") from None
    token = body.get("access_token") if isinstance(body, dict) and answer.is_success else None
    if not isinstance(token, str) or str(body.get("token_type", "")).lower() != "bearer":
        raise LoginError("The authorization server gave no token.")
    return token


class _Listener(HTTPServer):
    """Hears the browser come back. What comes with another ``state`` is nobody's answer."""

    expected = ""
    given: dict[str, str] | None = None

    def wait(self, state: str, seconds: float) -> dict[str, str]:
        self.expected, ends = state, time.monotonic() + seconds
        while self.given is None:
            self.timeout = ends - time.monotonic()
            if self.timeout <= 0:
                raise LoginError("Nobody logged in in time.")
            self.handle_request()
        return self.given


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    # A connection that says nothing holds the others up no longer.
    timeout = 5

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        values = parse_qs(parts.query)
        given = {name: value[0] for name, value in values.items() if len(value) == 1}
        is_ours = parts.path == "/callback" and hmac.compare_digest(
            given.get("state", "").encode(), self.server.expected.encode()
        )
        self.send_response(200 if is_ours else 404)
        page = _PAGE if is_ours else b""
        for name, value in {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Length": str(len(page)),
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'",
            "Referrer-Policy": "no-referrer",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(page)
        if is_ours:
            self.server.given = given

    def log_message(self, *_arguments: object) -> None:
        """Nothing: the address holds a code."""

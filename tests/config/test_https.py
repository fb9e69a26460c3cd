"""An installation behind TLS, with its own settings: what every answer and every cookie says to a browser."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.check import production
from scripts.instance import ROOT

# Inside, with the installation's settings: pages, refusals, errors and files, as a proxy hands them on.
_ASKED = """
import django, json, sys
django.setup()
from django.core.management import call_command
from django.conf import settings
from config.roles import alias_of
for role in ("signapp", "authz"):  # where sessions are; the others refuse before they read anything
    alias = alias_of(role, settings.ROLES)
    call_command("migrate", database=alias, verbosity=0)
from django.test import Client
told = []
host = settings.ALLOWED_HOSTS[0]
for path in json.loads(sys.argv[1]):
    answer = Client(raise_request_exception=False).get(path, secure=True, headers={"host": host})
    told.append([path, answer.status_code, dict(answer.headers), [c.OutputString() for c in answer.cookies.values()]])
plain = Client().get("/", headers={"host": host})
told.append(["plain", plain.status_code, dict(plain.headers), []])
print(json.dumps(told))
"""
PATHS = [
    "/",
    "/authz/login",
    "/authz/signup",
    "/login",
    "/account",
    "/authz/oauth2/authorize",
    "/no-such-page",
    "/gateway/v1/credentials",
    "/csc/v2/info",
    "/admin/login/",
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, dict[str, str], list[str]]]:
    folder = tmp_path_factory.mktemp("production")
    roles = ("SIGNAPP", "AUTHZ", "GATEWAY", "RSSP")
    files = {f"DATABASE_URL_{role}": f"sqlite:///{folder}/{role.lower()}.sqlite3" for role in roles}
    one = {f"{role}_URL": "https://sign.example.org" for role in roles}
    environment = {**os.environ, **production(Path(folder)), **files, **one}
    environment |= {"DJANGO_SETTINGS_MODULE": "config.settings", "LOG_LEVEL": "CRITICAL"}
    command = [sys.executable, "-c", _ASKED, json.dumps(PATHS)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return {path: (status, headers, cookies) for path, status, headers, cookies in told}


def test_e14_every_answer_keeps_to_tls_and_says_what_it_is(answers: dict[str, Any]) -> None:
    for path in PATHS:
        _, headers, _ = answers[path]
        assert int(headers["Strict-Transport-Security"].partition("max-age=")[2].partition(";")[0]) >= 31536000, path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin", path
        policy = headers["Content-Security-Policy"]
        assert "unsafe-inline" not in policy, path
        assert "unsafe-eval" not in policy, path
        assert "frame-ancestors 'none'" in policy, path


def test_e14_every_cookie_is_this_host_s_alone(answers: dict[str, Any]) -> None:
    cookies = [cookie for path in PATHS for cookie in answers[path][2]]
    assert cookies
    for cookie in cookies:
        assert cookie.startswith("__Host-"), cookie
        for mark in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
            assert mark in cookie, cookie
        assert "Domain" not in cookie, cookie


def test_e14_who_comes_without_tls_is_sent_to_it(answers: dict[str, Any]) -> None:
    status, headers, _ = answers["plain"]
    assert (status, headers["Location"]) == (301, "https://sign.example.org/")

"""Alice signs, Bob is another signer; the remote side is `tests.gateway.remote`."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from gateway.services import crews, signing
from tests.gateway import remote as remote_side
from tests.gateway.described import hold_against_description
from tests.support import pdfs

ALIAS = "gateway" if "gateway" in django_settings.DATABASES else "default"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("django_db") is None:
            item.add_marker(pytest.mark.django_db(databases=[ALIAS, "default"]))


@pytest.fixture(autouse=True)
def _one_lane(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test is a transaction, another thread sees none of it."""
    marker = request.node.get_closest_marker("django_db")
    if marker is not None and not marker.kwargs.get("transaction"):
        monkeypatch.setattr(crews, "LANES", 1)


@pytest.fixture
def remote(settings: Any, monkeypatch: pytest.MonkeyPatch) -> remote_side.Remote:
    settings.CLIENT_TRANSPORT = "tests.gateway.remote.transport_for"
    fresh = remote_side.Remote()
    monkeypatch.setattr(remote_side, "current", fresh)
    return fresh


@dataclass
class User:
    """A signer with a service token, speaking to the API."""

    subject: str
    token: str
    remote: remote_side.Remote

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        response = self._call(method, path, body, **headers)
        hold_against_description(method, f"/gateway/v1/{path}", response)
        return response

    def _call(self, method: str, path: str, body: Any, **headers: str) -> Any:
        arguments = {"HTTP_AUTHORIZATION": f"Bearer {self.token}", **headers}
        content_type = "application/pdf" if isinstance(body, bytes) else "application/json"
        address = f"/gateway/v1/{path}"
        if body == b"":
            arguments |= {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": "0"}
        if body is None:
            return Client().generic(method, address, **arguments)
        return Client(enforce_csrf_checks=True).generic(
            method, address, body if isinstance(body, bytes) else _dump(body), content_type, **arguments
        )

    def open_job(self, pdf: bytes | None = None, name: str = "Lease.pdf", **headers: str) -> Any:
        disposition = f"attachment; filename*=UTF-8''{name}"
        body = pdfs.make_pdf(pages=3) if pdf is None else pdf
        return self.call("POST", "jobs", body, HTTP_CONTENT_DISPOSITION=disposition, **headers)

    def prepare(self, job_id: str, credential_id: str, **members: Any) -> Any:
        return self.call("POST", f"jobs/{job_id}/prepare", {"credential_id": credential_id, **members})

    def ask(self, job_id: str) -> Any:
        return self.call("POST", f"jobs/{job_id}/authorization", {"state": "s" * 43})

    def complete(self, job_id: str, code: str, iss: str | None = None) -> Any:
        body = {"code": code, "iss": iss or django_settings.ISSUER}
        return self.call("POST", f"jobs/{job_id}/complete", body)

    def job(self, job_id: str) -> Any:
        return self.call("GET", f"jobs/{job_id}").json()

    def download(self, job_id: str) -> bytes:
        response = self.call("GET", f"jobs/{job_id}/result")
        assert response.status_code == 200, response.content
        return b"".join(response.streaming_content)


def _dump(body: Any) -> str:
    import json

    return body if isinstance(body, str) else json.dumps(body)


@pytest.fixture
def alice(remote: remote_side.Remote) -> User:
    subject = str(uuid.uuid4())
    return User(subject, remote.log_in(subject), remote)


@pytest.fixture
def bob(remote: remote_side.Remote) -> User:
    subject = str(uuid.uuid4())
    return User(subject, remote.log_in(subject), remote)


@pytest.fixture
def credential_id(alice: User, remote: remote_side.Remote) -> str:
    return remote.add_credential(alice.subject)


@pytest.fixture
def prepared(alice: User, credential_id: str) -> str:
    """A job of Alice's in state `prepared`."""
    job_id: str = alice.open_job().json()["job_id"]
    assert alice.prepare(job_id, credential_id).status_code == 200
    return job_id


@pytest.fixture
def approved(alice: User, prepared: str, remote: remote_side.Remote) -> str:
    """A job of Alice's in state `approved`."""
    url = alice.ask(prepared).json()["authorization_url"]
    answer = alice.complete(prepared, remote.approve(url, alice.subject))
    assert answer.status_code == 202, answer.content
    assert answer.json()["state"] == "approved"
    return prepared


@pytest.fixture
def work() -> Callable[[str], None]:
    """One delivery of the task."""

    def run(job_id: str) -> None:
        signing.run_job(job_id=uuid.UUID(job_id))

    return run


@pytest.fixture
def documents_folder(settings: Any, tmp_path: Path) -> Path:
    settings.GATEWAY_DOCUMENTS_DIR = tmp_path / "documents"
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    return tmp_path / "documents"

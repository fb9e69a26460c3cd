"""Alice has documents, Bob has others, Mallory attacks; the remote side is `tests.signapp.remote`."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.sessions.backends.base import SessionBase

from signapp.models import Document
from signapp.services import documents, logins, signing
from signapp.services.logins import Account
from signapp.sessions import SessionStore
from tests.signapp import remote as remote_side

ALIAS = "signapp" if "signapp" in django_settings.DATABASES else "default"
PDF = b"%PDF-1.7 a lease"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("django_db") is None:
            item.add_marker(pytest.mark.django_db(databases=[ALIAS, "default"]))


@pytest.fixture
def remote(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> remote_side.Remote:
    settings.CLIENT_TRANSPORT = "tests.signapp.remote.transport_for"
    settings.SIGNAPP_DOCUMENTS_DIR = tmp_path / "documents"
    fresh = remote_side.Remote()
    monkeypatch.setattr(remote_side, "current", fresh)
    return fresh


@dataclass
class Person:
    """Somebody with a browser session."""

    session: SessionBase
    remote: remote_side.Remote

    def log_in(self, subject: str) -> "Person":
        url = logins.begin_login(session=self.session, next_path="/documents")
        logins.complete_login(session=self.session, **self.remote.log_in(url, subject))
        return self

    @property
    def account(self) -> Account:
        account = logins.read_account(session=self.session)
        assert account is not None
        return account

    @property
    def who(self) -> dict[str, Any]:
        return {"account": self.account, "token": logins.service_token(session=self.session)}

    def upload(self, body: bytes = PDF, name: str = "Lease.pdf") -> Document:
        return documents.add_document(**self.who, upload=io.BytesIO(body), name=name, size=len(body))

    def prepare(self, document: Document) -> signing.Prepared:
        return signing.prepare_signature(**self.who, document_id=document.pk, credential_id="credential-1")

    def begin(self, document: Document) -> str:
        """The ``state`` that the approval was asked with."""
        signing.begin_approval(**self.who, session=self.session, document_id=document.pk)
        fresh = documents.find_document(account=self.account, document_id=document.pk)
        return str(self.remote.jobs[str(fresh.job_id)]["asked"])

    def find(self, document: Document) -> Document:
        return documents.find_document(account=self.account, document_id=document.pk)

    def refresh(self, document: Document) -> Document:
        return signing.refresh_document(**self.who, document_id=document.pk)


@pytest.fixture
def visitor(remote: remote_side.Remote) -> Callable[[], Person]:
    def make() -> Person:
        session = SessionStore()
        session.create()
        return Person(session, remote)

    return make


@pytest.fixture
def alice(visitor: Callable[[], Person]) -> Person:
    return visitor().log_in("alice")


@pytest.fixture
def bob(visitor: Callable[[], Person]) -> Person:
    return visitor().log_in("bob")

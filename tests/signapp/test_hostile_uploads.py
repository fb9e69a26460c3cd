"""Uploads of many parts, and names of files on pages and in headers (yardsticks G6, G8)."""

import io
import re
from typing import Any

import pytest
from pytest_django import Settings

from signapp import documents as storage
from signapp.clients import gateway
from signapp.models import Document, StoredFile
from tests.signapp.test_pages import CERTIFICATE, PDF, browser_of, document_of

pytestmark = pytest.mark.django_db(databases=["default", "signapp"])


@pytest.fixture(autouse=True)
def _this_role_alone(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ROOT_URLCONF = "tests.signapp.addresses"
    monkeypatch.setattr(gateway, "list_credentials", lambda **_call: [CERTIFICATE])


@pytest.mark.parametrize("part", ['name="a{n}"', 'name="document"; filename="{n}.pdf"'])
def test_g6_ten_thousand_parts_are_refused_and_leave_nothing(part: str) -> None:
    parts = "".join(
        f"--x\r\nContent-Disposition: form-data; {part.format(n=number)}\r\n\r\n%PDF-\r\n" for number in range(10_000)
    )
    answer = browser_of("alice").post("/documents", f"{parts}--x--\r\n", "multipart/form-data; boundary=x")
    assert answer.status_code == 400
    assert not Document.objects.exists()
    assert not StoredFile.objects.exists()


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/x.pdf",
        '"><img src=x onerror=alert(1)>.pdf',
        "a\r\nSet-Cookie: x=1.pdf",
        "lease\u202efdp.exe",
        "n\0l.pdf",
    ],
)
def test_g8_a_name_is_text_on_pages_and_one_value_in_headers(name: str) -> None:
    signed = storage.store_file(io.BytesIO(PDF))
    document = document_of("alice", name=name, state="signed", signed=signed)
    alice = browser_of("alice")
    for path in ("/documents", f"/documents/{document.pk}"):
        page = alice.get(path).content.decode()
        assert "<img src=x" not in page
        assert "\u202e" not in page
    told: Any = alice.get(f"/documents/{document.pk}/download")
    disposition = told["Content-Disposition"]
    assert disposition.startswith("attachment; filename")
    assert not re.search(r"[\r\n\0\u202e]", disposition)
    assert "Set-Cookie" not in told.headers
    assert told["X-Content-Type-Options"] == "nosniff"
    assert told["Content-Security-Policy"] == "sandbox; default-src 'none'"


def test_g6_one_person_fills_no_disk(settings: Settings) -> None:
    settings.LIBRARY_DOCUMENTS = 2
    for _ in range(2):
        document_of("alice")
    document_of("bob")
    answer = browser_of("alice").post(
        "/documents", {"document": io.BytesIO(PDF)}, headers={"Accept": "application/json"}
    )
    assert (answer.status_code, answer.json()["error"]) == (409, "library_full")
    assert Document.objects.count() == 3
    assert StoredFile.objects.count() == 3

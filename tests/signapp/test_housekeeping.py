"""What is cleared by the hour, what an operator sees, and what the checks say."""

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from django.contrib import admin
from django.utils import timezone

from signapp import checks
from signapp.models import Document, Login, Session
from signapp.services import documents, logins
from signapp.tasks import clear_expired
from tests.signapp.conftest import PDF, Person


def test_what_has_ended_is_cleared_and_what_lives_stays(alice: Person, bob: Person, settings: Any) -> None:
    document = alice.upload()
    folder = Path(settings.SIGNAPP_DOCUMENTS_DIR)
    for name, age in (("old.part", 7200), ("new.part", 0)):
        path = folder / name
        path.write_bytes(b"x")
        os.utime(path, (time.time() - age,) * 2)
    past = timezone.now() - timedelta(seconds=1)
    Login.objects.filter(subject="bob").update(expires_at=past)
    Session.objects.exclude(session_data="").update(expire_date=past)
    clear_expired()
    assert list(Login.objects.values_list("subject", flat=True)) == ["alice"]
    assert not Session.objects.exists()
    assert {path.suffix for path in folder.iterdir()} == {".age", ".part"}
    assert not (folder / "old.part").exists()
    assert Document.objects.filter(pk=document.pk).exists()


def test_keys_rotate(alice: Person, settings: Any) -> None:
    document = alice.upload()
    settings.SIGNAPP_DOCUMENT_KEYS = [Fernet.generate_key().decode(), *settings.SIGNAPP_DOCUMENT_KEYS]
    with documents.open_original(account=alice.account, document_id=document.pk) as original:
        assert original.read() == PDF


def test_a_login_whose_key_is_gone_is_over(alice: Person, settings: Any) -> None:
    settings.SIGNAPP_DOCUMENT_KEYS = [Fernet.generate_key().decode()]
    Login.objects.update(checked_at=timezone.now() - timedelta(minutes=1))
    assert alice.session.get("login")
    assert logins.read_account(session=alice.session) is None


def test_an_operator_sees_no_name_and_no_file_and_changes_nothing() -> None:
    shown = admin.site._registry[Document]
    names = {*shown.list_display, *(shown.fields or ())}
    assert not {"name", "label", "original", "signed"} & names
    request: Any = None
    assert not any((shown.has_add_permission(request), shown.has_change_permission(request)))
    assert not shown.has_delete_permission(request)


def test_a_weak_document_key_is_an_error(settings: Any) -> None:
    assert checks.check_document_keys() == []
    settings.SIGNAPP_DOCUMENT_KEYS = ["short"]
    assert [message.id for message in checks.check_document_keys()] == ["signapp.E001"]

"""Taking one's things along, and deleting the account: what goes, when, and what others keep."""

import io
import json
import re
import zipfile
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from PIL import Image

from signapp import documents as storage
from signapp.errors import StorageFullError
from signapp.models import (
    Batch,
    BulkRow,
    BulkSend,
    Departure,
    DirectLink,
    Document,
    Envelope,
    Event,
    Export,
    ExportPart,
    Login,
    Look,
    Recipient,
    Remains,
    StoredFile,
)
from signapp.services import exports, leaving
from signapp.tasks import build_exports, clear_expired, tend_retention
from tests.signapp.test_pages import (  # noqa: F401  (one is a fixture)
    PDF,
    _this_role_alone,
    batch_of,
    browser_of,
    bulk_of,
    document_of,
    envelope_of,
)
from tests.signapp.test_retention import Clock, _folder, clock, ended  # noqa: F401  (fixtures)

pytestmark = pytest.mark.django_db(databases=["default", "signapp"])


def everything_of_alice() -> tuple[Document, Envelope, Envelope]:
    """A signed document, an envelope with Carol, a template, and a look."""
    document = document_of("alice", state="signed", signed=storage.store_file(io.BytesIO(PDF + b" signed")))
    picture = io.BytesIO()
    Image.new("RGBA", (40, 20)).save(picture, "PNG")
    Look.objects.create(
        issuer=document.issuer, subject="alice", kind="signature", style="drawn", picture=storage.store_file(picture)
    )
    return document, ended(), envelope_of("alice", state="template")


def grow_old(client: Client) -> None:
    """The login is a while ago."""
    Login.objects.update(created=timezone.now() - timedelta(minutes=16))


def make(client: Client) -> Any:
    client.post("/account/export/make")
    build_exports()
    part = ExportPart.objects.first()
    return client.get(f"/account/export/files/{part.pk if part else uuid4()}")


def test_an_export_holds_ones_own_and_names_each_file() -> None:
    document, envelope, template = everything_of_alice()
    document_of("bob", name="Secret.pdf")
    envelope_of("bob")
    answer = make(browser_of("alice"))
    assert answer["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.getvalue())) as archive:
        assert archive.testzip() is None
        told = json.loads(archive.read("export.json"))
        assert archive.read(f"documents/{document.pk}.pdf") == PDF
        assert archive.read(f"documents/{document.pk}-signed.pdf") == PDF + b" signed"
        names = {
            *(told["documents"][0][name] for name in ("file", "signed_file")),
            told["envelopes"][0]["documents"][0]["file"],
            told["templates"][0]["documents"][0]["file"],
            told["looks"][0]["file"],
            "export.json",
        }
        assert names == set(archive.namelist())
    assert [each["id"] for each in told["envelopes"]] == [str(envelope.pk)]
    assert [each["id"] for each in told["templates"]] == [str(template.pk)]
    assert [event["kind"] for event in told["envelopes"][0]["trail"]] == ["completed"]
    assert told["envelopes"][0]["people"][0]["email"] == "carol@example.test"
    assert "Secret" not in json.dumps(told)
    [letter] = mail.outbox
    assert letter.to == ["alice@example.test"]
    assert "/account/export\n" in str(letter.body)
    assert "Secret" not in str(letter.body)


def test_progress_is_told_and_two_are_not_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    everything_of_alice()
    alice, seen = browser_of("alice"), []
    for _twice in range(2):
        assert alice.post("/account/export/make")["Location"] == "/account/export"
    assert Export.objects.count() == 1
    assert 'hx-trigger="every 2s"' in alice.get("/account/export/state").content.decode()
    really = storage.open_file

    def watched(stored: StoredFile) -> Any:
        seen.append(alice.get("/account/export/state").content.decode())
        assert exports.build_exports() == 0, "another worker leaves it alone"
        return really(stored)

    monkeypatch.setattr(storage, "open_file", watched)
    build_exports()
    assert ["0 of 5 files" in seen[0], "4 of 5 files" in seen[-1]] == [True, True]
    assert "Your export is ready" in alice.get("/account/export").content.decode()


def test_one_whose_worker_died_is_made_by_the_next(clock: Clock) -> None:  # noqa: F811
    everything_of_alice()
    alice = browser_of("alice")
    alice.post("/account/export/make")
    Export.objects.update(state="building", lease_until=timezone.now() + timedelta(minutes=10))
    build_exports()
    assert Export.objects.get().state == "building"
    clock(minutes=11)
    build_exports()
    assert Export.objects.get().state == "ready"


def test_a_full_disk_and_a_lost_file_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    document, _envelope, _template = everything_of_alice()
    alice = browser_of("alice")
    storage._storage().delete(storage._name(document.original.pk))
    with zipfile.ZipFile(io.BytesIO(make(alice).getvalue())) as archive:
        assert json.loads(archive.read("export.json"))["documents"][0]["file"] == ""

    def full(_file: Any, **_more: Any) -> Any:
        raise StorageFullError

    monkeypatch.setattr(storage, "store_file", full)
    assert make(alice).status_code == 404
    page = alice.get("/account/export").content.decode()
    assert "The export was not made" in page
    assert "storage_full" in page


def test_what_is_too_large_for_one_file_lies_in_several(settings: Any) -> None:
    """Of four files that hold some 34 bytes each; the smallest number that can be set is 10 MB, so the bytes are."""
    everything_of_alice()
    StoredFile.objects.update(size=6_000_000)
    settings.EXPORT_MEGABYTES = 13
    alice = browser_of("alice")
    first = make(alice)
    assert ", part 1.zip" in first["Content-Disposition"]
    page = alice.get("/account/export").content.decode()
    found = re.findall(r"/account/export/files/[-0-9a-f]+", page)
    assert len(found) == ExportPart.objects.count() == 3
    together: dict[str, bytes] = {}
    for address in found:
        with zipfile.ZipFile(io.BytesIO(alice.get(address).getvalue())) as archive:
            assert archive.testzip() is None
            assert len(archive.namelist()) <= 3
            assert together.keys().isdisjoint(archive.namelist())
            together |= {name: archive.read(name) for name in archive.namelist()}
    told = json.loads(together["export.json"])
    assert together[told["documents"][0]["signed_file"]] == PDF + b" signed"
    assert told["envelopes"][0]["documents"][0]["file"] in together
    assert "Unpack all parts into the same folder" in page
    alice.post("/account/export/delete")
    assert not ExportPart.objects.exists()


def test_one_document_that_is_larger_than_a_file_may_be_lies_in_one_of_its_own(settings: Any) -> None:
    for name in ("a.pdf", "b.pdf"):
        document_of("alice", name=name)
    StoredFile.objects.update(size=600_000_000)
    settings.EXPORT_MEGABYTES = 500
    make(browser_of("alice"))
    assert ExportPart.objects.count() == 2


@pytest.mark.parametrize("meanwhile", ["deleted", "overtaken", "full"])
def test_nothing_is_left_of_parts_that_nobody_gets(
    settings: Any, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any, meanwhile: str
) -> None:
    """Taken back, built by another worker, or no room for the second part while the first is there."""
    everything_of_alice()
    StoredFile.objects.update(size=6_000_000)
    settings.EXPORT_MEGABYTES = 10
    alice, really, parts = browser_of("alice"), storage.store_file, []
    before = StoredFile.objects.count()

    def store(file: Any, **more: Any) -> Any:
        parts.append(1)
        if len(parts) == 2 and meanwhile == "deleted":
            alice.post("/account/export/delete")
        if len(parts) == 2 and meanwhile == "overtaken":
            Export.objects.update(attempt=9)
        if len(parts) == 2 and meanwhile == "full":
            raise StorageFullError
        return really(file, **more)

    monkeypatch.setattr(storage, "store_file", store)
    alice.post("/account/export/make")
    with django_capture_on_commit_callbacks(using="signapp", execute=True):
        assert build_exports() is None
    if meanwhile == "overtaken":
        assert ExportPart.objects.count() == 1, "which the other worker deletes"
        Export.objects.update(state="building", lease_until=timezone.now() - timedelta(minutes=1))
        with django_capture_on_commit_callbacks(using="signapp", execute=True):
            build_exports()
        assert (Export.objects.get().state, ExportPart.objects.count()) == ("ready", 5)
    else:
        assert not ExportPart.objects.exists()
    assert StoredFile.objects.count() == before + ExportPart.objects.count()


def test_it_takes_a_fresh_login_the_same_account_and_its_days(clock: Clock) -> None:  # noqa: F811
    everything_of_alice()
    alice, bob = browser_of("alice"), browser_of("bob")
    assert make(alice).status_code == 200
    address = f"/account/export/files/{ExportPart.objects.get().pk}"
    assert bob.get(address).status_code == 404
    assert "Your export is ready" not in bob.get("/account/export").content.decode()
    grow_old(alice)
    for method, wanted, back in (
        (alice.post, "/account/export/make", "export"),
        (alice.get, address, "export"),
        (alice.get, "/account/leave", "leave"),
        (alice.post, "/account/leave", "leave"),
    ):
        assert method(wanted)["Location"] == f"/login?next=%2Faccount%2F{back}"
    assert not Departure.objects.exists()
    assert Export.objects.get().state == "ready", "the old one is still there"
    assert "Log in again and download" in alice.get("/account/export").content.decode()
    clock(days=3, seconds=1)
    again = browser_of("alice")
    Login.objects.update(created=timezone.now())
    assert again.get(address).status_code == 404
    files = StoredFile.objects.count()
    clear_expired()
    assert not Export.objects.exists()
    assert StoredFile.objects.count() == files - 1


def test_an_export_can_be_deleted_at_once() -> None:
    alice = browser_of("alice")
    make(alice)
    address = f"/account/export/files/{ExportPart.objects.get().pk}"
    alice.post("/account/export/delete")
    assert alice.get(address).status_code == 404
    assert not StoredFile.objects.exists()


def test_open_envelopes_are_named_before_and_nothing_goes_for_some_days(clock: Clock) -> None:  # noqa: F811
    everything_of_alice()
    envelope_of("alice", state="sent")
    asked = envelope_of("bob", state="sent", sender_email="bob@example.test")
    Envelope.objects.filter(pk=asked.pk).update(title="Offer to alice")
    Recipient.objects.filter(envelope=asked).update(issuer=asked.issuer, subject="alice")
    alice = browser_of("alice")
    page = alice.get("/account/leave").content.decode()
    assert "They would be cancelled." in page
    assert "They would end as declined." in page
    assert "Offer to alice" in page
    alice.post("/account/leave")
    tend_retention()
    assert [letter.to for letter in mail.outbox] == [["alice@example.test"]]
    assert "will be deleted on" in alice.get("/account").content.decode()
    clock(days=13)
    before = Document.objects.count()
    tend_retention()
    assert (Document.objects.count(), Envelope.objects.filter(state="sent").count()) == (before, 2)
    browser_of("alice").post("/account/stay")
    clock(days=30)
    tend_retention()
    assert not Departure.objects.exists()
    assert Document.objects.count() == before, "who thought better of it keeps everything"


def test_what_goes_and_what_others_keep(clock: Clock, django_capture_on_commit_callbacks: Any) -> None:  # noqa: F811
    _document, shared, template = everything_of_alice()
    batch_of("alice")
    bulk_of("alice", envelope_of("alice"))
    expires = timezone.now() + timedelta(days=1)
    DirectLink.objects.create(template=template, secret="public", most_uses=1, expires_at=expires)
    alone = ended(carol="")
    sent = envelope_of("alice", state="sent", sent_at=timezone.now(), sender_name="Alice")
    asked = envelope_of("bob", state="sent", sender_email="bob@example.test", sent_at=timezone.now())
    Recipient.objects.filter(envelope=asked).update(issuer=asked.issuer, subject="alice")
    envelope_of("alice")
    alice = browser_of("alice")
    make(alice)
    alice.post("/account/leave")
    clock(days=14, seconds=1)
    for _twice in range(2):
        with django_capture_on_commit_callbacks(using="signapp", execute=True):
            tend_retention()
    assert not Departure.objects.exists()
    assert not Login.objects.filter(subject="alice").exists()
    assert alice.get("/account").status_code == 302
    for kind in (Look, Export, Batch, BulkSend, BulkRow, DirectLink):
        assert not kind.objects.exists()
    assert not Document.objects.filter(subject="alice", part=None).exists()
    assert set(Envelope.objects.values_list("pk", flat=True)) == {shared.pk, asked.pk}
    assert set(Remains.objects.values_list("pk", "why")) == {(alone.pk, "account"), (sent.pk, "bin")}
    assert (Envelope.objects.get(pk=asked.pk).state, Recipient.objects.get(envelope=asked).state) == ("declined",) * 2
    assert Event.objects.filter(envelope=asked, kind="declined").exists()
    assert browser_of("carol").get(f"/envelopes/{shared.pk}").status_code == 200
    assert browser_of("alice").get(f"/envelopes/{shared.pk}").status_code == 404, "whoever comes back begins anew"
    assert StoredFile.objects.count() == len(storage._storage().listdir("")[1]) == 3
    told = {(letter.to[0], str(letter.subject)) for letter in mail.outbox}
    assert ("alice@example.test", "Your account here is deleted") in told
    assert ("carol@example.test", "Alice cancelled “Lease of the boathouse”.") in told


def test_who_signs_just_now_is_deleted_in_the_next_round(clock: Clock) -> None:  # noqa: F811
    document = document_of("alice", state="signing")
    other = document_of("alice")
    browser_of("alice").post("/account/leave")
    clock(days=15)
    Document.objects.update(updated=timezone.now())
    assert leaving.tend_departures() == 0
    assert Departure.objects.exists()
    assert Document.objects.filter(pk=document.pk).exists()
    clock(hours=1, seconds=1)  # nobody can fetch what came of it any more
    assert leaving.tend_departures() == 1
    assert not Document.objects.filter(pk__in=(document.pk, other.pk)).exists()


def test_who_signs_several_just_now_keeps_nobody_else_waiting(clock: Clock) -> None:  # noqa: F811
    batch = batch_of("alice")
    for name in ("alice", "bob"):
        browser_of(name).post("/account/leave")
    clock(days=14, seconds=1)
    Batch.objects.filter(pk=batch.pk).update(state="signing", updated=timezone.now())
    tend_retention()
    assert [departure.subject for departure in Departure.objects.all()] == ["alice"]
    assert batch.documents.exists()
    clock(days=14, hours=2)
    tend_retention()
    assert not Departure.objects.exists()
    assert not Batch.objects.exists()
    assert not Document.objects.exists()

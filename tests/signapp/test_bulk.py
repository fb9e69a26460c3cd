"""An envelope for everybody of a list: every line checked first, each sent once, and what became of each."""

import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from signapp.models import BulkRow, BulkSend, Envelope, Limits, Notice, Recipient, StoredFile
from signapp.services.bulk import clearing, reading, results, sending
from signapp.services.envelopes import drafts
from tests.signapp.test_pages import _this_role_alone, browser_of, envelope_of  # noqa: F401  (a fixture)

pytestmark = pytest.mark.django_db(databases=["default", "signapp"])
GOOD = "name,email\nBob,bob@example.org\nDana,dana@example.org\n"


def faults(body: bytes, **how: Any) -> list[tuple[int, str]]:
    found = reading.read_people(io.BytesIO(body), most=how.pop("most", 10_000), **how)
    return [(problem.line, problem.code) for problem in found.problems]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_what_spreadsheets_write_is_read(encoding: str, separator: str) -> None:
    text = f'E-mail no{separator}NAME{separator}Email\r\nx{separator}"Zoé, \nB"{separator}zoe@example.org\r\n\r\n'
    found = reading.read_people(io.BytesIO(text.replace("\nB", " B").encode(encoding)), most=5)
    assert found.problems == []
    assert found.ignored == ["e-mail no"]
    assert [(row.line, row.name, row.email) for row in found.rows] == [(2, "Zoé,  B", "zoe@example.org")]


HEAD = b"name,email,title\n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", [(0, "empty")]),
        (HEAD, [(0, "empty")]),
        (b"\xff\xfe", [(0, "empty")]),
        ("name,email\nA,a@b.org\nJosé,c@d.org\n".encode("latin-1"), [(3, "not_unicode")]),
        (b"x" * 10_000_000, [(0, "too_large")]),
        (b"name,mail\nA,a@b.org\n", [(1, "missing_column")]),
        (b"name,email,email\nA,a@b.org,c@d.org\n", [(1, "column_twice")]),
        (HEAD + b'A,"a@b.org\n', [(2, "broken")]),
        (HEAD + b"A,a@b.org\n", [(2, "wrong_width")]),
        (HEAD + b",a@b.org,\nB,,\n", [(2, "missing"), (3, "missing")]),
        (HEAD + b"A,a@b.org,\nB,A@B.org,\n", [(3, "twice")]),
        (HEAD + b"A,carol@example.test,\n", [(2, "in_envelope")]),
        (HEAD + b"A,nobody,\n", [(2, "not_an_address")]),
        (HEAD + b"A,a@b.org,=1+1\n", [(2, "formula")]),
        (HEAD + b'"=HYPERLINK(""x"")",a@b.org,\n', [(2, "formula")]),
        (HEAD + b"@A,+a@b.org,-1\n", [(2, "formula")] * 3),
        (HEAD + b"A\x00B,a@b.org,\n", [(2, "unprintable")]),
        (HEAD + "A\u202eB,a@b.org,\n".encode(), [(2, "unprintable")]),
        (HEAD + b"A" * 121 + b",a@b.org,\n", [(2, "too_long")]),
    ],
)
def test_each_fault_is_told_by_its_line(body: bytes, expected: list[tuple[int, str]]) -> None:
    assert faults(body, taken=["carol@example.test"]) == expected


def test_one_line_too_many_is_told() -> None:
    body = "name,email\n" + "".join(f"P,p{number}@example.org\n" for number in range(10_001))
    assert faults(body.encode()) == [(0, "too_many_rows")]
    assert faults(body.replace("P,", "P,,").encode())[-1][1] == "too_many_problems"


def post(subject: str, envelope: Envelope, body: str = GOOD, **more: str) -> Any:
    file = SimpleUploadedFile("people.csv", body.encode(), "text/csv")
    return browser_of(subject).post(
        f"/envelopes/{envelope.pk}/list", {"document": file, "title": "Lease", "message": "", "place": "", **more}
    )


def test_nothing_is_sent_while_a_line_is_wrong() -> None:
    draft = envelope_of("alice")
    answer = post("alice", draft, "name,email\nBob,bob@example.org\n<b>,nobody\n")
    assert answer.status_code == 422
    assert "Line 3:" in answer.content.decode()
    assert not BulkSend.objects.exists()
    assert post("mallory", draft).status_code == 404


@pytest.fixture
def bulk() -> BulkSend:
    """Of Alice's: two rows, in place of the draft's person."""
    draft = envelope_of("alice")
    place = str(draft.recipients.get().pk)
    assert post("alice", draft, place=place).status_code == 302
    return BulkSend.objects.get()


def start(bulk: BulkSend) -> None:
    bulk.state, bulk.sender_email = "sending", "alice@example.test"
    bulk.save()


def test_a_list_is_looked_at_sent_once_and_told_of(bulk: BulkSend) -> None:
    alice, address = browser_of("alice"), f"/lists/{bulk.pk}"
    assert "Send to 2 people" in alice.get(address).content.decode()
    assert not Notice.objects.exists()
    assert alice.post(f"{address}/start").status_code == 302
    assert alice.post(f"{address}/start").status_code == 409
    assert "0 of 2" in alice.get(f"{address}/progress").content.decode()
    assert sending.go_on(bulk.pk, most=1) is True
    assert "1 of 2" in alice.get(f"{address}/progress").content.decode()
    assert sending.waiting_bulks() == [bulk.pk]
    assert sending.go_on(bulk.pk) is False
    assert sending.go_on(bulk.pk) is False
    sent = Envelope.objects.filter(state="sent")
    assert sorted(sent.values_list("recipients__email", flat=True)) == ["bob@example.org", "dana@example.org"]
    assert Notice.objects.count() == 2
    assert StoredFile.objects.count() == 1, "copies share the original"
    assert alice.get(f"{address}/progress")["HX-Refresh"] == "true"
    assert "Download the results" in alice.get(address).content.decode()
    lines = b"".join(alice.get(f"{address}/results.csv").streaming_content).decode("utf-8-sig").splitlines()
    assert lines[0] == "line,name,email,result,envelope state,link"
    assert lines[1].startswith("2,Bob,bob@example.org,sent,sent,http")
    assert "2 of 2 sent" in alice.get("/lists").content.decode()


def test_a_killed_worker_leaves_nothing_twice(bulk: BulkSend, monkeypatch: pytest.MonkeyPatch) -> None:
    start(bulk)

    def die(*_arguments: Any, **_parameters: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(drafts.turns, "advance", die)
        with pytest.raises(KeyboardInterrupt):
            sending.go_on(bulk.pk)
    assert not Envelope.objects.filter(state="sent").exists()
    assert sending.go_on(bulk.pk) is False, "its lease is not over"
    BulkSend.objects.update(lease_until=timezone.now())
    sending.go_on(bulk.pk)
    assert Envelope.objects.filter(state="sent").count() == 2
    assert Recipient.objects.filter(envelope__state="sent").count() == 2


def test_what_is_stopped_sends_no_more(bulk: BulkSend) -> None:
    start(bulk)
    sending.go_on(bulk.pk, most=1)
    assert browser_of("alice").post(f"/lists/{bulk.pk}/stop").status_code == 302
    assert sending.go_on(bulk.pk) is False
    assert list(BulkRow.objects.values_list("state", flat=True)) == ["sent", "waiting"]
    assert browser_of("alice").post(f"/lists/{bulk.pk}/stop").status_code == 409


def test_a_row_that_cannot_be_sent_is_told_and_the_others_go_on(bulk: BulkSend) -> None:
    start(bulk)
    Recipient.objects.filter(envelope=bulk.pattern).update(role="copy")
    sending.go_on(bulk.pk)
    assert set(BulkRow.objects.values_list("state", "error_code")) == {("failed", "envelope_incomplete")}
    assert not Envelope.objects.filter(state="sent").exists()
    assert BulkSend.objects.get().state == "done"


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "\tx", "\rx"])
def test_results_hold_no_formula(cell: str) -> None:
    assert results.harmless(cell) == f"'{cell}"
    assert results.harmless("Bob") == "Bob"


def test_lists_that_are_old_go_and_what_was_sent_stays(bulk: BulkSend) -> None:
    patterns = Envelope.objects.filter(subject="")
    assert (clearing.clear_lists(), BulkSend.objects.count(), patterns.count()) == (0, 1, 1)
    start(bulk)
    BulkSend.objects.update(created=timezone.now() - timedelta(days=400))
    assert clearing.clear_lists() == 0  # it is being sent
    assert sending.go_on(bulk.pk) is False
    BulkSend.objects.update(ended_at=timezone.now() - timedelta(days=400))
    assert clearing.clear_lists() == 0  # everything is kept for ever
    Limits.objects.create(pk=1, keep_days=300)
    assert clearing.clear_lists() == 1
    assert (BulkRow.objects.count(), Envelope.objects.filter(state="sent").count()) == (0, 2)


def test_a_list_that_was_never_sent_goes_with_its_copy_of_the_draft(bulk: BulkSend) -> None:
    BulkSend.objects.update(created=timezone.now() - timedelta(days=31))
    assert clearing.clear_lists() == 1
    assert (BulkSend.objects.count(), Envelope.objects.filter(subject="").count()) == (0, 0)
    assert Envelope.objects.filter(state="draft").count() == 1

"""The letters of a running instance, as tests and tours read them: one person's, the newest, each of them once."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from scripts.letters import Mailbox, NoLetterError

ALICE, BOB = "alice@example.org", "bob@example.org"


@pytest.fixture
def mailbox(tmp_path: Path) -> Mailbox:
    return Mailbox(tmp_path / "mail")


@pytest.fixture
def backend(mailbox: Mailbox) -> Iterator[BaseEmailBackend]:
    """What writes in development; one that is kept open puts every letter into one file."""
    mailbox.folder.mkdir()
    kept = get_connection("django.core.mail.backends.filebased.EmailBackend", file_path=mailbox.folder)
    kept.open()
    yield kept
    kept.close()


def write(to: str, text: str, backend: BaseEmailBackend) -> None:
    letter = EmailMultiAlternatives("Étude", text, "paraph@example.org", [to], connection=backend)
    letter.attach_alternative("<p>elsewhere https://example.org/html/1</p>", "text/html")
    letter.send()


def link(number: int) -> str:
    # Longer than a line of a message may be.
    return f"https://example.org/{'long/' * 40}invitations/{number}"


def test_each_of_several_letters_in_one_file_is_read_once_by_whom_it_is_for(
    mailbox: Mailbox, backend: BaseEmailBackend
) -> None:
    for number, to in enumerate((ALICE, BOB, ALICE)):
        write(to, f"Zoë asks:\n\n{link(number)}\n", backend)
    assert len(list(mailbox.folder.iterdir())) == 1
    assert mailbox.await_link(ALICE, "/invitations/") == link(2)
    with pytest.raises(NoLetterError, match=r"^No letter to alice@"):
        mailbox.await_link(ALICE, "/invitations/", seconds=0)  # the older one is no new one
    write(ALICE, f"And again:\n\n{link(3)}\n", backend)
    assert mailbox.await_link(ALICE, "/invitations/") == link(3)
    assert mailbox.await_link(BOB, "/invitations/") == link(1)


def test_a_letter_that_is_read_for_one_thing_hides_no_other_kind(mailbox: Mailbox, backend: BaseEmailBackend) -> None:
    write(ALICE, "123456 is your one-time password", backend)
    write(ALICE, link(1), backend)
    assert mailbox.await_link(ALICE, "/invitations/") == link(1)
    assert mailbox.await_match(ALICE, r"(?m)^(\d{6}) is")[1] == "123456"


@pytest.mark.parametrize(("to", "path"), [(BOB, "/invitations/"), (ALICE, "/address/"), (ALICE, "/html/")])
def test_what_is_to_somebody_else_or_of_another_kind_is_not_found(
    mailbox: Mailbox, backend: BaseEmailBackend, to: str, path: str
) -> None:
    write(ALICE, link(1), backend)
    with pytest.raises(NoLetterError, match=re.escape(path)):
        mailbox.await_link(to, path, seconds=0)


def test_a_folder_that_is_not_there_holds_no_letter(mailbox: Mailbox) -> None:
    with pytest.raises(NoLetterError, match="within 0 seconds"):
        mailbox.await_link(ALICE, "/", seconds=0)


def test_a_letter_that_is_being_written_is_waited_for(mailbox: Mailbox, backend: BaseEmailBackend) -> None:
    write(ALICE, link(1), backend)
    (file,) = mailbox.folder.iterdir()
    whole, begun = file.read_bytes(), Event()
    file.write_bytes(whole[:-20])
    with pytest.raises(NoLetterError):
        mailbox.await_link(ALICE, "/invitations/", seconds=0)

    def finish() -> None:
        begun.wait()
        file.write_bytes(whole)

    with ThreadPoolExecutor(1) as apart:
        finished = apart.submit(finish)
        begun.set()
        assert mailbox.await_link(ALICE, "/invitations/") == link(1)
        finished.result()

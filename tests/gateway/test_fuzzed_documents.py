"""Mutants of sane PDFs through upload and prepare: a place for a signature or a refusal by name, never a fault.

``MUTANTS`` (8) says how many, ``MUTANTS_SEED`` (1) which: a mutant is made again from the seed and its number.
"""

import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from tempfile import TemporaryFile

import pytest

from gateway.errors import DOCUMENT_ERRORS, HostilePdfError
from gateway.models import Job, StoredDocument
from gateway.pades import isolation
from tests.flows.chain import report
from tests.gateway.conftest import User
from tests.gateway.remote import Remote
from tests.support import pdfs

# What a request may last: two runs of the child at most, on a machine that does other things too.
_SECONDS = 2 * isolation.WALL_SECONDS + 5
_ODD = (
    b"-1",
    b"99999999999999999999",
    b"null",
    b"<<",
    b">>",
    b"[",
    b"(",
    b"1 0 R",
    b"/Kids",
    b"endobj",
    b"\x00",
    b"1e9",
)
_TOKEN = re.compile(rb"/?[A-Za-z0-9.]+")


def _sources() -> list[bytes]:
    return [
        pdfs.make_pdf(pages=2),
        pdfs.make_xref_stream_pdf(pages=3),
        pdfs.make_hybrid_pdf(),
        pdfs.make_signed_pdf(),
        pdfs.make_certified_pdf(allow_changes=True),
    ]


def _change_bytes(chance: random.Random, pdf: bytes) -> bytes:
    changed = bytearray(pdf)
    for _ in range(chance.randint(1, 8)):
        changed[chance.randrange(8, len(pdf))] = chance.randrange(256)
    return bytes(changed)


def _cut(chance: random.Random, pdf: bytes) -> bytes:
    start = chance.randrange(8, len(pdf))
    return pdf[:start] + pdf[start + chance.randint(1, 64) :]


def _repeat(chance: random.Random, pdf: bytes) -> bytes:
    start, place = chance.randrange(len(pdf)), chance.randrange(8, len(pdf))
    return pdf[:place] + pdf[start : start + chance.randint(1, 256)] + pdf[place:]


def _replace_token(chance: random.Random, pdf: bytes) -> bytes:
    token = chance.choice(list(_TOKEN.finditer(pdf, 8)))
    return pdf[: token.start()] + chance.choice(_ODD) + pdf[token.end() :]


def _replace_token_in_place(chance: random.Random, pdf: bytes) -> bytes:
    """Every offset stays true, so that such a mutant is read further than the others."""
    token = chance.choice(list(_TOKEN.finditer(pdf, 8)))
    length = token.end() - token.start()
    return pdf[: token.start()] + chance.choice(_ODD)[:length].ljust(length) + pdf[token.end() :]


_MUTATIONS: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _change_bytes,
    _cut,
    _repeat,
    _replace_token,
    _replace_token_in_place,
)


def test_a_mutant_is_prepared_or_refused_by_name_and_never_a_fault(
    alice: User, credential_id: str, remote: Remote
) -> None:
    alice.token = remote.log_in(alice.subject, exp=int(time.time()) + 24 * 3600)
    count, seed = int(os.environ.get("MUTANTS", "8")), int(os.environ.get("MUTANTS_SEED", "1"))
    sources, outcomes, slowest = _sources(), Counter[str](), 0.0
    for number in range(count):
        chance = random.Random(f"{seed}/{number}")  # noqa: S311  (the same bytes in every run)
        mutant = chance.choice(sources)
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            mutant = chance.choice(_MUTATIONS)(chance, mutant)
        begun = time.monotonic()
        outcomes[_try(alice, credential_id, mutant, f"mutant {number} of seed {seed}")] += 1
        slowest = max(slowest, time.monotonic() - begun)
    report(f"{count} mutants of seed {seed}: " + ", ".join(f"{name} {n}" for name, n in outcomes.most_common()))
    report(f"the slowest mutant took {slowest:.1f} seconds from upload to answer")
    assert outcomes.total() == count
    assert slowest < 2 * _SECONDS


def _try(user: User, credential_id: str, mutant: bytes, name: str) -> str:
    opened = user.open_job(mutant)
    if opened.status_code != 201:
        assert opened.status_code == 422, (name, opened.content)
        assert opened.json()["error"] in DOCUMENT_ERRORS, name
        assert not Job.objects.exists(), name
        assert not StoredDocument.objects.exists(), name
        return str(opened.json()["error"])
    job_id = opened.json()["job_id"]
    prepared = user.prepare(job_id, credential_id)
    state = user.job(job_id)["state"]
    assert user.call("DELETE", f"jobs/{job_id}").status_code == 204, name
    if prepared.status_code == 200:
        assert state == "prepared", name
        return "prepared"
    assert prepared.status_code == 422, (name, prepared.content)
    assert prepared.json()["error"] in DOCUMENT_ERRORS, name
    assert state != "prepared", name
    return f"{prepared.json()['error']} when prepared"


def test_a_sane_document_is_read_while_bombs_are() -> None:
    with ThreadPoolExecutor(3) as pool:
        bombs = [pool.submit(_inspect, pdfs.make_bomb_pdf(1, 600)) for _ in range(2)]
        neighbour = pool.submit(_inspect, pdfs.make_pdf(pages=3))
        assert neighbour.result() == 3
    for bomb in bombs:
        with pytest.raises(HostilePdfError):
            bomb.result()


def _inspect(pdf: bytes) -> int:
    with TemporaryFile() as file:
        file.write(pdf)
        return isolation.inspect_document(file, max_pages=20).pages

"""``make soak``: the long form of the tests that race, kill, fuzz and sign, and docs/soak.md with what came of them.

``SOAK_PARTS`` (races kills databases restore endurance batches fuzzing mutants collection sizes timing) says which,
in that order; the report keeps what it has of the others.
``SOAK_ROUNDS`` (20) is how often each race is run; ``SOAK_KILLS`` (300) how often a process is killed, but for
``SOAK_MINUTES`` (60) at most, in an order of ``SOAK_SEED`` (1); ``SOAK_DATABASE_KILLS`` (100) how often a PostgreSQL
is killed under many calls; ``RESTORED_DOCUMENTS`` (10000) are copied and put back; ``ENDURANCE_MINUTES`` (120) is how
long ``ENDURANCE_RATE`` (5) signatures a second go on; ``SOAK_BATCH`` (200) documents are signed by one approval while
``SOAK_BATCH_KILLS`` (40) and more workers die; ``FUZZ_CASES`` (5000) how many requests are made up; ``MUTANTS``
(10000) how many changed PDFs are uploaded, of ``MUTANTS_SEED`` (1); ``COLLECTION`` (all) which real PDFs are signed;
``SIGNERS`` (51) how many sign one file, ``LARGE_PAGES`` (2000) and ``LARGE_MEGABYTES`` (100) how large a document is
prepared; ``TIMING_SAMPLES`` (200) how often each answer is timed. Further arguments go to pytest.
"""

import datetime as dt
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from scripts.instance import ROOT

_REPORT = ROOT / "docs" / "soak.md"
_PARTS: dict[str, tuple[list[str], dict[str, str]]] = {
    "races": (["tests/flows/test_parallel.py", "-k", "postgresql"], {"SOAK_ROUNDS": "20"}),
    "kills": (["tests/flows/test_kill_rounds.py"], {"SOAK_KILLS": "300", "SOAK_MINUTES": "60", "SOAK_SEED": "1"}),
    "databases": (["tests/flows/test_database_faults.py"], {"SOAK_DATABASE_KILLS": "100", "SOAK_SEED": "1"}),
    "restore": (["tests/flows/long_restore.py"], {"RESTORED_DOCUMENTS": "10000"}),
    "endurance": (["tests/flows/long_endurance.py"], {"ENDURANCE_MINUTES": "120", "ENDURANCE_RATE": "5"}),
    "batches": (
        ["tests/flows/long_batch_kills.py"],
        {"SOAK_BATCH": "200", "SOAK_BATCH_KILLS": "40", "SOAK_SEED": "1"},
    ),
    "fuzzing": (
        ["tests/rssp/test_openapi.py", "tests/rssp/test_operators_openapi.py", "tests/gateway/test_openapi.py"],
        {"FUZZ_CASES": "5000"},
    ),
    "mutants": (["tests/gateway/test_fuzzed_documents.py"], {"MUTANTS": "10000", "MUTANTS_SEED": "1"}),
    "collection": (["tests/gateway/test_collection.py"], {"COLLECTION": "all"}),
    "sizes": (
        ["tests/gateway/test_hostile_uploads.py", "-k", "g16"],
        {"SIGNERS": "51", "LARGE_PAGES": "2000", "LARGE_MEGABYTES": "100"},
    ),
    "timing": (["tests/authz/test_equal_times.py", "tests/rssp/test_equal_times.py"], {"TIMING_SAMPLES": "200"}),
}
_INTRODUCTION = """# What the long tests found

`make soak` writes this page: each part as it last ended, with what it was asked for and what it reached.

A C_Sign is counted by its key and its digest as it enters the PKCS#11 module (tests/flows/witness.py), and pkcs11-spy
counts all calls beside it. A count of all keys together once found two where one was expected: a revocation list that
was signed meanwhile, with the authority's own key, makes such a count two, as one of the races shows.
"""


def main() -> int:
    chosen = os.environ.get("SOAK_PARTS", " ".join(_PARTS)).split()
    if unknown := set(chosen) - set(_PARTS):
        print(f"SOAK_PARTS: there is no {', '.join(sorted(unknown))}; there are {', '.join(_PARTS)}.")
        return 2
    failed = 0
    for part in chosen:
        status, section = run(part)
        failed |= status
        write_report(_REPORT, part, section)
    return failed


def run(part: str) -> tuple[int, str]:
    """pytest's status, and the part's section of the report."""
    arguments, defaults = _PARTS[part]
    told = {name: os.environ.get(name, value) for name, value in defaults.items()}
    variables = " ".join(f"{name}={value}" for name, value in {"SOAK_PARTS": part, **told}.items())
    commit, changed = _git("rev-parse", "--short", "HEAD"), _git("status", "--porcelain", "--", "*.py")
    begun, load, now = time.monotonic(), os.getloadavg()[0], dt.datetime.now(dt.UTC)
    command = [sys.executable, "-m", "scripts.test", "-q", "-rP", *arguments, *sys.argv[1:]]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **told}, check=False, text=True, capture_output=True)
    seconds = time.monotonic() - begun
    print(done.stdout[-3000:], done.stderr[-1000:])
    return done.returncode, "\n".join(
        [
            f"`{variables} make soak`, commit `{commit}`{' and more' if changed else ''}, {now:%Y-%m-%d %H:%M} UTC.",
            "",
            f"* {'Failed' if done.returncode else 'Passed'}: {_summary(done.stdout)}, in {seconds:.0f} seconds.",
            f"* Load of the machine: {load:.1f} before, {os.getloadavg()[0]:.1f} after, on {os.cpu_count()} cores.",
            *_findings(done.stdout),
            "",
        ]
    )


def write_report(path: Path, part: str, section: str) -> None:
    """Puts the section in the place of the part's last one."""
    written = path.read_text(encoding="utf-8") if path.exists() else ""
    sections = dict(re.findall(r"^## (\w+)\n\n(.*?)(?=^## |\Z)", written, re.MULTILINE | re.DOTALL))
    sections[part.capitalize()] = section
    known = [(each.capitalize(), sections[each.capitalize()]) for each in _PARTS if each.capitalize() in sections]
    texts = [f"## {title}\n\n{text.strip()}\n" for title, text in known]
    path.write_text("\n".join([_INTRODUCTION, *texts]), encoding="utf-8")


def _findings(output: str) -> list[str]:
    """What tests say of themselves (`tests.flows.chain.report`), each with how many said the same."""
    told = Counter(re.findall(r"^soak: (.*)$", output, re.MULTILINE))
    return [f"* {line}." if count == 1 else f"* {count} × {line}." for line, count in told.items()]


def _summary(output: str) -> str:
    """pytest's own last word, such as ``3 passed, 1 failed``."""
    summary = re.findall(r"^(?:=+ )?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s", output, re.MULTILINE)
    return summary[-1] if summary else "pytest counted nothing"


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, text=True, capture_output=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())

"""``make audit``, and a step of ``make check``: asks for known weaknesses of what the lock files name.

pip-audit asks about the Python packages, npm about the front end's. Neither index has to be reachable: a list that
gave no answer is named ("not asked") and fails nothing, unless ``AUDIT_REQUIRED=1``. pip-audit itself calls a package
that its list does not know free of weaknesses; here that is no answer.

A weakness of a Python package fails whatever its severity, which that list does not tell; npm's from ``high`` on.
``AUDIT_OSV_URL`` asks that OSV service in the Python index's place. ``ACCEPTED`` names weaknesses that do not concern
us, each with the reason.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from scripts.assets import npm
from scripts.instance import ROOT

LOCKS = tuple(ROOT / f"requirements{kind}.txt" for kind in ("", "-s3", "-dev", "-assets"))
# A weakness's identifier, and why it does not concern this project.
ACCEPTED: dict[str, str] = {}
_PATIENCE = 120
_GRAVE = ("high", "critical")


@dataclass(frozen=True)
class Answer:
    """``asked`` of ``packages`` were answered for; ``weaknesses`` are sentences. ``reason`` says why not all were."""

    packages: int = 0
    asked: int = 0
    weaknesses: tuple[str, ...] = ()
    reason: str = ""

    @property
    def is_complete(self) -> bool:
        return not self.reason and self.asked == self.packages > 0


def ask_about_python(locks: Sequence[Path] = LOCKS, osv_url: str = "") -> Answer:
    """What pip-audit says of each distinct package and version. One is asked about first: a list that does not know it
    is not there, and is not asked a hundred times."""
    with tempfile.TemporaryDirectory(prefix="paraph-audit-") as folder:
        first = Path(folder) / "first.txt"
        first.write_text(_first_package(locks[0]), encoding="utf-8")
        answer = _run_pip_audit([first], osv_url)
    return _run_pip_audit(locks, osv_url) if answer.is_complete else answer


def _first_package(lock: Path) -> str:
    name, *rest = lock.read_text(encoding="utf-8").splitlines()
    return "\n".join([name, *takewhile(lambda line: line.startswith(" "), rest)])


def _run_pip_audit(locks: Sequence[Path], osv_url: str) -> Answer:
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner=off"]
    command += ["--format=json", "--desc=off", "--timeout=10", *(f"--ignore-vuln={each}" for each in ACCEPTED)]
    command += [f"--requirement={lock}" for lock in locks]
    if osv_url:
        command += ["--vulnerability-service=osv", f"--osv-url={osv_url}"]
    return _ask(command, "--cache-dir", ROOT, read_pip_audit)


def ask_about_npm(folder: Path = ROOT, registry: str = "") -> Answer:
    command = [npm(), "audit", "--json", "--package-lock-only", "--fetch-retries=0"]
    return _ask([*command, *([f"--registry={registry}"] if registry else [])], "--cache", folder, read_npm)


def read_pip_audit(told: Mapping[str, Any]) -> Answer:
    packages = told["dependencies"]
    known = [each for each in packages if "skip_reason" not in each]
    weaknesses = (
        f"{each['name']} {each['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'no version'}"
        for each in known
        for found in each["vulns"]
    )
    lacking = len(packages) - len(known)
    reason = f"the list does not know {lacking} of {len(packages)}" if lacking else ""
    return Answer(len(packages), len(known), tuple(weaknesses), reason)


def read_npm(told: Mapping[str, Any]) -> Answer:
    if "vulnerabilities" not in told:
        return Answer(reason=str(told.get("message") or told.get("error") or "npm did not say why"))
    count = told["metadata"]["dependencies"]["total"]
    weaknesses = (
        f"{name}: {each['severity']}, {', '.join(via if isinstance(via, str) else via['title'] for via in each['via'])}"
        for name, each in told["vulnerabilities"].items()
        if each["severity"] in _GRAVE
    )
    return Answer(count, count, tuple(weaknesses))


def _ask(command: list[str], cache_option: str, folder: Path, read: Callable[[Any], Answer]) -> Answer:
    """With an empty cache: an answer of yesterday is none."""
    with tempfile.TemporaryDirectory(prefix="paraph-audit-") as cache:
        command = [*command, f"{cache_option}={cache}"]
        try:
            done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            return Answer(reason=f"no answer within {_PATIENCE} seconds")
    try:
        return read(json.loads(done.stdout))
    except (ValueError, KeyError, TypeError):
        return Answer(reason=(done.stderr.strip().splitlines() or ["it said nothing"])[-1])


def main() -> int:
    answers = {
        "Python": ask_about_python(osv_url=os.environ.get("AUDIT_OSV_URL", "")),
        "npm": ask_about_npm(),
    }
    is_required = os.environ.get("AUDIT_REQUIRED") == "1"
    failed = False
    for name, answer in answers.items():
        if answer.is_complete:
            print(f"{name}: asked about {answer.packages} packages, {len(answer.weaknesses)} known weaknesses")
        else:
            print(f"{name}: NOT ASKED about {'all' if answer.asked else 'any'} ({answer.reason})")
        for weakness in answer.weaknesses:
            print(f"  {weakness}")
        failed |= bool(answer.weaknesses) or (is_required and not answer.is_complete)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

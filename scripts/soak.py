"""``make soak``: the long form of the tests that race and kill, and docs/soak.md with what came of them.

``SOAK_ROUNDS`` (20), ``SOAK_KILLS`` (300) and ``SOAK_SEED`` (1) change how long; further arguments go to pytest.
"""

import datetime as dt
import os
import re
import subprocess
import sys

from scripts.instance import ROOT

_PARTS = {
    "Races": ["tests/flows/test_parallel.py", "-k", "postgresql and fifty"],
    "Kills": ["tests/flows/test_kill_rounds.py"],
}
_DEFAULTS = {"SOAK_ROUNDS": "20", "SOAK_KILLS": "300", "SOAK_SEED": "1"}


def main() -> int:
    told = {name: os.environ.get(name, value) for name, value in _DEFAULTS.items()}
    commit = _output("git", "rev-parse", "--short", "HEAD")
    variables = " ".join(f"{name}={value}" for name, value in told.items())
    now = dt.datetime.now(dt.UTC)
    report = [
        "# What the long tests found",
        "",
        f"`{variables} make soak`, commit `{commit}`, {now:%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores.",
        "",
        "| part | tests | seconds | result |",
        "|---|---|---|---|",
    ]
    failed = 0
    for part, arguments in _PARTS.items():
        command = [sys.executable, "-m", "scripts.test", "-q", "-rP", *arguments, *sys.argv[1:]]
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **told}, check=False, text=True, capture_output=True
        )
        failed |= done.returncode
        print(done.stdout[-3000:])
        report.append(_row(part, done.stdout))
        report += [f"| | | | {line} |" for line in re.findall(r"^\d+ kills: .*$", done.stdout, re.MULTILINE)]
    (ROOT / "docs" / "soak.md").write_text("\n".join(report) + "\n", encoding="utf-8")
    return failed


def _row(part: str, output: str) -> str:
    summary = re.findall(r"^(?:=+ )?((?:\d+ \w+,? ?)+)(?: in ([\d.]+)s.*)$", output, re.MULTILINE)
    counts, seconds = summary[-1] if summary else ("none", "0")
    return f"| {part} | {counts.strip()} | {float(seconds):.0f} | {'failed' if 'failed' in counts else 'passed'} |"


def _output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, text=True, capture_output=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())

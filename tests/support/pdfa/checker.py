"""veraPDF, which says whether a file is the PDF/A that it claims to be. Not ours, and one process for many files: it
takes longer to start than to look."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.instance import ROOT

# Laid there by scripts/bootstrap.sh.
_JARS = ROOT / ".verapdf"
_PROGRAM = Path(__file__).with_name("Validate.java")
_THRIFT = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m")


@dataclass(frozen=True)
class Verdict:
    """``flavour`` is the one that the file claims (``2b``; ``0`` if none); ``broken`` are the rules that it breaks, by
    clause and number of the test, with what is said of them."""

    flavour: str
    broken: dict[str, str]


@dataclass(frozen=True)
class Checker:
    process: "subprocess.Popen[str]"
    folder: Path

    def check(self, pdf: bytes) -> Verdict:
        path = self.folder / "checked.pdf"
        path.write_bytes(pdf)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline())
        assert said["file"] == str(path)
        return Verdict(said["flavour"], said["broken"])


@contextmanager
def pdfa_checker() -> Iterator[Checker]:
    if not list(_JARS.glob("validation-model-*.jar")):
        raise FileNotFoundError("veraPDF is not installed: make test installs it")
    command = ["java", *_THRIFT, "-cp", f"{_JARS}/*", _PROGRAM]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        try:
            yield Checker(process, Path(folder))
        finally:
            process.kill()

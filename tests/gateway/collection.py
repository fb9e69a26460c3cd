"""Real PDFs, as source packages of other projects ship them for their own tests: fetched, never kept in the repository.

Each package is pinned by version and digest. What a file is worth is said by programs that we did not write: qpdf,
poppler's renderer and its validator, and veraPDF of those that claim to be PDF/A.
"""

import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pip._internal.models.index import PyPI
from pyhanko.pdf_utils.reader import PdfFileReader

from gateway.pades.pdfa import read_claim
from tests.support.pdfa.checker import pdfa_checker

FOLDER = Path(os.environ.get("COLLECTION_DIR", Path(__file__).parents[2] / "var" / "collection"))
LONGEST_FILE = 20_000_000
_PAGES_SEEN = 25
_DPI = 40
_SECONDS = 120


@dataclass(frozen=True)
class Package:
    """A source distribution; ``sha256`` is the archive's."""

    name: str
    version: str
    sha256: str


SMALL = (
    Package("img2pdf", "0.6.3", "219518020f5bd242bdc46493941ea3f756f664c2e86f2454721e74353f58cd95"),
    Package("pdftotext", "4.0.0", "6c949f01bb0fea4560cc23e4b8b017188647d22f99a604a7ed3d09f72f43e634"),
)
PACKAGES = (
    *SMALL,
    Package("ocrmypdf", "17.13.0", "151c35d810eb628fbc5cb9bbe80b834ecf094737efa0e7a2e9e1fac3c730ed49"),
    Package("pikepdf", "10.18.0", "cb555ebff93482e8a6eb55881488b469bbb2b5675161c1b93a0510a8642d98d0"),
    Package("pyhanko", "0.38.0", "267d6d3fa460b0f0e9c5362a2d7979dccbe1e6b1f8d89ba0818dd0c45b5f300e"),
    Package("pymupdf4llm", "1.28.2", "02681698ef67bda9a2acd5d9e1115d4e88be0eb9c5d68926e5e3cd98cd351874"),
    Package("pypdf", "7.1.1", "2eff4e2fc5fb22a6d6711e6f1166cdc9ab5765d90cd0d77dfea3f4aa91a27b1d"),
    Package("rst2pdf", "0.105", "857e8741014ec5015f7a00aafb5dccbb56378ef4c1da55a828d44bcf5ff3acdb"),
    Package("tabula-py", "2.10.0", "75968a83fe978e5d56ccf23f0f0255a459c256b7b52db7cabe5ac795bb3b12df"),
)


def fetch(packages: tuple[Package, ...]) -> list[Path]:
    """The PDFs of the packages, each content once, in a fixed order."""
    found: dict[str, Path] = {}
    for package in packages:
        for path in _unpack(package):
            found.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), path)
    return list(found.values())


def _unpack(package: Package) -> list[Path]:
    """Read from the archive in memory: no name in it becomes a path. The last file is written when all are there."""
    folder = FOLDER / f"{package.name}-{package.version}"
    listed = folder / "files.json"
    if not listed.exists():
        folder.mkdir(parents=True, exist_ok=True)
        names = []
        with tarfile.open(fileobj=io.BytesIO(_download(package))) as archive:
            members = [item for item in archive if item.isfile() and item.name.lower().endswith(".pdf")]
            for number, member in enumerate(sorted(members, key=lambda item: item.name)):
                content = archive.extractfile(member)
                if content is None or not 0 < member.size <= LONGEST_FILE:
                    continue
                plain = re.sub(r"[^A-Za-z0-9.-]", "_", PurePosixPath(member.name).name)[-80:]
                names.append(f"{number:03}-{plain}")
                (folder / names[-1]).write_bytes(content.read())
        listed.write_text(json.dumps(names), encoding="utf-8")
    return [folder / name for name in json.loads(listed.read_text(encoding="utf-8"))]


def _download(package: Package) -> bytes:
    """From the index that pip is set up with."""
    index = os.environ.get("PIP_INDEX_URL", PyPI.simple_url).rstrip("/")
    asked = urllib.request.Request(  # noqa: S310  (the operator's own index)
        f"{index}/{package.name}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
    )
    with urllib.request.urlopen(asked, timeout=_SECONDS) as answer:  # noqa: S310  (as above)
        files = json.load(answer)["files"]
    (address,) = (item["url"] for item in files if item["hashes"].get("sha256") == package.sha256)
    with urllib.request.urlopen(address, timeout=_SECONDS) as answer:  # noqa: S310  (as above)
        archive: bytes = answer.read()
    if hashlib.sha256(archive).hexdigest() != package.sha256:
        raise ValueError(f"{package.name} is not the archive that was pinned")
    return archive


@dataclass(frozen=True)
class Look:
    """What foreign programs say of a file. ``pages`` are digests of the first pages as they are shown."""

    qpdf: int  # 0 content, 1 with warnings, 2 with errors
    renders: bool
    pages: tuple[str, ...]
    signatures: tuple[str, ...]  # poppler's verdict on each, in the file's order
    covers_all: bool  # whether the last one covers the whole file
    flavour: str  # of PDF/A, if the file claims to be it and veraPDF agrees

    @property
    def is_sane(self) -> bool:
        """A second tool and a renderer are content with it."""
        return self.qpdf == 0 and self.renders


def look_at(path: Path, folder: Path) -> Look:
    checked = _run("qpdf", "--check", str(path))
    said = _run("pdfsig", "-nocert", str(path))
    for old in folder.glob("page*"):
        old.unlink()
    drawn = _run("pdftoppm", "-r", str(_DPI), "-gray", "-l", str(_PAGES_SEEN), str(path), str(folder / "page"))
    images = sorted(folder.glob("page*"))
    signatures = re.findall(r"Signature Validation: (.*)", said.stdout)
    last = said.stdout.rsplit("Signature #", 1)[-1]
    return Look(
        qpdf={0: 0, 3: 1}.get(checked.returncode, 2),
        renders=drawn.returncode == 0 and bool(images) and not drawn.stderr.strip(),
        pages=tuple(hashlib.sha256(image.read_bytes()).hexdigest() for image in images),
        signatures=tuple(signatures),
        covers_all=bool(signatures) and "Total document signed" in last and "Not total" not in last,
        flavour=_read_flavour(path.read_bytes()),
    )


def _read_flavour(pdf: bytes) -> str:
    """Few files claim one, and for those alone the checker is started."""
    try:
        claim = read_claim(PdfFileReader(io.BytesIO(pdf), strict=False))
    except Exception:  # noqa: BLE001  (many of the files are broken on purpose)
        return ""
    if not claim.part:
        return ""
    with pdfa_checker() as checker:
        verdict = checker.check(pdf)
    return "" if verdict.broken else verdict.flavour


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 99, "", "too long")


def compare(before: Look, after: Look) -> str:
    """What is wrong with the signed file; nothing if it is clean."""
    if after.pages != before.pages:
        return "pages changed"
    if after.qpdf > before.qpdf:
        return "qpdf is less content"
    if after.signatures[: len(before.signatures)] != before.signatures:
        return "an earlier signature suffered"
    if len(after.signatures) != len(before.signatures) + 1 or after.signatures[-1] != "Signature is Valid.":
        return "poppler does not accept the signature"
    if after.flavour != before.flavour:
        return f"{before.flavour or 'not'} PDF/A before, {after.flavour or 'not'} after"
    return "" if after.covers_all else "poppler misses a part of the file"


@dataclass(frozen=True)
class Outcome:
    """``verdict``: ``clean``, ``repaired`` (clean, after the repair that was offered), ``refused`` (with the API's
    code), ``unclean`` or ``failed``."""

    path: Path
    is_sane: bool
    verdict: str
    detail: str = ""

    def __str__(self) -> str:
        sane = "sane" if self.is_sane else "not sane"
        return f"{self.path.parent.name}/{self.path.name} ({sane}): {self.verdict} {self.detail}"


# What a document itself asks for: that it be not signed so.
OWN_WISH = {"password_required", "certified_no_changes", "signing_not_permitted"}


def summarise(outcomes: list[Outcome]) -> list[str]:
    """Lines for a report."""
    sane = [item for item in outcomes if item.is_sane and item.detail not in OWN_WISH]
    clean = sum(item.verdict == "clean" for item in sane)
    repaired = [item for item in outcomes if item.verdict == "repaired"]
    sane_repaired = sum(item.is_sane for item in repaired)
    refused = Counter(item.detail for item in outcomes if item.verdict == "refused")
    others = [item for item in outcomes if item.verdict in {"unclean", "failed"}]
    others_clean = sum(item.verdict == "clean" for item in outcomes) - clean
    return [
        f"{len(outcomes)} files: {len(sane)} sane ones, {clean} signed clean, {sane_repaired} more once repaired",
        f"of the others {others_clean} signed clean, {len(repaired) - sane_repaired} more once repaired",
        "refused: " + ", ".join(f"{code} {count}" for code, count in sorted(refused.items())),
        *(str(item) for item in others),
        *(f"sane and refused: {item}" for item in sane if item.verdict == "refused"),
    ]

"""Unpacks the front-end libraries that package-lock.json pins into ``static/vendor``.

Run by make, before the first start. Does nothing when what lies there was unpacked from this very lock file by
this very script.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "node_modules"
VENDOR = ROOT / "static" / "vendor"
STAMP = VENDOR / ".stamp"

# (pattern below node_modules, folder below static/vendor)
WANTED = (
    ("@fontsource-variable/source-sans-3/files/source-sans-3-latin*-wght-normal.woff2", "fonts"),
    ("@fontsource-variable/source-sans-3/files/source-sans-3-latin*-wght-italic.woff2", "fonts"),
    ("@fontsource-variable/source-serif-4/files/source-serif-4-latin*-opsz-normal.woff2", "fonts"),
    ("@fontsource-variable/source-code-pro/files/source-code-pro-latin*-wght-normal.woff2", "fonts"),
    # Hands for a signature that is typed.
    ("@fontsource/caveat/files/caveat-latin*-400-normal.woff2", "fonts"),
    ("@fontsource/caveat/files/caveat-cyrillic*-400-normal.woff2", "fonts"),
    ("@fontsource/great-vibes/files/great-vibes-latin*-400-normal.woff2", "fonts"),
    ("@fontsource/great-vibes/files/great-vibes-cyrillic*-400-normal.woff2", "fonts"),
    ("@fontsource/caveat/LICENSE", "fonts/caveat"),
    ("@fontsource/great-vibes/LICENSE", "fonts/great-vibes"),
    ("@fontsource-variable/source-sans-3/LICENSE", "fonts/source-sans-3"),
    ("@fontsource-variable/source-serif-4/LICENSE", "fonts/source-serif-4"),
    ("@fontsource-variable/source-code-pro/LICENSE", "fonts/source-code-pro"),
    ("htmx.org/dist/htmx.min.js", "htmx"),
    ("htmx.org/LICENSE", "htmx"),
    # The build for browsers that are a few years old; the other one wants this year's.
    ("pdfjs-dist/legacy/build/pdf.min.mjs", "pdfjs"),
    ("pdfjs-dist/legacy/build/pdf.worker.min.mjs", "pdfjs"),
    ("pdfjs-dist/LICENSE", "pdfjs"),
    ("pdfjs-dist/cmaps/*", "pdfjs/cmaps"),
    ("pdfjs-dist/standard_fonts/*", "pdfjs/standard_fonts"),
    # Decoders in plain JavaScript: the content security policy allows no WebAssembly.
    ("pdfjs-dist/wasm/*_nowasm_fallback.js", "pdfjs/decoders"),
    ("pdfjs-dist/wasm/LICENSE_*JBIG2", "pdfjs/decoders"),
    ("pdfjs-dist/wasm/LICENSE_*OPENJPEG", "pdfjs/decoders"),
    # Development and tests only: nothing that a page loads.
    ("axe-core/axe.min.js", "axe"),
    ("axe-core/LICENSE", "axe"),
)


def lock_hash() -> str:
    """What decides whether the unpacked files are current: the lock file and this script."""
    content = (ROOT / "package-lock.json").read_bytes() + Path(__file__).read_bytes()
    return hashlib.sha256(content).hexdigest()


def npm() -> str:
    """The npm to run: the virtual environment's own where there is one, else the machine's."""
    beside = Path(sys.executable).with_name("npm")
    found = str(beside) if beside.exists() else shutil.which("npm")
    if found is None:
        sys.exit("npm was not found: install it, or run: pip install --require-hashes -r requirements-assets.txt")
    return found


def install() -> None:
    """Downloads what the lock file pins, each package checked against its hash; runs no package's script."""
    command = [npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=optional", "--loglevel=error"]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        sys.exit("The front-end libraries could not be installed; what npm said stands above.")


def unpack(folder: Path) -> None:
    """Copies every wanted file below ``folder``; a pattern that finds nothing is an error."""
    for pattern, target in WANTED:
        files = sorted(MODULES.glob(pattern))
        if not files:
            sys.exit(f"node_modules holds no {pattern}")
        (folder / target).mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copyfile(file, folder / target / file.name)


def main() -> None:
    wanted = lock_hash()
    # npm's own record: tests run a package from there, so it must not be gone while its files are unpacked.
    is_installed = (MODULES / ".package-lock.json").exists()
    if is_installed and STAMP.exists() and STAMP.read_text(encoding="ascii") == wanted:
        return
    install()
    fresh = MODULES / ".vendor"
    shutil.rmtree(fresh, ignore_errors=True)
    unpack(fresh)
    (fresh / STAMP.name).write_text(wanted, encoding="ascii")
    shutil.rmtree(VENDOR, ignore_errors=True)
    fresh.rename(VENDOR)
    print(f"Unpacked the front-end libraries into {VENDOR.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

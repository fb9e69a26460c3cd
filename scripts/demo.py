"""``make demo``: a person signs up, gets a certificate and signs a PDF, in a real browser against real processes.

Leaves ``var/demo/signed.pdf`` and, beside it, two pictures of each step: a desktop's and a phone's. Ends with a
sentence and a status other than zero if any of it is not as it should be.
"""

import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from asn1crypto import pem, x509
from playwright.sync_api import Browser, Error, Page
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from scripts.instance import ROOT, Instance, InstanceError, free_port
from scripts.letters import NoLetterError
from scripts.run import var_dir_from_environment
from scripts.walk import ALICE, DESKTOP, PHONE, Walk, WalkError, open_chromium

SAMPLE = ROOT / "static" / "design" / "sample.pdf"
_SUB_FILTER = "/ETSI.CAdES.detached"


class DemoError(Exception):
    """Something is not as it should be; the message is a sentence."""


class Pictures:
    """Numbered pictures of the page as it stands; the walk goes on at a desktop's width."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def take(self, page: Page, name: str) -> None:
        self.count += 1
        for width, size in (("phone", PHONE), ("desktop", DESKTOP)):
            page.set_viewport_size(size)
            path = self.folder / f"{self.count:02}-{name}-{width}.png"
            # The reader's frame scrolls inside the window: as a whole page it would be seen as nobody sees it.
            whole = page.locator("body.reader-frame").count() == 0
            page.screenshot(path=path, animations="disabled", full_page=whole)


def sign_in_browser(chromium: Browser, instance: Instance, document: Path, pictures: Pictures) -> bytes:
    """The signed document. Raises `WalkError`, `NoLetterError` or `DemoError`."""
    alice = Walk(chromium, instance.base_url, mail=instance.mailbox)
    alice.on_page = lambda name: pictures.take(alice.page, name)
    alice.sign_up(ALICE)
    alice.get_certificate(ALICE)
    alice.upload(document)
    alice.read()
    shown = alice.prepare()
    asked = alice.go_to_approval()
    if shown != asked:
        raise DemoError(f"The document's page shows the fingerprint {shown}, the approval page {asked}.")
    alice.approve(ALICE)
    alice.await_signed()
    signed = alice.download()
    if alice.complaints:
        raise DemoError("The browser complained: " + "; ".join(alice.complaints))
    return signed


def verify(original: bytes, signed: Path, root: bytes) -> Iterator[str]:
    """What was found to be so, one sentence each; raises `DemoError` at the first that is not."""
    content = signed.read_bytes()
    if len(content) <= len(original) or not content.startswith(original):
        raise DemoError("The signed file does not begin with the original's bytes.")
    yield "the signed file begins with the original, byte for byte"
    _ask("qpdf", "--check", str(signed))
    yield "qpdf --check finds the file sound"
    said = _ask("pdfsig", "-nocert", str(signed))
    if "Signature is Valid." not in said:
        raise DemoError(f"pdfsig does not find the signature valid:\n{said}")
    yield "pdfsig finds the signature valid"
    yield from _verify_with_pyhanko(signed, root)


def _ask(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoError(f"{command[0]} refuses the signed file:\n{done.stdout}{done.stderr}")
    return done.stdout


def _verify_with_pyhanko(signed: Path, root: bytes) -> Iterator[str]:
    trusted = x509.Certificate.load(pem.unarmor(root)[2])
    with signed.open("rb") as file:
        found = PdfFileReader(file).embedded_signatures
        if not found:
            raise DemoError("pyHanko finds no signature in the file.")
        sub_filter = found[-1].sig_object["/SubFilter"]
        if sub_filter != _SUB_FILTER:
            raise DemoError(f"The signature's SubFilter is {sub_filter}, not {_SUB_FILTER}.")
        yield f"its SubFilter is {sub_filter.removeprefix('/')}"
        status = validate_pdf_signature(found[-1], ValidationContext(trust_roots=[trusted]))
        if not status.bottom_line:
            raise DemoError(f"pyHanko does not accept the signature: {status.summary()}")
        if status.modification_level is None or status.modification_level > ModificationLevel.LTA_UPDATES:
            raise DemoError(f"The document was changed after it was signed: {status.summary()}")
        yield "what follows the signature, if anything, is data to validate it by"
    signer = status.signing_cert.subject.human_friendly
    yield f"pyHanko accepts it under this instance's root: {signer}"


def demonstrate(document: Path, folder: Path) -> None:
    """Everything, on an instance that ends and is forgotten with it."""
    original = document.read_bytes()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in [*folder.glob("*.png"), *folder.glob("*.pdf")]:
        old.unlink()
    pictures, signed = Pictures(folder), folder / "signed.pdf"
    with (
        tempfile.TemporaryDirectory(prefix="paraph-demo-") as place,
        Instance(Path(place, "var"), free_port()) as instance,
    ):
        print(f"Starting an instance at {instance.base_url} …", flush=True)
        instance.start()
        print(f"{ALICE.name} signs {document.name} in Chromium …", flush=True)
        copy = Path(place, document.name)
        copy.write_bytes(original)
        with open_chromium() as chromium:
            signed.write_bytes(sign_in_browser(chromium, instance, copy, pictures))
        print("    the document's page and the approval page show one fingerprint")
        print(f"    {pictures.count} pages, and the browser complained about none", flush=True)
        with urllib.request.urlopen(f"http://localhost:{instance.port}/pki/root.pem", timeout=10) as answer:
            root = answer.read()
        for found in verify(original, signed, root):
            print(f"    {found}", flush=True)
    print(f"Signed: {signed}, with pictures of each step beside it.")


def main(arguments: list[str]) -> int:
    # Ended by a signal, browser and instance end too: SystemExit unwinds what is open.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    document = Path(arguments[0]) if arguments else SAMPLE
    try:
        demonstrate(document, var_dir_from_environment() / "demo")
    except OSError as error:
        print(f"{document} could not be read or its copy written: {error.strerror}.", file=sys.stderr)
    except (DemoError, WalkError, NoLetterError, InstanceError) as error:
        print(error, file=sys.stderr)
    except (Error, AssertionError) as error:
        print(f"The walk through the pages stopped.\n{error}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

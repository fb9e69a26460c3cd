"""``python -m benchmarks.together``: many at once, as people do it, on a whole instance with the embedded database.

``--rows N``: one envelope to N people of a list: checked, sent by the worker, mailed. ``--documents N``: N documents
of 50 kB, uploaded, prepared together, approved by one passkey's answer, signed and kept. Every page is fetched as a
browser would; the progress that the pages show is told on the way, and nothing may end otherwise than well.
"""

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from benchmarks.documents import SIZES, make_pdf
from scripts.instance import Instance, free_port
from tests.support.walk import Walker, WalkError

_SECONDS = 1800


class Watch:
    """Tells how long each step took."""

    def __init__(self) -> None:
        self.began = time.perf_counter()

    def told(self, step: str) -> None:
        now = time.perf_counter()
        print(f"{step}: {now - self.began:.1f} s", flush=True)
        self.began = now


def shown(page: httpx.Response) -> str:
    found = re.search(r'class="progress__text" role="status">([^<]*)<', page.text)
    return found[1] if found else ""


def follow(fetch: Callable[[], httpx.Response], is_over: Callable[[httpx.Response], bool]) -> httpx.Response:
    """Asks as the page does, once a second, and tells what it shows."""
    until, told, seen = time.monotonic() + _SECONDS, 0.0, set()
    while time.monotonic() < until:
        page = fetch()
        if page.status_code >= httpx.codes.BAD_REQUEST or "alert--danger" in page.text:
            raise WalkError(f"{page.url} answered {page.status_code}: {page.text[:2000]}")
        if is_over(page):
            print(f"  {len(seen)} different states of progress were shown")
            return page
        seen.add(shown(page))
        if time.monotonic() - told > 10:
            told = time.monotonic()
            print(f"  {shown(page)}", file=sys.stderr, flush=True)
        time.sleep(1)
    raise WalkError("it does not end")


def count_mails(folder: Path) -> int:
    """A file may hold several."""
    return sum(path.read_bytes().count(b"\nTo: person") for path in folder.glob("*"))


def send_to_list(walker: Walker, mails: Path, count: int) -> None:
    page = walker.send(
        walker.open("/envelopes/new"), document=("Lease.pdf", make_pdf(SIZES["50 kB"]), "application/pdf")
    )
    draft = str(page.url).removesuffix("/edit")
    people = "name,email\n" + "".join(f"Person {number},person{number}@example.org\n" for number in range(count))
    form = walker.open(f"{draft}/list")
    watch = Watch()
    checked = walker.send(
        form, document=("people.csv", people.encode(), "text/csv"), title="Lease", message="", due_on=""
    )
    watch.told(f"{count} rows checked and kept")
    address = str(checked.url)
    walker.send(checked, f"{address}/start")
    follow(lambda: walker.http.get(f"{address}/progress"), lambda page: page.status_code == httpx.codes.NO_CONTENT)
    watch.told("sent by the worker")
    while (mailed := count_mails(mails)) < count and time.perf_counter() - watch.began < _SECONDS:
        time.sleep(0.5)
    watch.told(f"mailed ({mailed} messages)")
    results = walker.http.get(f"{address}/results.csv").text.splitlines()[1:]
    states = {line.split(",")[3] for line in results}
    print(f"results: {len(results)} rows, {states}")
    if (len(results), states, mailed) != (count, {"sent"}, count):
        raise WalkError("not everybody was written to")


def sign_together(walker: Walker, count: int) -> None:
    watch = Watch()
    for number in range(count):
        walker.upload(make_pdf(SIZES["50 kB"]), name=f"Lease {number + 1}.pdf")
    watch.told(f"{count} documents uploaded, one after another")
    chosen = walker.open("/batches/new")
    documents = re.findall(r'name="document" value="([^"]*)"', chosen.text)
    credential = re.findall(r'name="credential_id" value="([^"]*)"', chosen.text)[0]
    page = walker.send(chosen, document=documents, credential_id=credential, reason="")
    address = str(page.url)
    headers = {"HX-Request": "true", "Origin": walker.signapp}
    token = re.findall(r'name="csrfmiddlewaretoken" value="([^"]*)"', page.text)[0]

    def advance() -> httpx.Response:
        return walker.http.post(f"{address}/advance", data={"csrfmiddlewaretoken": token}, headers=headers)

    follow(advance, lambda page: "/approve" in page.text)
    watch.told(f"{len(documents)} sent to gateway and prepared")
    consent = walker.send(walker.open(address), f"{address}/approve")
    watch.told("approval page")
    walker.approve(consent)
    watch.told("approved")
    done = follow(advance, lambda page: "alert--success" in page.text)
    watch.told(f"signed and kept ({len(re.findall('/download', done.text))} to download)")
    if len(set(re.findall(r"/documents/[0-9a-f-]{36}/download", done.text))) != count:
        raise WalkError("not every document was signed")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--documents", type=int, default=200)
    chosen = parser.parse_args()
    print(f"load average before: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        settings = {"KEY_POOL": "", "LOG_LEVEL": "WARNING", "REGISTRATION": "demonstration=automatic"}
        with Instance(Path(name) / "var", free_port(), "all", settings) as instance:
            instance.start()
            with Walker("Alice", signapp=instance.base_url, authz=instance.base_url) as walker:
                walker.sign_up()
                walker.get_certificate()
                if chosen.documents:
                    sign_together(walker, chosen.documents)
                if chosen.rows:
                    send_to_list(walker, instance.var_dir / "mail", chosen.rows)
    print(f"load average after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()

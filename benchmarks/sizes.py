"""``python -m benchmarks.sizes [MB …]``: large documents all the way through a whole instance, and what that costs.

One person uploads each document through signapp's page, signs it (B-LT, SoftHSM, a passkey) and downloads it. Told are
the seconds of each step and the most memory that web and worker held meanwhile, each with the processes that it forks
to read documents (PSS: what they share is counted once). At last a document of one byte more than is allowed.
``--store s3`` keeps documents in an S3-compatible store, a process beside the instance.
"""

import argparse
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.documents import Memory, make_pdf
from scripts.instance import Instance, free_port
from tests.support.instance import THRIFT
from tests.support.object_store import object_store
from tests.support.walk import Walker, WalkError

MEGABYTE = 1_000_000
_SECONDS = 900


def measure(walker: Walker, instance: Instance, size: int) -> None:
    pdf = make_pdf(size)
    memory, steps = Memory(instance), {}
    began = time.perf_counter()

    def step(name: str) -> None:
        nonlocal began
        steps[name], began = time.perf_counter() - began, time.perf_counter()

    path = walker.upload(pdf)
    step("uploaded")
    walker.prepare(path)
    step("prepared")
    walker.approve(walker.begin_approval(path))
    state = walker.wait(path, seconds=_SECONDS)
    step("approved and signed")
    if state != "signed":
        memory.end()
        raise WalkError(f"the document ended {state}")
    signed = walker.download(path)
    step("downloaded")
    last = memory.end()
    if not signed.startswith(pdf):
        raise WalkError("the original is not the beginning of the signed file")
    told = ", ".join(f"{name} in {seconds:.1f} s" for name, seconds in steps.items())
    print(f"{size / MEGABYTE:.0f} MB, {len(signed) - len(pdf)} bytes added: {told}", flush=True)
    for name, first in memory.first.items():
        print(f"  {name}: {first:.0f} MiB before, {memory.most[name]:.0f} at most, {last[name]:.0f} after", flush=True)


def refuse(walker: Walker, instance: Instance, limit: int) -> None:
    """One byte more than is allowed leaves nothing on the disk."""
    folders = [instance.var_dir / name for name in ("tmp", "signapp-documents", "gateway-documents")]
    before = sorted(str(path) for folder in folders if folder.is_dir() for path in folder.iterdir())
    began = time.perf_counter()
    try:
        walker.upload(bytes(limit + 1))
    except WalkError as error:
        after = sorted(str(path) for folder in folders if folder.is_dir() for path in folder.iterdir())
        left = "nothing" if after == before else f"{set(after) - set(before)}"
        seconds = time.perf_counter() - began
        print(f"{limit + 1} bytes: refused in {seconds:.1f} s, {left} left; {str(error)[:160]!r}")
    else:
        raise RuntimeError("more than is allowed was accepted")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("megabytes", nargs="*", type=int, default=[1, 100, 500])
    parser.add_argument("--store", choices=("folder", "s3"), default="folder")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = {"LOG_LEVEL": "WARNING", **THRIFT}
        if arguments.store == "s3":
            settings |= stack.enter_context(object_store()).settings
        print(f"{arguments.store}; load average before: {os.getloadavg()[0]:.1f}")
        instance = stack.enter_context(Instance(folder / "var", free_port(), "all", settings))
        instance.start()
        walker = stack.enter_context(Walker("Alice", signapp=instance.base_url, authz=instance.base_url))
        walker.http.timeout = _SECONDS
        walker.sign_up()
        walker.get_certificate("rsa-2048")
        for size in arguments.megabytes:
            measure(walker, instance, size * MEGABYTE)
        refuse(walker, instance, 500_000_000)
        print(f"load average after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()

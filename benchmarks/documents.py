"""``python -m benchmarks.documents``: what signing a PDF costs beside plain pyHanko, in one run.

*Plain* is pyHanko in two phases over file handles, key and chain at hand: prepare, signed attributes, signature, CMS,
embed. *The same work* is gateway's of that, in one process. *Gateway* is all that a job goes through without signHash:
inspected, encrypted and stored, prepared, its pages compared, completed, verified, stored; read and drawn in processes
that are kept for the documents of one owner, or forked for *an owner's first*. Each round does one of everything, so
that a machine that is slow for a while is slow for all; told are medians, by the clock and of the processor's time with
all children's.

``--batch N``: N documents of 50 kB by one approval on a whole instance (SoftHSM, a passkey, a worker for each core),
beside as many by plain pyHanko in a process for each core, and the memory that web and workers took meanwhile.
"""

import argparse
import asyncio
import base64
import hashlib
import io
import json
import multiprocessing
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import IO, Any

from asn1crypto.x509 import Certificate
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers import ExternalSigner, PdfSignatureMetadata, PdfSigner
from pyhanko_certvalidator.registry import SimpleCertificateStore

from benchmarks.counted import count_children
from scripts.instance import ROOT, Instance, free_port
from tests.support.authority import Authority, Identity
from tests.support.gateway_caller import GatewayCaller
from tests.support.instance import THRIFT
from tests.support.pdfs import assemble, document_objects, stream_object
from tests.support.walk import Walker, query_of

SIZES = {"50 kB": 50_000, "1 MB": 1_000_000, "10 MB": 10_000_000, "100 MB": 100_000_000}
ROUNDS = {"50 kB": 40, "1 MB": 20, "10 MB": 8, "100 MB": 3}
RESERVED = 16 * 1024
CORES = os.cpu_count() or 1
_WARMING = 32
PLAIN, SAME, PHASES = "plain pyHanko", "the same work", "gateway's two phases"
GATEWAY, FIRST = "gateway", "gateway, an owner's first"
STEPS = ("encrypt, store, inspect", "prepare, compare pages", "complete, verify, store")
HERE = ("inspect", "prepare", "compare pages", "complete", "verify")
# Of a document whose owner has no children yet that wait for more.
FIRST_STEPS = tuple(f"{step}, an owner's first" for step in STEPS)
SUMS = {SAME: ("prepare", "complete"), PHASES: STEPS[1:], GATEWAY: STEPS, FIRST: FIRST_STEPS}


def make_pdf(size: int) -> bytes:
    """About that many bytes: a page for each megabyte, filled by an image that does not compress."""
    pages = max(1, size // 1_000_000)
    objects = document_objects(pages=pages)
    side = int((size / pages / 3) ** 0.5)
    picture = b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceRGB /BitsPerComponent 8"
    for index in range(pages):
        page, content, image = 4 + 2 * index, 5 + 2 * index, 4 + 2 * pages + index
        objects[image] = stream_object(secrets.token_bytes(3 * side * side), picture % (side, side))
        objects[page] = objects[page].replace(b"/Font <<", b"/XObject << /Im %d 0 R >> /Font <<" % image)
        drawn = b"q 400 0 0 400 90 200 cm /Im Do Q BT /F1 18 Tf 72 760 Td (Page %d) Tj ET" % (index + 1)
        objects[content] = stream_object(drawn)
    return assemble(objects)


# --- Plain pyHanko ------------------------------------------------------------------------------------------------


def sign_plainly(document: IO[bytes], output: IO[bytes], identity: Identity) -> None:
    """PAdES B-B in two phases, over file handles."""
    asyncio.run(_sign_plainly(document, output, identity))


async def _sign_plainly(document: IO[bytes], output: IO[bytes], identity: Identity) -> None:
    document.seek(0)
    store = SimpleCertificateStore()  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
    store.register_multiple([Certificate.load(item) for item in identity.chain[1:]])
    certificate = Certificate.load(identity.certificate)
    signer = ExternalSigner(signing_cert=certificate, cert_registry=store, signature_value=256)
    metadata = PdfSignatureMetadata(field_name="Signature", md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES)
    prepared, _, _ = await PdfSigner(
        metadata, signer, new_field_spec=SigFieldSpec("Signature")
    ).async_digest_doc_for_signing(IncrementalPdfFileWriter(document), bytes_reserved=RESERVED, output=output)
    attributes = await signer.signed_attrs(prepared.document_digest, "sha256", use_pades=True)
    digest = hashlib.sha256(attributes.dump()).digest()
    value = identity.sign_digest(digest, hashes.SHA256())
    second = ExternalSigner(signing_cert=certificate, cert_registry=store, signature_value=value)
    content = await second.async_sign_prescribed_attributes("sha256", attributes)
    prepared.fill_with_cms(output, content)


# --- Ours ---------------------------------------------------------------------------------------------------------


class Gateway:
    """A job's way, without signHash; each step counted by the clock."""

    def __init__(self, identity: Identity) -> None:
        from gateway.pades.algorithms import choose_algorithm
        from gateway.pades.options import SignatureOptions
        from gateway.services.callers import VerifiedCaller
        from gateway.services.preparing import Plan

        self.identity = identity
        self.caller = VerifiedCaller(issuer="https://issuer.example", subject="alice", token="")
        algorithm = choose_algorithm(certificate=identity.certificate, offered=["1.2.840.113549.1.1.11"])
        self.plan = Plan(
            credential_id="c",
            chosen_credential_id="c",
            credential_label="A certificate",
            chain=tuple(identity.chain),
            sign_algo=algorithm.sign_algo,
            hash_algorithm_oid=algorithm.hash_algorithm_oid,
            level="B-B",
            best_effort=False,
            options=SignatureOptions(),
        )

    def sign(self, document: IO[bytes], took: "Stopwatch", *, is_first: bool = False) -> None:
        from gateway.models import Job
        from gateway.services import jobs, preparing, signing

        document.seek(0)
        caller = replace(self.caller, subject=secrets.token_hex(8)) if is_first else self.caller
        open_, prepare, finish = FIRST_STEPS if is_first else STEPS
        with took(open_):
            job = jobs.open_job(caller=caller, upload=document, name="Lease.pdf", idempotency_key=None)
        with took(prepare):
            preparing.prepare_as_planned(job=job, plan=self.plan)
        job = Job.objects.get(pk=job.pk)
        digest = base64.b64decode(job.digest or "")
        value = self.identity.sign_digest(digest, hashes.SHA256())
        Job.objects.filter(pk=job.pk).update(state=Job.State.SIGNING, signature=value)
        with took(finish):
            waiting = Job.objects.filter(pk=job.pk).select_related("original", "prepared")
            signing.finish_jobs(jobs=waiting, lease_id=None)
        job = Job.objects.select_related("signed").get(pk=job.pk)
        if job.state != Job.State.SIGNED:
            raise RuntimeError(f"the job is {job.state}: {job.error_code}")
        jobs.delete_job(caller=caller, job_id=job.pk)

    def sign_here(self, document: IO[bytes], output: IO[bytes], took: "Stopwatch") -> None:
        """The work on the PDF in this process, step by step, without encryption and database."""
        from gateway import documents
        from gateway.pades.complete import complete_document
        from gateway.pades.covering import hash_original
        from gateway.pades.finished import verify_finished
        from gateway.pades.inspect import inspect_document
        from gateway.pades.levels import Trust
        from gateway.pades.prepare import prepare_document
        from gateway.pades.raster import compare_pages
        from gateway.pades.to_be_signed import fix_signature
        from gateway.pades.values import SignatureRequest

        chain, algo = self.plan.chain, self.plan.sign_algo
        document.seek(0)
        with took("inspect"):
            facts = inspect_document(document, max_pages=5000)
        document.seek(0)
        shutil.copyfileobj(document, output)  # as a service has it from its store
        output.seek(0)
        request = SignatureRequest(chain=chain, sign_algo=algo, field_name="Signature", pages=facts.pages)
        size, sha256 = documents.measure(document)
        with took("prepare"):
            place = prepare_document(output, request)
            output.seek(0)
            original = hash_original(parts_of(output, size), hash_name="sha256")
            update = io.BytesIO(output.read())
            prepared = fix_signature(update, original=original, place=place, request=request)
        with took("compare pages"):
            compare_pages(output, size, place.areas)
        value = self.identity.sign_digest(hashlib.sha256(prepared.signed_attributes).digest(), hashes.SHA256())
        with took("complete"):
            complete_document(output, chain=chain, sign_algo=algo, prepared=prepared, value=value)
        with took("verify"):
            output.seek(0)
            original = hash_original(parts_of(output, size), hash_name="sha256")
            verify_finished(
                io.BytesIO(output.read()),
                chain=chain,
                sign_algo=algo,
                prepared=prepared,
                trust=Trust(chain[-1:], chain[-1:]),
                original=original,
                size=size,
                sha256=sha256,
            )


def parts_of(file: IO[bytes], size: int) -> Iterator[bytes]:
    """The next ``size`` bytes."""
    while size > 0 and (part := file.read(min(size, 1 << 20))):
        size -= len(part)
        yield part


@dataclass(frozen=True)
class Took:
    """Seconds by the clock, and of the processor: this process and those it had forked."""

    clock: float
    processor: float


class Stopwatch:
    def __init__(self, folder: Path) -> None:
        self.times: dict[str, list[Took]] = defaultdict(list)
        self._log = folder / "children"
        self._log.touch()
        count_children(str(self._log))

    def _processor(self) -> float:
        return time.process_time() + sum(map(int, self._log.read_text().split())) / 1e9

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self._log.write_text("")
        processor, clock = self._processor(), time.perf_counter()
        yield
        clock = time.perf_counter() - clock
        self.times[name].append(Took(clock, self._processor() - processor))


def measure(size: str, rounds: int, folder: Path) -> dict[str, Took]:
    """The median of each step."""
    identity = Authority().issue("Alice", rsa.generate_private_key(public_exponent=65537, key_size=2048))
    gateway, watch = Gateway(identity), Stopwatch(folder)
    for number in range(rounds + 1):
        if number == 1:
            watch.times.clear()  # the first one warms up
        with tempfile.TemporaryFile(dir=folder) as document, tempfile.TemporaryFile("w+b", dir=folder) as output:
            document.write(make_pdf(SIZES[size]))
            with watch(PLAIN):
                sign_plainly(document, output, identity)
            output.seek(0)
            output.truncate()
            gateway.sign_here(document, output, watch)
            gateway.sign(document, watch)
            gateway.sign(document, watch, is_first=True)
    times = {
        name: Took(median(each.clock for each in all_), median(each.processor for each in all_))
        for name, all_ in watch.times.items()
    }
    return times | {
        name: Took(sum(times[step].clock for step in steps), sum(times[step].processor for step in steps))
        for name, steps in SUMS.items()
    }


def told(size: str, times: dict[str, Took]) -> None:
    plain = times[PLAIN]
    for name in (PLAIN, SAME, PHASES, GATEWAY, FIRST, *STEPS, *(f"{each}, in one process" for each in HERE)):
        took = times[name.removesuffix(", in one process")]
        print(
            f"| {size} | {name} | {took.clock * 1000:.1f} | {took.clock / plain.clock:.2f} "
            f"| {took.processor * 1000:.1f} | {took.processor / plain.processor:.2f} |",
            flush=True,
        )


# --- Many by one approval -----------------------------------------------------------------------------------------


def sign_many_plainly(paths: list[str]) -> None:
    """In a process of its own."""
    identity = Authority().issue("Alice", rsa.generate_private_key(public_exponent=65537, key_size=2048))
    for path in paths:
        with Path(path).open("rb") as document, Path(f"{path}.signed").open("w+b") as output:
            sign_plainly(document, output, identity)


def measure_plain(paths: list[str]) -> float:
    """Seconds of as many processes as there are cores."""
    with multiprocessing.get_context("spawn").Pool(CORES) as pool:
        pool.map(sign_many_plainly, [paths[:2]] * CORES, chunksize=1)  # warm
        began = time.perf_counter()
        pool.map(sign_many_plainly, [paths[core::CORES] for core in range(CORES)], chunksize=1)
        return time.perf_counter() - began


class Memory:
    """Watches what processes of an instance hold (PSS, so that what a fork shares is counted once), in MiB, and the
    seconds of the processor that each took as it was seen last."""

    def __init__(self, instance: Instance) -> None:
        self._groups = {name: process.pid for name, process in instance.processes.items()}
        self.processor: dict[tuple[int, int], float] = {}  # (group, process)
        self.first, self.most = self._read(), dict.fromkeys(self._groups, 0.0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _read(self) -> dict[str, float]:
        held = dict.fromkeys(self._groups, 0.0)
        names = {group: name for name, group in self._groups.items()}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                fields = (path / "stat").read_text().rpartition(")")[2].split()
                group = int(fields[2])
                if group in names:
                    ticks = sum(map(int, fields[11:13]))
                    self.processor[group, int(path.name)] = ticks / os.sysconf("SC_CLK_TCK")
                    told = (path / "smaps_rollup").read_text()
                    held[names[group]] += int(told.partition("\nPss:")[2].split()[0]) / 1024
            except (OSError, ValueError, IndexError):
                continue  # it ended meanwhile
        return held

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            for name, held in self._read().items():
                self.most[name] = max(self.most[name], held)

    def end(self) -> dict[str, float]:
        self._over.set()
        self._thread.join()
        return self._read()


def wait_for(caller: GatewayCaller, batch: str, states: set[str], seconds: float) -> Any:
    until, last = time.monotonic() + seconds, 0.0
    while True:
        now = caller.call("GET", batch).json()
        if now["state"] in states:
            return now
        if time.monotonic() > until:
            raise RuntimeError(f"the batch is still {now}")
        if time.monotonic() - last > 10:
            last = time.monotonic()
            print(f"  {now['state']}: {now['states']}", file=sys.stderr, flush=True)
        time.sleep(0.25)


def measure_batch(count: int, level: str, policy: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = [str(folder / f"{number}.pdf") for number in range(count)]
        for path in paths:
            Path(path).write_bytes(make_pdf(SIZES["50 kB"]))
        print(f"load average before: {os.getloadavg()[0]:.1f}")
        before = measure_plain(paths)
        settings = {"LOG_LEVEL": "WARNING", "WEB_CONCURRENCY": str(CORES), "WORKERS": str(CORES), **THRIFT}
        with Instance(folder / "var", free_port(), "all", settings) as instance:
            instance.start()
            with Walker("Alice", signapp=instance.base_url, authz=instance.base_url) as walker:
                walker.sign_up()
                walker.get_certificate("rsa-2048")
                sign_batch(GatewayCaller(walker, instance), paths, level, policy, before)
        print(f"plain pyHanko again: {count / measure_plain(paths):.1f} documents a second")
        print(f"load average after: {os.getloadavg()[0]:.1f}")


def upload(caller: GatewayCaller, paths: list[str]) -> list[str]:
    """The jobs' identifiers."""
    with ThreadPoolExecutor(4) as threads:
        answers = threads.map(lambda path: caller.call("POST", "jobs", Path(path).read_bytes()).json(), paths)
        return [answer["job_id"] for answer in answers]


def sign_together(caller: GatewayCaller, jobs: list[str], level: str, policy: str) -> tuple[float, float, Any]:
    """Seconds of preparing and of signing, and what is told of the batch at its end."""
    batch = f"batches/{caller.call('POST', 'batches', {'jobs': jobs, 'policy': policy}).json()['batch_id']}"
    began = time.perf_counter()
    caller.call("POST", f"{batch}/prepare", {"credential_id": caller.credential(), "level": level})
    wait_for(caller, batch, {"prepared", "failed"}, 3600)
    prepared = time.perf_counter() - began
    asked = caller.call("POST", f"{batch}/authorization", {"state": secrets.token_urlsafe(24)}).json()
    page = caller.walker.open(asked["authorization_url"])
    answered = caller.walker.approve(page, until=f"{caller.instance.base_url}/approval/callback")
    query = query_of(answered.headers["Location"])
    began = time.perf_counter()
    caller.call("POST", f"{batch}/complete", {"code": query["code"], "iss": query["iss"]})
    done = wait_for(caller, batch, {"ended", "failed"}, 7200)
    return prepared, time.perf_counter() - began, done


def sign_batch(caller: GatewayCaller, paths: list[str], level: str, policy: str, plain: float) -> None:
    instance, count = caller.instance, len(paths)
    workers = {process.pid for name, process in instance.processes.items() if name.startswith("worker")}
    sign_together(caller, upload(caller, paths[:_WARMING]), level, policy)  # as the others are warm
    began = time.perf_counter()
    jobs = upload(caller, paths)
    uploaded, memory = time.perf_counter() - began, Memory(instance)
    before = memory.processor.copy()
    prepared, signed, done = sign_together(caller, jobs, level, policy)
    last = memory.end()
    took = {key: seconds - before.get(key, 0.0) for key, seconds in memory.processor.items()}
    alone = sum(took[worker, worker] for worker in workers)
    together = sum(took[group, process] for group, process in took if group in workers)
    rate, plainly = count / (prepared + signed), count / plain
    print(f"{count} documents, {level}, {policy}: {done['states']}")
    print(f"plain pyHanko on {CORES} cores: {plainly:.1f} a second; gateway: {rate:.1f}, {rate / plainly:.2f} of it")
    print(f"uploaded in {uploaded:.1f} s, prepared in {prepared:.1f} s, signed in {signed:.1f} s")
    print(
        f"ms of the processor a document: {alone / count * 1000:.1f} the workers themselves, "
        f"{together / count * 1000:.1f} with their children"
    )
    for name, first in memory.first.items():
        print(f"{name}: {first:.0f} MiB before, {memory.most[name]:.0f} at most, {last[name]:.0f} after")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", choices=list(SIZES), nargs="*", default=list(SIZES))
    parser.add_argument("--rounds", type=float, default=1, help="times as many")
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--level", default="B-B")
    parser.add_argument("--policy", default="best_effort", choices=["best_effort", "all_or_nothing"])
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:
        import django

        django.setup()
        size, folder = json.loads(chosen.inside)
        times = measure(size, max(1, round(ROUNDS[size] * chosen.rounds)), Path(folder))
        print(json.dumps({name: asdict(took) for name, took in times.items()}))
    elif chosen.batch:
        measure_batch(chosen.batch, chosen.level, chosen.policy)
    else:
        measure_sizes(chosen.sizes, chosen.rounds)


def measure_sizes(sizes: list[str], rounds: float) -> None:
    print("| size | what | ms by the clock | of plain | ms of the processor | of plain |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        instance = Instance(Path(folder) / "var", free_port(), "gateway", {"LOG_LEVEL": "WARNING"})
        instance.manage("prepare", capture=True)
        for size in sizes:
            asked = [f"--inside={json.dumps([size, folder])}", f"--rounds={rounds}"]
            command = [sys.executable, "-m", "benchmarks.documents", *asked]
            done = subprocess.run(
                command, cwd=ROOT, env=instance.environment, stdout=subprocess.PIPE, text=True, check=True
            )
            told(size, {name: Took(**took) for name, took in json.loads(done.stdout).items()})
    print("load average:", *(f"{load:.1f}" for load in os.getloadavg()))


if __name__ == "__main__":
    main()

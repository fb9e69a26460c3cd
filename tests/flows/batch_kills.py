"""A batch whose worker dies again and again: what the short and the long form of the test share."""

import base64
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from scripts import instance as instance_module
from tests.flows import faults, faulty_worker
from tests.flows.chain import Chain, eventually
from tests.flows.verdicts import read_root, verify
from tests.support.gateway_caller import GatewayCaller
from tests.support.pdfs import make_pdf
from tests.support.walk import query_of

_FAULTY = instance_module._WORKER.replace("config.celery", "tests.flows.faulty_worker")
_AGED = "UPDATE gateway_job SET lease_until = '2020-01-01 00:00:00' WHERE lease_until IS NOT NULL"
_ASKED = "SELECT count(*) FROM gateway_job WHERE state = 'approved' OR (state = 'signing' AND signature IS NULL)"


@dataclass
class Killed:
    """A batch of Alice's on an instance whose worker dies where files in ``folder`` say so."""

    chain: Chain
    caller: GatewayCaller
    folder: Path
    documents: list[bytes] = field(default_factory=list)
    batch: str = ""
    deaths: int = 0

    def start_worker(self, command: str = _FAULTY, **settings: str) -> None:
        settings = {"PROCESS": "worker", "TEST_FAULTS_DIR": str(self.folder), **settings}
        self.chain.instance._spawn("worker", command, **settings)

    def stop_worker(self) -> None:
        worker = self.chain.instance.processes["worker"]
        worker.terminate()
        worker.wait()

    def stop_worker_in_the_middle(self, point: str) -> None:
        """As an operator's new version does: it is asked to end while it does something, and may end that. Raises
        `TimeoutExpired` if it is not gone within four times the grace that processes are given: the machine may have
        other work."""
        eventually(lambda: not faults.is_armed(self.folder, point))
        worker = self.chain.instance.processes["worker"]
        ending = self.folder / faulty_worker.ENDING
        ending.unlink(missing_ok=True)
        worker.terminate()
        eventually(ending.exists)
        faults.let_go(self.folder)
        worker.wait(timeout=4 * instance_module._END_SECONDS)

    def open(self, count: int) -> None:
        self.documents = [make_pdf(text=f"Lease {number} {secrets.token_hex(4)}") for number in range(count)]
        jobs = [self.caller.call("POST", "jobs", pdf).json()["job_id"] for pdf in self.documents]
        answer = self.caller.call("POST", "batches", {"jobs": jobs, "policy": "best_effort"})
        self.batch = f"batches/{answer.json()['batch_id']}"

    def prepare(self, points: Sequence[str], again: Sequence[str] = ()) -> None:
        self.arm(points)
        body = {"credential_id": self.caller.credential(), "level": "B-B"}
        assert self.caller.call("POST", f"{self.batch}/prepare", body).is_success
        self.survive("prepared", again)

    def signatures_are_there(self) -> bool:
        """Nothing is asked for any more, and nothing that was asked for is still to be answered."""
        return self.chain.rows("gateway", _ASKED) == [(0,)]

    def approve(self) -> None:
        asked = self.caller.call("POST", f"{self.batch}/authorization", {"state": secrets.token_urlsafe(24)}).json()
        page = self.caller.walker.open(asked["authorization_url"])
        answered = self.caller.walker.approve(page, until=f"{self.chain.base_url}/approval/callback")
        query = query_of(answered.headers["Location"])
        done = self.caller.call("POST", f"{self.batch}/complete", {"code": query["code"], "iss": query["iss"]})
        assert done.status_code == 202, done.text

    def arm(self, points: Sequence[str]) -> None:
        for point in points:
            faults.arm(self.folder, point)

    def arm_to_wait(self, point: str) -> None:
        """Whoever comes there waits until let go."""
        faults.arm(self.folder, point, "wait")

    def states(self) -> Counter[str]:
        """How many documents are how far."""
        return Counter(self.caller.call("GET", self.batch).json()["states"])

    def survive(self, state: str, again: Sequence[str] = ()) -> None:
        """Starts another worker for each that dies, until the batch is so far; ``again`` are armed one by one then."""
        waiting, until = list(again), time.monotonic() + 240 + 2 * len(self.documents) + 20 * len(again)
        while True:
            worker = self.chain.instance.processes["worker"]
            if worker.poll() is not None:
                self.deaths += 1
                # Leases end after two minutes; nobody holds one now.
                self.chain.rows("gateway", _AGED)
                self.start_worker()
                if waiting:
                    self.arm([waiting.pop()])
            elif self.told() == state:
                return
            assert time.monotonic() < until, (self.told(), list(self.folder.iterdir()))
            time.sleep(0.1)

    def deliveries(self) -> Counter[str]:
        """How often each message came to a worker."""
        log = self.folder / faulty_worker.DELIVERIES
        return Counter(log.read_text().split()) if log.exists() else Counter()

    def told(self) -> str:
        try:
            return str(self.caller.call("GET", self.batch).json()["state"])
        except httpx.TransportError:
            return "not told"  # the web process died

    def account(self, made: int) -> Counter[str]:
        """What became of the documents: signed, each with one C_Sign, or of unknown outcome with one at most."""
        jobs = self.caller.call("GET", f"{self.batch}/jobs").json()["jobs"]
        ends = Counter(job["error"]["code"] if job["error"] else job["state"] for job in jobs)
        assert set(ends) <= {"signed", "outcome_unknown"}
        assert len(jobs) == len(self.documents)
        digests = [base64.b64decode(job["digest"]) for job in jobs]
        asked = self.chain.signatures_over(*digests)
        for job, digest in zip(jobs, digests, strict=True):
            assert asked[digest] == 1 if job["state"] == "signed" else asked[digest] <= 1
        assert self.chain.signatures_made() - made == sum(asked.values())
        return ends

    def verify_some(self, folder: Path, every: int) -> None:
        jobs: list[dict[str, Any]] = self.caller.call("GET", f"{self.batch}/jobs").json()["jobs"]
        root = read_root(self.chain.base_url)
        for job, original in list(zip(jobs, self.documents, strict=True))[::every]:
            if job["state"] == "signed":
                signed = self.caller.call("GET", f"jobs/{job['job_id']}/result").content
                verify(signed, original=original, root=root, folder=folder)

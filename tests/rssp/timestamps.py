"""What a client of the time-stamping authority does: queries, and replies read by libraries that are not ours."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asn1crypto import cms, core, tsp

from rssp.algorithms import HASH_OIDS


def build_query(imprint: bytes, *, hash_oid: str = HASH_OIDS["sha256"], **members: Any) -> bytes:
    """``TimeStampReq`` that asks for the certificates unless ``members`` says otherwise."""
    algorithm = {"algorithm": hash_oid}
    fields = {"version": 1, "message_imprint": {"hash_algorithm": algorithm, "hashed_message": imprint}}
    query: bytes = tsp.TimeStampReq(fields | {"cert_req": True} | members).dump()
    return query


class _Reply(core.Sequence):
    _fields = [("status", tsp.PKIStatusInfo), ("time_stamp_token", cms.ContentInfo, {"optional": True})]


@dataclass(frozen=True)
class Reply:
    """``TimeStampResp`` read by asn1crypto: status, failures, and what the token says."""

    raw: bytes
    status: str
    failures: set[str]
    token: cms.ContentInfo | None

    @property
    def info(self) -> tsp.TSTInfo:
        assert self.token is not None
        return self.token["content"]["encap_content_info"]["content"].parsed

    @property
    def certificates(self) -> list[Any]:
        assert self.token is not None
        return [choice.chosen for choice in self.token["content"]["certificates"] or []]


def read_reply(raw: bytes) -> Reply:
    reply = _Reply.load(raw, strict=True)
    token = reply["time_stamp_token"]
    failures = reply["status"]["fail_info"].native or set()
    return Reply(raw, reply["status"]["status"].native, failures, None if token.native is None else token)


def openssl(*arguments: str | Path) -> str:
    """What openssl says on both streams; raises unless it is content."""
    finished = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout + finished.stderr

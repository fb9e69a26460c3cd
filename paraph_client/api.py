"""The calls, typed. Whoever signs approves in a browser; `Gateway.ask_approval` says where."""

import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from paraph_client.errors import ApprovalFailedError, ClientError, JobFailedError, RefusedError
from paraph_client.shapes import Credential, Job

_SECONDS = 120
_CHUNK = 256 * 1024
_POLL_SECONDS = 1.0
_MOST_TRIES = 5


class Gateway:
    """``api`` is the address of the calls, without a slash (`servers.discover`). The token is kept in memory alone.

    Every method raises `RefusedError`, or `ClientError` where an answer cannot be read.
    """

    def __init__(self, api: str, token: str) -> None:
        self._http = httpx.Client(timeout=_SECONDS, follow_redirects=False)
        self._api, self._headers = api, {"Authorization": f"Bearer {token}"}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def credentials(self) -> list[Credential]:
        """The caller's own that can sign now."""
        listed = self._call("GET", "/credentials").get("credentials")
        every = [Credential.read(each) for each in listed] if isinstance(listed, list) else []
        return [each for each in every if each.is_usable]

    def open_job(self, document: Path, *, idempotency_key: str | None = None) -> Job:
        """Uploads the document; where the network fails, once more under the same key."""
        headers = {
            "Content-Type": "application/pdf",
            "Content-Length": str(document.stat().st_size),
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(document.name, safe='')}",
            "Idempotency-Key": idempotency_key or secrets.token_urlsafe(16),
        }
        return Job.read(self._call("POST", "/jobs", headers=headers, document=document))

    def prepare(self, job_id: str, credential_id: str, **options: Any) -> Job:
        """``options`` are ``level``, ``reason``, ``appearance`` and the others of the API's description."""
        body = {"credential_id": credential_id, **options}
        return Job.read(self._call("POST", f"/jobs/{job_id}/prepare", body=body))

    def ask_approval(self, job_id: str) -> str:
        """Where the signer's browser goes; it comes back to the service, and the job's state says what came of it."""
        answer = self._call("POST", f"/jobs/{job_id}/authorization", body={"returns_to": "gateway"})
        url = answer.get("authorization_url")
        if not isinstance(url, str):
            raise ClientError("The service's answer has no authorization_url.")
        return url

    def job(self, job_id: str) -> Job:
        return Job.read(self._call("GET", f"/jobs/{job_id}"))

    def wait(self, job_id: str, *, seconds: float = 600) -> Job:
        """The job once it is signed. Raises `ApprovalFailedError`, `JobFailedError`."""
        ends = time.monotonic() + seconds
        while (job := self.job(job_id)).state != "signed":
            code, sentence = job.error or ("", "")
            if job.state in {"failed", "expired"}:
                raise JobFailedError(sentence or "The job ended before it was signed.", code=code or job.state)
            if job.state == "prepared":
                raise ApprovalFailedError(sentence or "The approval was asked for elsewhere meanwhile.")
            if time.monotonic() > ends:
                raise ApprovalFailedError("Nobody approved in time.")
            time.sleep(_POLL_SECONDS)
        return job

    def save_result(self, job_id: str, target: Path) -> None:
        """The signed document, whole or not at all: what stood at ``target`` is replaced when all of it is there."""
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".paraph-", suffix=".pdf")
        try:
            with os.fdopen(handle, "wb") as file, self._stream(f"/jobs/{job_id}/result") as answer:
                for chunk in answer.iter_bytes(_CHUNK):
                    file.write(chunk)
            Path(name).replace(target)
        except httpx.HTTPError as error:
            raise _unreachable(error) from None
        finally:
            Path(name).unlink(missing_ok=True)

    def delete_job(self, job_id: str) -> None:
        """The service's copies and their keys are gone."""
        self._call("DELETE", f"/jobs/{job_id}")

    def _stream(self, path: str) -> "_Answer":
        return _Answer(self._http, f"{self._api}{path}", self._headers)

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        document: Path | None = None,
    ) -> dict[str, Any]:
        """Once more after 429 and 503, when the service says that it may be asked again; an upload after a break too,
        which its key makes harmless."""
        for attempt in range(_MOST_TRIES):
            is_last = attempt + 1 == _MOST_TRIES
            try:
                answer = self._http.request(
                    method,
                    f"{self._api}{path}",
                    headers={**self._headers, **(headers or {})},
                    json=body,
                    content=_read(document) if document else None,
                )
            except httpx.HTTPError as error:
                if is_last or not (document or method == "GET"):
                    raise _unreachable(error) from None
                time.sleep(_POLL_SECONDS)
                continue
            if answer.status_code not in {429, 503} or is_last:
                break
            time.sleep(min(float(answer.headers.get("Retry-After", "1")), 30))
        return _object(answer)


class _Answer:
    """A streamed success, or `RefusedError`."""

    def __init__(self, http: httpx.Client, address: str, headers: dict[str, str]) -> None:
        self._context = http.stream("GET", address, headers=headers)

    def __enter__(self) -> httpx.Response:
        answer = self._context.__enter__()
        if not answer.is_success:
            answer.read()
            self._context.__exit__(None, None, None)
            raise _refusal(answer)
        return answer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._context.__exit__(kind, error, trace)


def _read(document: Path) -> Iterator[bytes]:
    with document.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _object(answer: httpx.Response) -> dict[str, Any]:
    if not answer.is_success:
        raise _refusal(answer)
    if not answer.content:
        return {}
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ClientError("The service's answer is no JSON object.")
    return body


def _refusal(answer: httpx.Response) -> RefusedError:
    try:
        body = answer.json()
    except ValueError:
        body = {}
    told = body if isinstance(body, dict) else {}
    sentence = str(told.get("error_description") or f"The service answered {answer.status_code}.")
    return RefusedError(sentence, code=str(told.get("error") or "unknown"), status=answer.status_code)


def _unreachable(error: httpx.HTTPError) -> RefusedError:
    return RefusedError(f"The service cannot be reached ({type(error).__name__}).", code="unreachable", status=0)

"""What the API answers, as far as a client needs it. Members that are not known are ignored."""

import base64
from dataclasses import dataclass
from typing import Any, Self

from paraph_client.errors import ClientError


def _member(body: Any, name: str, kind: type) -> Any:
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, kind):
        raise ClientError(f"The service's answer has no {name} that can be read.")
    return value


@dataclass(frozen=True)
class Credential:
    """A certificate that can sign."""

    credential_id: str
    common_name: str
    description: str
    is_usable: bool

    @classmethod
    def read(cls, body: Any) -> Self:
        return cls(
            credential_id=_member(body, "credential_id", str),
            common_name=_member(body, "common_name", str),
            description=_member(body, "description", str),
            is_usable=body.get("status") == "enabled" and body.get("cert_status") == "valid",
        )


@dataclass(frozen=True)
class Job:
    """A document on its way to a signature. ``error`` is a code and a sentence, of what failed or was not approved;
    ``level`` the one that was reached, of a signed one."""

    job_id: str
    state: str
    name: str
    digest: str | None
    error: tuple[str, str] | None
    level: str | None

    @classmethod
    def read(cls, body: Any) -> Self:
        error, signed = body.get("error") if isinstance(body, dict) else None, body.get("signed")
        return cls(
            job_id=_member(body, "job_id", str),
            state=_member(body, "state", str),
            name=_member(_member(body, "document", dict), "name", str),
            digest=body.get("digest"),
            error=(_member(error, "code", str), _member(error, "message", str)) if error else None,
            level=_member(signed, "level", str) if signed else None,
        )

    @property
    def fingerprint(self) -> str:
        """What the page of the approval shows too: the first half of the digest's 32 bytes, in groups of four."""
        text = base64.b64decode(self.digest or "")[:16].hex().upper()
        return " ".join(text[place : place + 4] for place in range(0, len(text), 4))

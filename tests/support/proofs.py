"""A client's own key: makes DPoP proofs (RFC 9449) and client assertions (RFC 7523), right and wrong ones."""

import json
import secrets
import time
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.util import to_bytes, urlsafe_b64encode

Key = ECKey | RSAKey | OKPKey | OctKey


class _Registry(jws.JWSRegistry):
    max_header_length = 8192


def sign(header: dict[str, Any], claims: Any, key: Key) -> str:
    """A compact JWS; ``alg`` none too."""

    algorithms = [str(header.get("alg"))]
    registry = _Registry(algorithms=algorithms, strict_check_header=False)
    return jws.serialize_compact(header, to_bytes(json.dumps(claims)), key, algorithms=algorithms, registry=registry)


@dataclass
class ClientKey:
    """A key of one algorithm. Claims given as None are left out."""

    key: Key = field(default_factory=lambda: ECKey.generate_key("P-256"))
    alg: str = "ES256"
    kid: str | None = None

    @property
    def thumbprint(self) -> str:
        return str(self.key.thumbprint())

    @property
    def public(self) -> dict[str, Any]:
        return dict(self.key.as_dict(private=False)) | ({"kid": self.kid} if self.kid else {})

    def proof(
        self, method: str, url: str, *, token: str | None = None, header: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        told = {"jti": secrets.token_urlsafe(12), "htm": method, "htu": url, "iat": int(time.time())}
        if token is not None:
            told["ath"] = urlsafe_b64encode(sha256(token.encode()).digest()).decode()
        head = {"typ": "dpop+jwt", "alg": self.alg, "jwk": dict(self.key.as_dict(private=False))} | (header or {})
        return sign(_present(head), _present(told | claims), self.key)

    def assertion(self, client_id: str, audience: Any, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        now = int(time.time())
        told = {"iss": client_id, "sub": client_id, "aud": audience, "iat": now, "exp": now + 60}
        told["jti"] = secrets.token_urlsafe(12)
        head = {"alg": self.alg} | ({"kid": self.kid} if self.kid else {}) | (header or {})
        return sign(_present(head), _present(told | claims), self.key)


def _present(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}

"""The server under test: where it is, what it told, and what the operator of the test gave us for it.

Whatever a row needs is asked for here, when it is needed; what cannot be had is `NotTried` with what to give.
"""

import base64
import secrets
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx

from tests.conformance.rows import FACILITIES, Row, Version
from tests.conformance.shapes import TIMESTAMPED, read_chain

SHA256 = "2.16.840.1.101.3.4.2.1"
RSA_SHA256, ECDSA_SHA256 = "1.2.840.113549.1.1.11", "1.2.840.10045.4.3.2"
OAUTH2 = ("oauth2/token", "oauth2/revoke")
_HASHES = {1: "hash", 2: "hashes"}


class NotTried(Exception):  # noqa: N818  (not an error)
    """The row needs something that this run was not given."""

    def __init__(self, facility: str) -> None:
        super().__init__(FACILITIES.get(facility, facility))


@dataclass(frozen=True)
class Given:
    """What the operator of the test gave; everything but the address is optional."""

    base_url: str
    token: str = ""
    user: str = ""
    password: str = ""
    pin: str = ""
    otp: str = ""
    credential: str = ""
    two_factor_credential: str = ""
    online_otp_credential: str = ""
    implicit_credential: str = ""
    challenge_credential: str = ""
    challenge_object: str = ""
    disabled_credential: str = ""
    locked_credential: str = ""
    expired_credential: str = ""
    seal_token: str = ""
    user_id: str = ""
    sad: str = ""
    sad_credential: str = ""
    sad_digest: str = ""
    client_id: str = ""
    client_secret: str = ""
    oauth2_base: str = ""
    patience: float = 5.0


@dataclass(frozen=True)
class Prepared:
    """A request that is ready to be changed; ``digest`` is what a good answer will have signed, with ``credential``."""

    body: dict[str, Any]
    digest: bytes | None = None
    credential: str = ""


@dataclass
class Target:
    """One version of the API at one address."""

    given: Given
    version: Version
    http: httpx.Client
    _credentials: dict[str, dict[str, Any]] = field(default_factory=dict)

    def post(self, method: str, body: dict[str, Any] | bytes, authorization: str | None) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        if authorization:
            headers["Authorization"] = authorization
        if method.startswith("oauth2/"):
            del headers["Content-Type"]
            form: Any = body
            return self.http.post(f"{self.oauth2_base}{method}", data=form, headers=headers)
        url = f"{self.given.base_url.rstrip('/')}/v{self.version}/{method}"
        if isinstance(body, bytes):
            return self.http.post(url, content=body, headers=headers)
        return self.http.post(url, json=body, headers=headers)

    def ask(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        """A call that must succeed before a row can be tried; raises `NotTried` otherwise."""
        answer = self.post(method, body, f"Bearer {self.token}")
        if answer.status_code not in {200, 202}:
            raise NotTried(f"{method} answered {answer.status_code} {answer.text[:200]}")
        found: dict[str, Any] = answer.json()
        return found

    # --- What it told and what we hold -----------------------------------------------------------------------

    @cached_property
    def info(self) -> dict[str, Any]:
        told: dict[str, Any] = self.post("info", {}, None).json()
        return told

    @cached_property
    def methods(self) -> frozenset[str]:
        """What ``info`` lists, ``info`` itself, and the OAuth endpoints, which it may leave out."""
        return frozenset({"info", *OAUTH2, *self.info["methods"]})

    @cached_property
    def oauth2_base(self) -> str:
        """With a slash: what was given, what ``info`` tells, or the API's own address."""
        beside = f"{self.given.base_url.rstrip('/')}/v{self.version}"
        found: str = self.given.oauth2_base or self.info.get("oauth2") or beside
        return f"{found.rstrip('/')}/"

    @cached_property
    def token(self) -> str:
        if self.given.token:
            return self.given.token
        return str(self.log_in()["access_token"])

    def log_in(self, **members: Any) -> dict[str, Any]:
        if not self.given.user:
            raise NotTried("token")
        answer = self.post("auth/login", members, self.basic(self.given.password))
        if answer.status_code != 200:
            raise NotTried(f"auth/login answered {answer.status_code}")
        found: dict[str, Any] = answer.json()
        return found

    def basic(self, password: str) -> str:
        if not self.given.user:
            raise NotTried("basic")
        return f"Basic {base64.b64encode(f'{self.given.user}:{password}'.encode()).decode()}"

    def client(self, secret: str) -> str:
        named = self._needed("client_id", "client")
        return f"Basic {base64.b64encode(f'{named}:{secret}'.encode()).decode()}"

    def authorization(self, wanted: str | None) -> str | None:
        match wanted:
            case "token" | "user token":
                return f"Bearer {self.token}"
            case "fresh token":
                return f"Bearer {self.log_in()['access_token']}"
            case "seal token":
                if not self.given.seal_token:
                    raise NotTried("seal token")
                return f"Bearer {self.given.seal_token}"
            case "client":
                return self.client(self._needed("client_secret", "client"))
            case "wrong client":
                return self.client("wrong")
            case "basic":
                return self.basic(self.given.password)
            case "wrong basic":
                return self.basic(f"{self.given.password}x")
        return wanted

    def describe(self, credential_id: str) -> dict[str, Any]:
        """``credentials/info`` with everything, asked once."""
        if credential_id not in self._credentials:
            wanted = {"certificates": "chain", "certInfo": True, "authInfo": True}
            self._credentials[credential_id] = self.ask("credentials/info", {"credentialID": credential_id, **wanted})
        return self._credentials[credential_id]

    @cached_property
    def listed(self) -> list[str]:
        found: list[str] = self.ask("credentials/list", {})["credentialIDs"]
        return [self.given.credential, *found] if self.given.credential else found

    def credential(self, *, mode: str | None = None, kind: str | None = None) -> str:
        """The first enabled credential of a mode, and with a key of a kind (``RSA``), that the PIN alone opens."""
        for credential_id in self.listed:
            try:
                told = self.describe(credential_id)
            except NotTried:
                continue  # a server may list what it does not describe
            if mode and (told.get("authMode") or told.get("auth", {}).get("mode")) != mode:
                continue
            if mode == "explicit" and not self._is_opened_by_pin(told):
                continue
            if kind == "RSA" and RSA_SHA256 not in told["key"]["algo"]:
                continue
            if told["key"]["status"] == "enabled":
                return credential_id
        raise NotTried(mode or "credential")

    def _is_opened_by_pin(self, told: dict[str, Any]) -> bool:
        if not self.given.pin:
            return False
        if self.version == 1:
            wants_otp = told.get("OTP", {}).get("presence") == "true"
            return told.get("PIN", {}).get("presence") == "true" and not wants_otp
        objects = told["auth"].get("objects") or []
        return [item["type"] for item in objects] == ["Password"]

    # --- Requests --------------------------------------------------------------------------------------------

    def prepare(self, row: Row) -> Prepared:
        """The good request that the row changes."""
        special = getattr(self, f"_{row.method.replace('/', '_')}", None)
        if special is not None:
            return special(row)  # type: ignore[no-any-return]
        return Prepared({})

    def _oauth2_token(self, row: Row) -> Prepared:
        form = {"grant_type": "authorization_code", "code": "bm9ib2R5"}
        return Prepared(form | self._named(row))

    def _oauth2_revoke(self, row: Row) -> Prepared:
        return Prepared({"token": "bm9ib2R5"} | self._named(row))

    def _named(self, row: Row) -> dict[str, str]:
        """A client that names itself in the body, where the row says so."""
        named = self._needed("client_id", "client")
        return {"client_id": named} if row.good == "named" else {}

    def _auth_revoke(self, row: Row) -> Prepared:
        return Prepared({"token": self.log_in()["access_token"] if row.good else self.token})

    def _credentials_list(self, row: Row) -> Prepared:
        if row.good == "user":
            return Prepared({"userID": self._needed("user_id", "seal token")})
        return Prepared({})

    def _credentials_info(self, _row: Row) -> Prepared:
        return Prepared({"credentialID": self.credential()})

    def _credentials_sendOTP(self, row: Row) -> Prepared:  # noqa: N802
        if row.good:
            return Prepared({"credentialID": self._needed("online_otp_credential", "online OTP")})
        return Prepared({"credentialID": self.credential()})

    def _credentials_getChallenge(self, _row: Row) -> Prepared:  # noqa: N802
        wanted = self._needed("challenge_credential", "challenge")
        return Prepared({"credentialID": wanted, "authObjectID": self.given.challenge_object})

    def _credentials_authorizeCheck(self, row: Row) -> Prepared:  # noqa: N802
        if not row.good:
            return Prepared({"handle": "bm9ib2R5"})
        waiting = self._authorize_body(self._needed("implicit_credential", "implicit"), secrets.token_bytes(32))
        return Prepared({"handle": self.ask("credentials/authorize", waiting)["handle"]})

    def _credentials_authorize(self, row: Row) -> Prepared:
        digest = secrets.token_bytes(32)
        match row.good:
            case "disabled":
                return Prepared(self._authorize_body(self._needed("disabled_credential", "disabled"), digest))
            case "locked":
                return Prepared(self._authorize_body(self._needed("locked_credential", "locked"), digest))
            case "implicit":
                return Prepared(self._authorize_body(self._needed("implicit_credential", "implicit"), digest))
            case "wrong OTP":
                wanted = self._needed("two_factor_credential", "two-factor")
                return Prepared(self._authorize_body(wanted, digest, otp="000000"))
            case "wrong PIN":
                return Prepared(self._authorize_body(self.credential(mode="explicit"), digest, pin="000000wrong"))
        return Prepared(self._authorize_body(self.credential(mode="explicit"), digest))

    def _authorize_body(
        self, credential_id: str, digest: bytes, *, pin: str | None = None, otp: str | None = None
    ) -> dict[str, Any]:
        pin = self.given.pin if pin is None else pin
        body: dict[str, Any] = {
            "credentialID": credential_id,
            "numSignatures": 1,
            _HASHES[self.version]: [_b64(digest)],
        }
        told = self.describe(credential_id)
        if self.version == 1:
            factors = {"PIN": pin, "OTP": otp or self.given.otp}
            return body | {name: factors[name] for name in factors if told.get(name, {}).get("presence") == "true"}
        values = [
            {"id": item["id"], "value": pin if index == 0 else otp or self.given.otp}
            for index, item in enumerate(told["auth"].get("objects") or [])
        ]
        return body | {"hashAlgorithmOID": SHA256, "authData": values}

    def _sad(self, credential_id: str, digest: bytes) -> dict[str, Any]:
        return self.ask("credentials/authorize", self._authorize_body(credential_id, digest))

    def _credentials_extendTransaction(self, row: Row) -> Prepared:  # noqa: N802
        credential_id, digest = self.credential(mode="explicit"), secrets.token_bytes(32)
        told = self._sad(credential_id, digest)
        body = {"credentialID": credential_id, "SAD": told["SAD"]}
        if row.good == "expired SAD":
            self._wait(told)
        elif row.good == "extended SAD":
            self.ask("credentials/extendTransaction", body)
        return Prepared(body)

    def _signatures_signHash(self, row: Row) -> Prepared:  # noqa: N802
        digest = secrets.token_bytes(32)
        if row.good in {"disabled", "expired certificate"}:
            name = {"disabled": "disabled_credential", "expired certificate": "expired_credential"}[row.good]
            return Prepared(self._sign_body(self._needed(name, row.good), digest, "bm9ib2R5"))
        if row.authorization is None or row.authorization.startswith(("Basic", "Bearer")):
            return Prepared(self._sign_body(self.credential(), digest, "bm9ib2R5"))
        kind = "RSA" if row.good == "RSA" else None
        if self.given.sad and not row.good.endswith(" SAD"):
            return self._sign_with_given_sad(kind)
        credential_id = self.credential(mode="explicit", kind=kind)
        told = self._sad(credential_id, digest)
        body = self._sign_body(credential_id, digest, told["SAD"])
        match row.good:
            case "spent SAD":
                self.ask("signatures/signHash", body)
            case "extended SAD":
                self.ask("credentials/extendTransaction", {"credentialID": credential_id, "SAD": told["SAD"]})
            case "expired SAD":
                self._wait(told)
        return Prepared(body, digest, credential_id)

    def _sign_with_given_sad(self, kind: str | None) -> Prepared:
        """A refused call spends nothing, so one SAD serves many rows; what it signs it signs once."""
        wanted = self._needed("sad_credential", "SAD")
        if kind == "RSA" and RSA_SHA256 not in self.describe(wanted)["key"]["algo"]:
            raise NotTried("SAD")
        digest = base64.b64decode(self._needed("sad_digest", "SAD"), validate=True)
        return Prepared(self._sign_body(wanted, digest, self.given.sad), digest, wanted)

    def _sign_body(self, credential_id: str, digest: bytes, sad: str) -> dict[str, Any]:
        algorithms = self.describe(credential_id)["key"]["algo"]
        sign_algo = RSA_SHA256 if RSA_SHA256 in algorithms else ECDSA_SHA256
        return {
            "credentialID": credential_id,
            "SAD": sad,
            _HASHES[self.version]: [_b64(digest)],
            "signAlgo": sign_algo,
        }

    def _signatures_signPolling(self, row: Row) -> Prepared:  # noqa: N802
        if not row.good:
            return Prepared({"requestID": "bm9ib2R5"})
        prepared = self._signatures_signHash(row)
        told = self.ask("signatures/signHash", prepared.body | {"operationMode": "A"})
        deadline = time.monotonic() + 30
        body = {"requestID": told["responseID"]}
        while self.post("signatures/signPolling", body, f"Bearer {self.token}").status_code == 202:
            if time.monotonic() > deadline:
                raise NotTried("signPolling answers 202 for more than 30 seconds")
            time.sleep(0.2)
        return Prepared(body, prepared.digest, prepared.credential)

    def _signatures_timestamp(self, _row: Row) -> Prepared:
        return Prepared({"hash": _b64(TIMESTAMPED), "hashAlgo": SHA256})

    def _wait(self, told: dict[str, Any]) -> None:
        seconds = told.get("expiresIn", 3600)
        if seconds > self.given.patience:
            raise NotTried("short SAD")
        time.sleep(seconds + 1)

    def _needed(self, option: str, facility: str) -> str:
        value: str = getattr(self.given, option)
        if not value:
            raise NotTried(facility)
        return value

    def certificate_of(self, credential_id: str) -> Any:
        return read_chain(self.describe(credential_id))[0]


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode()

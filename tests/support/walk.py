"""A signer with a browser that draws nothing: every page is fetched and every form sent over real HTTP.

    alice = Walker("Alice", signapp=instance.base_url, authz=instance.base_url)
    alice.sign_up()
    alice.get_certificate("rsa-2048")
    signed = alice.sign(pdf, name="Lease.pdf")

And `CscClient`, a foreign OAuth client that asks such a signer for approvals and then calls the CSC API itself.
"""

import base64
import json
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urljoin, urlsplit

import httpx

from tests.support.authenticator import Authenticator, b64

PASSWORD = "correct horse battery staple"
SHA256_OID = "2.16.840.1.101.3.4.2.1"
SIGN_ALGO = {"rsa": "1.2.840.113549.1.1.11", "ec": "1.2.840.10045.4.3.2"}
_MOST_REDIRECTS = 12
_STATES = ("signing", "signed", "failed", "prepared", "approving", "ready")


class WalkError(AssertionError):
    """A page was not the one that the signer had to see next."""


def digest_of(text: str) -> bytes:
    return sha256(text.encode()).digest()


def query_of(location: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


class Walker:
    """Somebody with a browser, a password and a passkey; ``http`` holds the browser's cookies."""

    def __init__(self, name: str, *, signapp: str, authz: str) -> None:
        self.name = f"{name} Example"
        self.email = f"{name.lower()}-{secrets.token_hex(4)}@example.org"
        self.signapp = signapp
        self.authz = authz
        self.key = Authenticator(rp_id=urlsplit(authz).hostname or "", origin=authz)
        self.http = httpx.Client(timeout=60, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.http.close()

    # --- A browser's habits -----------------------------------------------------------------------------------

    def open(self, address: str, *, until: str = "") -> httpx.Response:
        """Follows redirects to the page, or up to the address that starts with ``until``, which is not fetched."""
        return self._follow(self.http.get(urljoin(self.signapp, address)), until)

    def send(self, page: httpx.Response, address: str = "", *, until: str = "", **form: Any) -> httpx.Response:
        """Sends a form of ``page``, to itself or to ``address``."""
        target = urljoin(str(page.url), address)
        parts = urlsplit(target)
        values = {"csrfmiddlewaretoken": _hidden(page, "csrfmiddlewaretoken"), **form}
        files = {name: value for name, value in values.items() if isinstance(value, tuple)}
        data = {name: value for name, value in values.items() if not isinstance(value, tuple)}
        headers = {"Origin": f"{parts.scheme}://{parts.netloc}"}
        return self._follow(self.http.post(target, data=data, files=files or None, headers=headers), until)

    def _follow(self, response: httpx.Response, until: str) -> httpx.Response:
        for _ in range(_MOST_REDIRECTS):
            if not response.is_redirect:
                break
            location = urljoin(str(response.url), response.headers["Location"])
            if until and location.startswith(until):
                return response
            response = self.http.get(location)
        if response.status_code != httpx.codes.OK:
            raise WalkError(f"{response.url} answered {response.status_code}: {_words(response)}")
        return response

    # --- At the authorization server ----------------------------------------------------------------------------

    def sign_up(self) -> None:
        page = self.open("/signup?next=/documents")
        page = self.send(page, name=self.name, email=self.email, password=PASSWORD)
        made = self.key.create(passkey_options(page)[0])
        self._arrive(self.send(page, response=json.dumps(made), name="Phone"))

    def log_in(self) -> None:
        """With another browser, so to speak: no cookie is left of the last one."""
        self.http.cookies.clear()
        page = self.open("/login?next=/documents")
        page = self.send(page, email=self.email, password=PASSWORD)
        answer = self.key.get(passkey_options(page)[0])
        self._arrive(self.send(page, response=json.dumps(answer)))

    def _arrive(self, page: httpx.Response) -> None:
        if str(page.url) != f"{self.signapp}/documents":
            raise WalkError(f"{page.url} instead of the documents: {_words(page)}")

    def approve(self, page: httpx.Response, *, until: str = "", password: str = PASSWORD) -> httpx.Response:
        """Password and passkey on a consent page."""
        answer = self.key.get(passkey_options(page)[0])
        form = {"password": password, "reference": _hidden(page, "reference"), "response": json.dumps(answer)}
        return self.send(page, until=until, **form)

    # --- At the signature application -----------------------------------------------------------------------------

    def get_certificate(self, key_algorithm: str = "rsa-2048") -> None:
        page = self.open("/certificates/new?next=/documents")
        page = self.send(page, key_algorithm=key_algorithm, next="/documents")
        self._arrive(self.approve(page))

    def upload(self, pdf: bytes, *, name: str = "Lease.pdf") -> str:
        """The document's path."""
        page = self.send(self.open("/documents"), document=(name, pdf, "application/pdf"))
        path = urlsplit(str(page.url)).path
        if not re.fullmatch(r"/documents/[0-9a-f-]{36}", path):
            raise WalkError(f"{page.url} instead of the document: {_words(page)}")
        return path

    def prepare(self, path: str, *, reason: str = "", credential_id: str | None = None) -> httpx.Response:
        """With the certificate that was made last unless another is named."""
        page = self.open(path)
        chosen = credential_id or _hidden(page, "credential_id")
        return self.send(page, f"{path}/prepare", credential_id=chosen, reason=reason)

    def begin_approval(self, path: str) -> httpx.Response:
        """The consent page."""
        return self.send(self.open(path), f"{path}/approve")

    def state(self, path: str) -> str:
        """The one state of which the page has nothing new to say."""
        for state in _STATES:
            answer = self.http.get(f"{self.signapp}{path}/state", params={"seen": state})
            if answer.status_code == httpx.codes.NO_CONTENT:
                return state
        raise WalkError(f"{path} has no state: {_words(answer)}")

    def wait(self, path: str, *, seconds: float = 180) -> str:
        """The state in which the signing ends."""
        deadline = time.monotonic() + seconds
        while (state := self.state(path)) in {"signing", "approving"} and time.monotonic() < deadline:
            time.sleep(0.1)
        return state

    def download(self, path: str) -> bytes:
        response = self.http.get(f"{self.signapp}{path}/download")
        if response.status_code != httpx.codes.OK:
            raise WalkError(f"the download answered {response.status_code}: {_words(response)}")
        return response.content

    def sign(self, pdf: bytes, *, name: str = "Lease.pdf", reason: str = "", credential_id: str | None = None) -> bytes:
        """The whole way of one document."""
        path = self.upload(pdf, name=name)
        self.prepare(path, reason=reason, credential_id=credential_id)
        self.approve(self.begin_approval(path))
        if (state := self.wait(path)) != "signed":
            raise WalkError(f"the document ended {state}: {_words(self.open(path))}")
        return self.download(path)


def passkey_options(page: httpx.Response) -> list[dict[str, Any]]:
    """What the page's script would give the browser, one for each passkey that may answer."""
    found = re.search(r'<script id="passkey-options" type="application/json">(.*?)</script>', page.text, re.DOTALL)
    if not found:
        raise WalkError(f"{page.url} asks for no passkey: {_words(page)}")
    return [item["options"] for item in json.loads(found[1])]


def _hidden(page: httpx.Response, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    if not found:
        raise WalkError(f"{page.url} has no field {name}: {_words(page)}")
    return found[1]


def _words(page: httpx.Response) -> str:
    """The page as read aloud, shortened."""
    body = re.sub(r"<(script|style|head).*?</\1>", " ", page.text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())[:600]


@dataclass
class CscClient:
    """An application of somebody else: an OAuth client of ``issuer`` that calls the CSC API at ``service``."""

    issuer: str
    service: str
    client_id: str
    secret: str
    redirect_uri: str
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=60, trust_env=False))

    def authorize(
        self, signer: Walker, *, consent: str = "approve", choose: str = "", push: bool = False, **parameters: Any
    ) -> dict[str, str]:
        """Sends the signer's browser through the authorization; the parameters of the token request that follows.
        ``choose`` is the credential that the signer takes, where there is a choice; what is too long for an address is
        pushed (RFC 9126)."""
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "state": state,
            "code_challenge": b64(sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
            **{name: json.dumps(value) if isinstance(value, list) else value for name, value in parameters.items()},
        }
        if push:
            pushed = self.http.post(
                f"{self.issuer}/oauth2/pushed_authorize", data=asked, auth=(self.client_id, self.secret)
            )
            asked = {"client_id": self.client_id, "request_uri": pushed.json()["request_uri"]}
        page = signer.open(str(httpx.URL(f"{self.issuer}/oauth2/authorize", params=asked)))
        if choose:
            page = signer.send(page, answer="choose", credential=choose)
        answered = (
            signer.approve(page, until=self.redirect_uri)
            if consent == "approve"
            else signer.send(page, until=self.redirect_uri, answer="allow")
        )
        if not answered.is_redirect:
            raise WalkError(f"not approved: {_words(answered)}")
        answer = query_of(answered.headers["Location"])
        if (answer.get("state"), answer.get("iss")) != (state, self.issuer):
            raise WalkError(f"an answer to another request: {answer}")
        return {
            "grant_type": "authorization_code",
            "code": answer["code"],
            "code_verifier": verifier,
            "redirect_uri": self.redirect_uri,
        }

    def redeem(self, form: dict[str, str]) -> httpx.Response:
        return self.http.post(f"{self.issuer}/oauth2/token", data=form, auth=(self.client_id, self.secret))

    def log_in(self, signer: Walker) -> str:
        """A service token."""
        token: str = self.redeem(self.authorize(signer, consent="allow", scope="service")).json()["access_token"]
        return token

    def ask(
        self, signer: Walker, credential_id: str, *digests: bytes, hash_type: str = "dtbsr", push: bool = False
    ) -> str:
        """A token of scope ``credential`` (the SAD): these digests, approved by the signer."""
        details = self.details(credential_id, *digests, hash_type=hash_type)
        answer = self.redeem(self.authorize(signer, push=push, **details))
        if answer.status_code != httpx.codes.OK:
            raise WalkError(f"no token: {answer.text}")
        token: str = answer.json()["access_token"]
        return token

    def details(self, credential_id: str, *digests: bytes, hash_type: str = "dtbsr") -> dict[str, Any]:
        items = [{"hash": encode(item), "label": f"{item.hex()[:8]}.pdf", "hashType": hash_type} for item in digests]
        detail = {
            "type": "credential",
            "credentialID": credential_id,
            "numSignatures": len(digests),
            "hashAlgorithmOID": SHA256_OID,
            "documentDigests": items,
        }
        return {"authorization_details": [detail]}

    def call(self, method: str, body: dict[str, Any], bearer: str | None, *, version: int = 2) -> httpx.Response:
        headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        return self.http.post(f"{self.service}/v{version}/{method}", json=body, headers=headers)

    def list_credentials(self, bearer: str) -> list[str]:
        answer = self.call("credentials/list", {}, bearer)
        found: list[str] = answer.json()["credentialIDs"]
        return found

    def sign(
        self, bearer: str, credential_id: str, digests: Sequence[bytes], *, key: str = "ec", **members: Any
    ) -> httpx.Response:
        body = {
            "credentialID": credential_id,
            "hashes": [encode(item) for item in digests],
            "hashAlgorithmOID": SHA256_OID,
            "signAlgo": SIGN_ALGO[key],
        }
        return self.call("signatures/signHash", body | members, bearer)


def encode(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def file_name_of(response: httpx.Response) -> str:
    """RFC 6266, the extended form first."""
    value = response.headers.get("Content-Disposition", "")
    extended = re.search(r"filename\*=utf-8''([^;]+)", value, re.IGNORECASE)
    plain = re.search(r'filename="([^"]*)"', value)
    return unquote(extended[1]) if extended else (plain[1] if plain else "")

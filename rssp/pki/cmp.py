"""A certificate from an outside authority by the Certificate Management Protocol (RFC 4210, RFC 9480).

One transaction: ``p10cr`` with a PKCS#10, ``cp``, ``certConf``, ``pkiConf``; polling while the authority waits. Every
message is protected by a MAC over a shared secret (5.1.3.1), both ways: an answer that is not protected is nobody's
answer. How messages travel is the caller's (`Send`).
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from asn1crypto import core, csr, x509

from rssp.errors import IssuerRefusedError, IssuerUnavailableError, RsspError
from rssp.pki import cmp_messages as messages

Send = Callable[[bytes], bytes]
Wait = Callable[[float], None]
# Called with the certificate and whatever certificates came beside it, all DER; raises to refuse the certificate.
Accept = Callable[[bytes, list[bytes]], None]

_PBM = "1.2.840.113533.7.66.13"
_HASHES = {"2.16.840.1.101.3.4.2.1": "sha256", "2.16.840.1.101.3.4.2.2": "sha384", "2.16.840.1.101.3.4.2.3": "sha512"}
# HMAC with SHA-1 is read, because it is what servers in the field answer with and no collision of SHA-1 helps against a
# MAC; it is never written.
_MACS = {
    "1.2.840.113549.2.9": "sha256",
    "1.2.840.113549.2.10": "sha384",
    "1.2.840.113549.2.11": "sha512",
    "1.2.840.113549.2.7": "sha1",
    "1.3.6.1.5.5.8.1.2": "sha1",
}
_ITERATIONS = 10_000
# A server that names more would only keep us busy; fewer protect nothing (RFC 9481, 6.1).
_FEWEST_ITERATIONS, _MOST_ITERATIONS = 100, 100_000
_MOST_SALT = 128
_ACCEPTED, _GRANTED_WITH_CHANGES, _REJECTION, _WAITING = 0, 1, 2, 3
_LONGEST_WAIT, _MOST_POLLS = 5, 5
_LONGEST_REASON = 200


@dataclass
class CmpTransaction:
    """One certificate's exchange. ``reference`` names the shared secret to the authority (``senderKID``)."""

    secret: bytes = field(repr=False)
    reference: bytes
    send: Send = field(repr=False)
    wait: Wait = field(repr=False)
    _id: bytes = field(default_factory=lambda: secrets.token_bytes(16), init=False, repr=False)
    _their_nonce: bytes | None = field(default=None, init=False, repr=False)

    def request_certificate(self, *, request: bytes, accept: Accept) -> tuple[bytes, list[bytes]]:
        """The certificate for a PKCS#10 (DER), confirmed to the authority, and the certificates that came beside it.

        Raises `IssuerRefusedError` with the authority's reason, `IssuerUnavailableError` if it cannot be understood,
        believed or waited for, or what ``accept`` raises; then the authority is told that the certificate is refused.
        """
        answer = self._exchange("p10cr", csr.CertificationRequest.load(request))
        response, beside = self._read_response(answer)
        for _ in range(_MOST_POLLS):
            if int(response["status"]["status"]) != _WAITING:
                break
            answer = self._poll(int(response["cert_req_id"]))
            response, beside = self._read_response(answer)
        certificate = _read_certificate(response)
        der, number = certificate.dump(), int(response["cert_req_id"])
        try:
            accept(der, beside)
        except RsspError:
            self._confirm(certificate, number, refused=True)
            raise
        self._confirm(certificate, number, refused=False)
        return der, beside

    def _poll(self, number: int) -> messages.Message:
        answer: messages.Message = self._exchange("poll_req", messages.PollReqContent([{"cert_req_id": number}]))
        for _ in range(_MOST_POLLS):
            if answer["body"].name != "poll_rep":
                return answer
            self.wait(min(max(int(answer["body"].chosen[0]["check_after"]), 0), _LONGEST_WAIT))
            answer = self._exchange("poll_req", messages.PollReqContent([{"cert_req_id": number}]))
        raise IssuerUnavailableError("the authority has not decided yet")

    def _read_response(self, answer: messages.Message) -> tuple[messages.CertResponse, list[bytes]]:
        body = answer["body"]
        if body.name != "cp" or len(body.chosen["response"]) != 1:
            raise IssuerUnavailableError("the authority answers something else")
        beside = [item.dump() for item in body.chosen["ca_pubs"] or ()]
        beside += [item.dump() for item in answer["extra_certs"] or ()]
        return body.chosen["response"][0], beside

    def _confirm(self, certificate: x509.Certificate, number: int, *, refused: bool) -> None:
        """RFC 4210, 5.3.18: the hash is the one of the certificate's own signature."""
        name = certificate["signature_algorithm"].hash_algo
        status: dict[str, Any] = {
            "cert_hash": hashlib.new(name, certificate.dump()).digest(),
            "cert_req_id": number,
            "status_info": {"status": _REJECTION if refused else _ACCEPTED},
        }
        answer = self._exchange("cert_conf", messages.CertConfirmContent([status]))
        if answer["body"].name != "pkiconf":
            raise IssuerUnavailableError("the authority answers something else than its confirmation")

    def _exchange(self, kind: str, content: Any) -> Any:
        """Sends one message and returns the answer: of this transaction, fresh, protected, and no error."""
        nonce = secrets.token_bytes(16)
        received = self.send(self._write(kind, content, nonce))
        try:
            answer = messages.Message.load(received, strict=True)
            self._verify(answer, nonce)
            if answer["body"].name == "error":
                _refuse(answer["body"].chosen["status"], answer["body"].chosen["error_details"])
            return answer
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError):
            raise IssuerUnavailableError("the authority's answer cannot be read") from None

    def _write(self, kind: str, content: Any, nonce: bytes) -> bytes:
        nobody = x509.GeneralName("directory_name", x509.Name.build({}))
        parameters = messages.PbmParameter(
            {
                "salt": secrets.token_bytes(16),
                "owf": {"algorithm": "2.16.840.1.101.3.4.2.1"},
                "iteration_count": _ITERATIONS,
                "mac": {"algorithm": "1.2.840.113549.2.9"},
            }
        )
        header: dict[str, Any] = {
            "pvno": 2,
            "sender": nobody,
            "recipient": nobody,
            "message_time": datetime.now(UTC).replace(microsecond=0),
            "protection_alg": {"algorithm": _PBM, "parameters": parameters},
            "sender_kid": self.reference,
            "transaction_id": self._id,
            "sender_nonce": nonce,
        }
        if self._their_nonce is not None:
            header["recip_nonce"] = self._their_nonce
        part = messages.ProtectedPart({"header": header, "body": messages.Body(kind, content)})
        mac = compute_mac(secret=self.secret, parameters=parameters, data=part.dump())
        written: bytes = messages.Message(
            {"header": part["header"], "body": part["body"], "protection": core.OctetBitString(mac)}
        ).dump()
        return written

    def _verify(self, answer: messages.Message, nonce: bytes) -> None:
        header = answer["header"]
        algorithm = header["protection_alg"].native and header["protection_alg"]["algorithm"].native
        if algorithm != _PBM or answer["protection"].native is None:
            raise IssuerUnavailableError("the authority's answer is not protected by the shared secret")
        parameters = messages.PbmParameter.load(header["protection_alg"]["parameters"].dump(), strict=True)
        part = messages.ProtectedPart({"header": header, "body": answer["body"]})
        wanted = compute_mac(secret=self.secret, parameters=parameters, data=part.dump())
        if not hmac.compare_digest(wanted, bytes(answer["protection"])):
            raise IssuerUnavailableError("the authority's answer is not protected by our secret")
        ours = (self._id, nonce)
        if (header["transaction_id"].native, header["recip_nonce"].native) != ours:
            raise IssuerUnavailableError("the authority answers another message")
        self._their_nonce = header["sender_nonce"].native


def compute_mac(*, secret: bytes, parameters: messages.PbmParameter, data: bytes) -> bytes:
    """PasswordBasedMac (RFC 4210, 5.1.3.1). Raises `IssuerUnavailableError` for weak parameters or
    such that only keep us busy."""
    owf, mac = (parameters[name]["algorithm"].dotted for name in ("owf", "mac"))
    iterations, salt = int(parameters["iteration_count"]), bytes(parameters["salt"])
    if owf not in _HASHES or mac not in _MACS:
        raise IssuerUnavailableError("the authority's answer is protected by a weak algorithm")
    if not _FEWEST_ITERATIONS <= iterations <= _MOST_ITERATIONS or len(salt) > _MOST_SALT:
        raise IssuerUnavailableError("the protection's parameters are out of bounds")
    key = secret + salt
    for _ in range(iterations):
        key = hashlib.new(_HASHES[owf], key).digest()
    return hmac.digest(key, data, _MACS[mac])


def _read_certificate(response: messages.CertResponse) -> x509.Certificate:
    status = int(response["status"]["status"])
    if status == _WAITING:
        raise IssuerUnavailableError("the authority has not decided yet")
    if status not in (_ACCEPTED, _GRANTED_WITH_CHANGES):
        _refuse(response["status"], None)
    pair = response["certified_key_pair"]
    if pair.native is None or pair["cert_or_enc_cert"].name != "certificate":
        raise IssuerUnavailableError("the authority's answer holds no certificate")
    return pair["cert_or_enc_cert"].chosen.untag()


def _refuse(status: messages.StatusInfo, details: Any) -> None:
    """The reason is the authority's word: shown as text, cut, without control characters."""
    texts = [*(status["status_string"].native or ()), *((details.native if details else None) or ())]
    failed = sorted(map(str, status["fail_info"].native or ()))
    reason = "; ".join(texts) or f"failure {', '.join(failed)}"
    raise IssuerRefusedError("".join(char for char in reason if char.isprintable())[:_LONGEST_REASON])

"""A certificate from an outside authority by the Certificate Management Protocol (RFC 4210, RFC 9480).

One transaction: ``p10cr`` with a PKCS#10, ``cp``, ``certConf``, ``pkiConf``; polling while the authority waits. Or
``rr`` and ``rp``: that it revoke one. Every message is protected, both ways (`rssp.pki.cmp_protection`): an answer that
is not protected is nobody's answer. How messages travel is the caller's (`Send`).
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from asn1crypto import core, csr, x509
from asn1crypto import crl as x509_crl

from rssp.errors import IssuerRefusedError, IssuerUnavailableError, RsspError
from rssp.pki import cmp_messages as messages
from rssp.pki.cmp_protection import Protection

Send = Callable[[bytes], bytes]
Wait = Callable[[float], None]
# Called with the certificate and whatever certificates came beside it, all DER; raises to refuse the certificate.
Accept = Callable[[bytes, list[bytes]], None]

_ACCEPTED, _GRANTED_WITH_CHANGES, _REJECTION, _WAITING = 0, 1, 2, 3
_LONGEST_WAIT, _MOST_POLLS = 5, 5
_LONGEST_REASON = 200


@dataclass
class CmpTransaction:
    """One certificate's exchange."""

    protection: Protection
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

    def request_revocation(self, *, certificate: bytes, reason: int) -> None:
        """Has the authority revoke a certificate of its own (DER), for a CRLReason (RFC 4210, 5.3.9).

        Raises `IssuerRefusedError` with its reason, `IssuerUnavailableError`.
        """
        tbs = x509.Certificate.load(certificate)["tbs_certificate"]
        which = {"serial_number": tbs["serial_number"].native, "issuer": tbs["issuer"]}
        entry = [{"extn_id": "crl_reason", "extn_value": x509_crl.CRLReason(reason)}]
        answer = self._exchange("rr", messages.RevReqContent([{"cert_details": which, "crl_entry_details": entry}]))
        body = answer["body"]
        if body.name != "rp" or len(body.chosen["status"]) != 1:
            raise IssuerUnavailableError("the authority answers something else")
        status = body.chosen["status"][0]
        if int(status["status"]) == _WAITING:
            raise IssuerUnavailableError("the authority has not decided yet")
        if int(status["status"]) == _REJECTION:
            _refuse(status, None)

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
        members, protect = self.protection.begin()
        header: dict[str, Any] = {
            "pvno": 2,
            "recipient": x509.GeneralName("directory_name", x509.Name.build({})),
            "message_time": datetime.now(UTC).replace(microsecond=0),
            "transaction_id": self._id,
            "sender_nonce": nonce,
        } | members
        if self._their_nonce is not None:
            header["recip_nonce"] = self._their_nonce
        part = messages.ProtectedPart({"header": header, "body": messages.Body(kind, content)})
        whole = {
            "header": part["header"],
            "body": part["body"],
            "protection": core.OctetBitString(protect(part.dump())),
        }
        if beside := self.protection.beside:
            whole["extra_certs"] = messages.Certificates(beside)
        written: bytes = messages.Message(whole).dump()
        return written

    def _verify(self, answer: messages.Message, nonce: bytes) -> None:
        header = answer["header"]
        if not header["protection_alg"].native or answer["protection"].native is None:
            raise IssuerUnavailableError("the authority's answer is not protected")
        part = messages.ProtectedPart({"header": header, "body": answer["body"]})
        self.protection.verify(
            algorithm=header["protection_alg"], data=part.dump(), protection=bytes(answer["protection"])
        )
        ours = (self._id, nonce)
        if (header["transaction_id"].native, header["recip_nonce"].native) != ours:
            raise IssuerUnavailableError("the authority answers another message")
        self._their_nonce = header["sender_nonce"].native


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

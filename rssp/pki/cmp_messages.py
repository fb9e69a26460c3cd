"""The Certificate Management Protocol's messages (RFC 4210, appendix F; RFC 9480), as far as a client sends or reads
them. What was read keeps its bytes, so a protection is computed over what really came.
"""

from asn1crypto import algos, core, crl, csr, x509


class FreeText(core.SequenceOf):  # type: ignore[misc]  # asn1crypto has no types
    _child_spec = core.UTF8String


class InfoTypeAndValue(core.Sequence):  # type: ignore[misc]
    _fields = [("type", core.ObjectIdentifier), ("value", core.Any, {"optional": True})]


class InfoTypesAndValues(core.SequenceOf):  # type: ignore[misc]
    _child_spec = InfoTypeAndValue


class AlgorithmIdentifier(core.Sequence):  # type: ignore[misc]
    _fields = [("algorithm", core.ObjectIdentifier), ("parameters", core.Any, {"optional": True})]


class Header(core.Sequence):  # type: ignore[misc]
    """PKIHeader."""

    _fields = [
        ("pvno", core.Integer),
        ("sender", x509.GeneralName),
        ("recipient", x509.GeneralName),
        ("message_time", core.GeneralizedTime, {"explicit": 0, "optional": True}),
        ("protection_alg", AlgorithmIdentifier, {"explicit": 1, "optional": True}),
        ("sender_kid", core.OctetString, {"explicit": 2, "optional": True}),
        ("recip_kid", core.OctetString, {"explicit": 3, "optional": True}),
        ("transaction_id", core.OctetString, {"explicit": 4, "optional": True}),
        ("sender_nonce", core.OctetString, {"explicit": 5, "optional": True}),
        ("recip_nonce", core.OctetString, {"explicit": 6, "optional": True}),
        ("free_text", FreeText, {"explicit": 7, "optional": True}),
        ("general_info", InfoTypesAndValues, {"explicit": 8, "optional": True}),
    ]


class StatusInfo(core.Sequence):  # type: ignore[misc]
    """PKIStatusInfo: 0 accepted, 1 granted with changes, 2 rejection, 3 waiting."""

    _fields = [
        ("status", core.Integer),
        ("status_string", FreeText, {"optional": True}),
        ("fail_info", core.BitString, {"optional": True}),
    ]


class Certificates(core.SequenceOf):  # type: ignore[misc]
    _child_spec = x509.Certificate


class CertOrEncCert(core.Choice):  # type: ignore[misc]
    _alternatives = [
        ("certificate", x509.Certificate, {"explicit": 0}),
        ("encrypted_cert", core.Any, {"explicit": 1}),
    ]


class CertifiedKeyPair(core.Sequence):  # type: ignore[misc]
    _fields = [
        ("cert_or_enc_cert", CertOrEncCert),
        ("private_key", core.Any, {"explicit": 0, "optional": True}),
        ("publication_info", core.Any, {"explicit": 1, "optional": True}),
    ]


class CertResponse(core.Sequence):  # type: ignore[misc]
    _fields = [
        ("cert_req_id", core.Integer),
        ("status", StatusInfo),
        ("certified_key_pair", CertifiedKeyPair, {"optional": True}),
        ("rsp_info", core.OctetString, {"optional": True}),
    ]


class CertResponses(core.SequenceOf):  # type: ignore[misc]
    _child_spec = CertResponse


class CertRepMessage(core.Sequence):  # type: ignore[misc]
    _fields = [("ca_pubs", Certificates, {"explicit": 1, "optional": True}), ("response", CertResponses)]


class CertStatus(core.Sequence):  # type: ignore[misc]
    _fields = [
        ("cert_hash", core.OctetString),
        ("cert_req_id", core.Integer),
        ("status_info", StatusInfo, {"optional": True}),
        ("hash_alg", algos.DigestAlgorithm, {"explicit": 0, "optional": True}),
    ]


class CertConfirmContent(core.SequenceOf):  # type: ignore[misc]
    _child_spec = CertStatus


class ErrorMsgContent(core.Sequence):  # type: ignore[misc]
    _fields = [
        ("status", StatusInfo),
        ("error_code", core.Integer, {"optional": True}),
        ("error_details", FreeText, {"optional": True}),
    ]


class PollRequest(core.Sequence):  # type: ignore[misc]
    _fields = [("cert_req_id", core.Integer)]


class PollReqContent(core.SequenceOf):  # type: ignore[misc]
    _child_spec = PollRequest


class PollAnswer(core.Sequence):  # type: ignore[misc]
    _fields = [
        ("cert_req_id", core.Integer),
        ("check_after", core.Integer),
        ("reason", FreeText, {"optional": True}),
    ]


class PollRepContent(core.SequenceOf):  # type: ignore[misc]
    _child_spec = PollAnswer


class CertTemplate(core.Sequence):  # type: ignore[misc]
    """RFC 4211, 5: the members that name a certificate that there is."""

    _fields = [
        ("serial_number", core.Integer, {"implicit": 1, "optional": True}),
        ("issuer", x509.Name, {"explicit": 3, "optional": True}),
    ]


class RevDetails(core.Sequence):  # type: ignore[misc]
    _fields = [("cert_details", CertTemplate), ("crl_entry_details", crl.CRLEntryExtensions, {"optional": True})]


class RevReqContent(core.SequenceOf):  # type: ignore[misc]
    _child_spec = RevDetails


class StatusInfos(core.SequenceOf):  # type: ignore[misc]
    _child_spec = StatusInfo


class RevRepContent(core.Sequence):  # type: ignore[misc]
    _fields = [
        ("status", StatusInfos),
        ("rev_certs", core.Any, {"explicit": 0, "optional": True}),
        ("crls", core.Any, {"explicit": 1, "optional": True}),
    ]


class Body(core.Choice):  # type: ignore[misc]
    """PKIBody: the kinds that a request for one certificate, or for its revocation, can meet."""

    _alternatives = [
        ("cp", CertRepMessage, {"explicit": 3}),
        ("p10cr", csr.CertificationRequest, {"explicit": 4}),
        ("rr", RevReqContent, {"explicit": 11}),
        ("rp", RevRepContent, {"explicit": 12}),
        ("pkiconf", core.Null, {"explicit": 19}),
        ("error", ErrorMsgContent, {"explicit": 23}),
        ("cert_conf", CertConfirmContent, {"explicit": 24}),
        ("poll_req", PollReqContent, {"explicit": 25}),
        ("poll_rep", PollRepContent, {"explicit": 26}),
    ]


class ProtectedPart(core.Sequence):  # type: ignore[misc]
    _fields = [("header", Header), ("body", Body)]


class Message(core.Sequence):  # type: ignore[misc]
    """PKIMessage."""

    _fields = [
        ("header", Header),
        ("body", Body),
        ("protection", core.OctetBitString, {"explicit": 0, "optional": True}),
        ("extra_certs", Certificates, {"explicit": 1, "optional": True}),
    ]


class PbmParameter(core.Sequence):  # type: ignore[misc]
    """PBMParameter (RFC 4210, 5.1.3.1)."""

    _fields = [
        ("salt", core.OctetString),
        ("owf", AlgorithmIdentifier),
        ("iteration_count", core.Integer),
        ("mac", AlgorithmIdentifier),
    ]

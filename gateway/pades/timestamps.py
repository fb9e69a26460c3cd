"""Time-stamp queries and tokens (RFC 3161, RFC 5816): what is asked, and what of the answer is believed.

Runs in the parent: an answer is small, and comes from a source that the settings name.
"""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from asn1crypto import algos, cms, tsp
from asn1crypto.x509 import Certificate
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko.sign.validation.status import TimestampSignatureStatus
from pyhanko_certvalidator import ValidationContext

from gateway.errors import TimestampError

# Room in a signature for one token, with the certificates of its unit and of two authorities.
LONGEST_TOKEN = 12 * 1024
_CLOCKS_APART = timedelta(minutes=5)


@dataclass(frozen=True)
class TimestampQuery:
    """A query as it is sent (DER), and what the answer must repeat."""

    der: bytes
    digest: bytes
    hash_name: str
    nonce: int


@dataclass(frozen=True)
class Timestamp:
    """A token that was verified. ``token`` is the DER ContentInfo, ``certificates`` are those in it."""

    token: bytes
    time: datetime
    certificates: tuple[bytes, ...]


def build_query(*, digest: bytes, hash_name: str) -> TimestampQuery:
    """Asks for the unit's certificates too, and holds 64 random bits."""
    nonce = secrets.randbits(63) | (1 << 62)
    imprint = tsp.MessageImprint(
        {"hash_algorithm": algos.DigestAlgorithm({"algorithm": hash_name}), "hashed_message": digest}
    )
    query = tsp.TimeStampReq({"version": 1, "message_imprint": imprint, "nonce": nonce, "cert_req": True})
    return TimestampQuery(query.dump(), digest, hash_name, nonce)


def verify_answer(answer: bytes, *, query: TimestampQuery, anchors: Sequence[bytes], now: datetime) -> Timestamp:
    """The token of an answer, if it is granted, repeats the query, tells this hour, and its signature verifies and
    leads to one of ``anchors`` (DER). Raises `TimestampError`.
    """
    try:
        return _verify(answer, query, anchors, now)
    except TimestampError:
        raise
    except Exception as error:  # noqa: BLE001  (on hostile input the libraries raise nearly anything)
        raise TimestampError(f"The time-stamp cannot be read ({type(error).__name__}).") from None


def _verify(answer: bytes, query: TimestampQuery, anchors: Sequence[bytes], now: datetime) -> Timestamp:
    response = tsp.TimeStampResp.load(answer, strict=True)
    if response["status"]["status"].native not in {"granted", "granted_with_mods"}:
        raise TimestampError("The time-stamping service refused.")
    token = response["time_stamp_token"]
    if len(token.dump()) > LONGEST_TOKEN:
        raise TimestampError("The time-stamp is longer than the room for it.")
    signed: cms.SignedData = token["content"]
    stamp: tsp.TSTInfo = signed["encap_content_info"]["content"].parsed
    imprint = stamp["message_imprint"]
    if imprint["hash_algorithm"]["algorithm"].native != query.hash_name:
        raise TimestampError("The time-stamp is over another kind of digest.")
    if imprint["hashed_message"].native != query.digest:
        raise TimestampError("The time-stamp is over something else.")
    if stamp["nonce"].native != query.nonce:
        raise TimestampError("The time-stamp answers another query.")
    time: datetime = stamp["gen_time"].native
    if abs(time - now) > _CLOCKS_APART:
        raise TimestampError("The time-stamp tells another time than the clock here.")
    _verify_signature(signed, query, anchors, now)
    certificates = tuple(each.chosen.dump() for each in signed["certificates"] if isinstance(each.chosen, Certificate))
    return Timestamp(token.dump(), time, certificates)


def _verify_signature(signed: cms.SignedData, query: TimestampQuery, anchors: Sequence[bytes], now: datetime) -> None:
    context = ValidationContext(
        trust_roots=[Certificate.load(anchor) for anchor in anchors], allow_fetching=False, moment=now
    )
    found = asyncio.run(validate_tst_signed_data(signed, context, lambda _name: query.digest))
    status = TimestampSignatureStatus(**found)
    if not (status.intact and status.valid):
        raise TimestampError("The time-stamp's signature does not verify.")
    names = {attribute["type"].native for attribute in signed["signer_infos"][0]["signed_attrs"]}
    if not names & {"signing_certificate", "signing_certificate_v2"}:
        raise TimestampError("The time-stamp does not name its certificate.")
    if not status.trusted:
        raise TimestampError("The time-stamp's certificate leads to no trust anchor, or is for something else.")

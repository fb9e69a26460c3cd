"""Whether a signer's certificate leads to a trust anchor now, and may sign documents (RFC 5280, 6).

That does not depend on the document, so an answer is remembered for a short while: whoever signs a hundred documents
has one chain. What is trusted is part of the question; an anchor that an operator withdraws is out at once.
"""

import asyncio
import hashlib
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from asn1crypto.x509 import Certificate
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator import CertificateValidator, ValidationContext

from gateway.errors import InvalidSignatureError
from gateway.pades.algorithms import Algorithm
from gateway.pades.lasting import lasts_until

USAGE = KeyUsageConstraints(key_usage={"non_repudiation", "digital_signature"}, match_all_key_usages=False)

_LONGEST_MEMORY = timedelta(seconds=60)
_MOST_REMEMBERED = 256


@dataclass(frozen=True)
class _Answer:
    lasts: datetime
    since: datetime
    until: datetime


_answers: dict[bytes, _Answer] = {}
_lock = threading.Lock()


def verify_chain(*, chain: Sequence[bytes], anchors: Sequence[bytes], algorithm: Algorithm) -> datetime:
    """Until when a signature by the first certificate of ``chain`` lasts (`lasting`) that nothing else proves. All
    certificates are DER.

    Raises `InvalidSignatureError` if no path leads to one of ``anchors``, a certificate is not valid now, is for
    something else, or its key too weak.
    """
    now, question = datetime.now(UTC), _name(chain, anchors, algorithm)
    known = _answers.get(question)
    if known is not None and known.since <= now < known.until:
        return known.lasts
    answer = _find(chain, anchors, algorithm, now)
    with _lock:
        _answers.pop(question, None)
        while len(_answers) >= _MOST_REMEMBERED:
            del _answers[next(iter(_answers))]
        _answers[question] = answer
    return answer.lasts


def forget() -> None:
    """Every answer."""
    with _lock:
        _answers.clear()


def _name(chain: Sequence[bytes], anchors: Sequence[bytes], algorithm: Algorithm) -> bytes:
    digest = hashlib.sha256(algorithm.sign_algo.encode())
    for certificates in (chain, anchors):
        digest.update(b"%d;" % len(certificates))
        for certificate in certificates:
            digest.update(b"%d;" % len(certificate))
            digest.update(certificate)
    return digest.digest()


def _find(chain: Sequence[bytes], anchors: Iterable[bytes], algorithm: Algorithm, now: datetime) -> _Answer:
    try:
        path = asyncio.run(_validate(chain, anchors, algorithm))
    except Exception:  # noqa: BLE001  (of odd certificates the libraries raise nearly anything)
        raise InvalidSignatureError from None
    ends = min(each.not_valid_after for each in path)
    lasts = lasts_until("B-B", signer=[each.dump() for each in path])
    return _Answer(lasts, now, min(now + _LONGEST_MEMORY, ends))


async def _validate(chain: Sequence[bytes], anchors: Iterable[bytes], algorithm: Algorithm) -> list[Certificate]:
    """The certificates of the path, the signer's among them. Raises anything."""
    signer, *others = (Certificate.load(each) for each in chain)
    context = ValidationContext(
        trust_roots=[Certificate.load(anchor) for anchor in anchors], other_certs=others, allow_fetching=False
    )
    policy = context.algorithm_policy
    if not policy.signature_algorithm_allowed(algorithm.mechanism(), None, signer.public_key):
        raise InvalidSignatureError
    path = await CertificateValidator(signer, validation_context=context).async_validate_path()
    if path.pkix_len:
        # Who is an anchor itself is trusted for what it does.
        USAGE.validate(signer)
    return [signer, *path.iter_certs(include_root=True)]

"""One-time passwords: by the clock (RFC 6238), by a challenge (RFC 6287), and at random. Plain Python; time is passed
in, and whoever calls keeps what was used.
"""

import hmac
import secrets

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

DIGITS = 6
STEP_SECONDS = 30
# RFC 6238, 5.2: one step for the way, one for a clock that is behind.
_DRIFT = (-1, 0, 1)
# RFC 6287, 6: HMAC-SHA-1, six digits, a challenge of eight digits.
OCRA_SUITE = "OCRA-1:HOTP-SHA1-6:QN08"
CHALLENGE_DIGITS = 8
_QUESTION_BYTES = 128
SHORTEST_SECRET = 16


def random_digits(count: int) -> str:
    return "".join(secrets.choice("0123456789") for _ in range(count))


def find_totp_step(*, secret: bytes, value: str, now: int) -> int | None:
    """The time step whose password ``value`` is, or None. All steps are compared, whichever fits."""
    totp = TOTP(secret, DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303  (RFC 6238's own, and what authenticators have)
    found = None
    for drift in _DRIFT:
        step = now // STEP_SECONDS + drift
        if hmac.compare_digest(totp.generate(step * STEP_SECONDS), value.encode()):
            found = step
    return found


def answer_challenge(*, secret: bytes, challenge: str) -> str:
    """What a device with this secret shows for ``challenge`` (eight digits; RFC 6287, 5.1)."""
    question = bytes.fromhex(_even(f"{int(challenge):X}")).ljust(_QUESTION_BYTES, b"\0")
    mac = hmac.digest(secret, OCRA_SUITE.encode() + b"\0" + question, "sha1")
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def _even(hexadecimal: str) -> str:
    """Padded on the right, as the RFC's own reference does."""
    return hexadecimal if len(hexadecimal) % 2 == 0 else f"{hexadecimal}0"

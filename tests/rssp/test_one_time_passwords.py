"""One-time passwords against the RFCs' own test values."""

import pytest

from rssp.one_time_passwords import answer_challenge, find_totp_step, random_digits

SECRET = b"12345678901234567890"
# RFC 6238, appendix B (SHA-1, the last six digits).
TOTP = [
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]
# RFC 6287, appendix C.1.
OCRA = ["237653", "243178", "653583", "740991", "608993", "388898", "816933", "224598", "750600", "294470"]


@pytest.mark.parametrize(("now", "value"), TOTP)
def test_a_password_by_the_clock_is_good_one_step_early_and_late(now: int, value: str) -> None:
    step = now // 30
    assert find_totp_step(secret=SECRET, value=value, now=now) == step
    assert find_totp_step(secret=SECRET, value=value, now=now + 30) == step
    assert find_totp_step(secret=SECRET, value=value, now=now - 30) == step
    assert find_totp_step(secret=SECRET, value=value, now=now + 60) is None


@pytest.mark.parametrize("value", ["", "28708", "2870822", "287083", " 287082", "２８７０８２", "é", "\0"])
def test_another_value_is_none(value: str) -> None:
    assert find_totp_step(secret=SECRET, value=value, now=89) is None


def test_the_first_value_of_the_rfc() -> None:
    assert find_totp_step(secret=SECRET, value="287082", now=59) == 1


@pytest.mark.parametrize("digit", range(10))
def test_a_device_answers_a_challenge_as_the_rfc_says(digit: int) -> None:
    assert answer_challenge(secret=SECRET, challenge=str(digit) * 8) == OCRA[digit]


def test_random_digits_are_digits() -> None:
    values = {random_digits(6) for _ in range(200)}
    assert len(values) > 190
    assert all(len(value) == 6 and value.isdigit() for value in values)

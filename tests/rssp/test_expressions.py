"""Expressions over authentication objects: what they mean, and what is refused as ambiguous or malformed."""

from itertools import chain, combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rssp.errors import ExpressionError
from rssp.expressions import join_all, parse_expression

TRUE_FOR: list[tuple[str, list[str]]] = [
    ("PIN", ["PIN", "PIN OTP", "PIN KEY", "PIN OTP KEY"]),
    ("PIN AND OTP", ["PIN OTP", "PIN OTP KEY"]),
    ("PIN OR OTP", ["PIN", "OTP", "PIN OTP", "PIN KEY", "OTP KEY", "PIN OTP KEY"]),
    ("PIN XOR OTP", ["PIN", "OTP", "PIN KEY", "OTP KEY"]),
    ("PIN AND (OTP XOR KEY)", ["PIN OTP", "PIN KEY"]),
    ("(PIN AND OTP) OR KEY", ["KEY", "PIN KEY", "OTP KEY", "PIN OTP", "PIN OTP KEY"]),
    ("(PIN XOR OTP) XOR KEY", ["PIN", "OTP", "KEY", "PIN OTP KEY"]),
    ("PIN OR OTP OR KEY", ["PIN", "OTP", "KEY", "PIN OTP", "PIN KEY", "OTP KEY", "PIN OTP KEY"]),
    (" ( ( PIN ) ) ", ["PIN", "PIN OTP", "PIN KEY", "PIN OTP KEY"]),
]
SETS = [set(each) for each in chain(*(combinations(["PIN", "OTP", "KEY"], size) for size in range(4)))]


@pytest.mark.parametrize(("text", "opening"), TRUE_FOR)
def test_an_expression_is_true_for_these_sets_and_no_others(text: str, opening: list[str]) -> None:
    expression = parse_expression(text)
    expected = [set(each.split()) for each in opening]
    assert [each for each in SETS if expression.evaluate(each)] == [each for each in SETS if each in expected]
    again = parse_expression(str(expression))
    assert [again.evaluate(each) for each in SETS] == [expression.evaluate(each) for each in SETS]


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "()", "PIN AND", "AND PIN", "PIN PIN2", "(PIN", "PIN)", "PIN AND OR OTP", "PIN AND (OTP"),
        *("PIN AND OTP OR KEY", "PIN OR OTP AND KEY", "PIN XOR OTP AND KEY", "PIN XOR OTP XOR KEY"),  # ambiguous
        *("NOT PIN", "not PIN", "PIN and OTP", "PIN & OTP", "PIN; OTP", "1PIN", "PÏN", "PIN\0", "and"),
        *("PIN XOR PIN", "PIN XOR (PIN AND PIN)"),  # never true
        "(" * 17 + "PIN" + ")" * 17,
        "(" * 255,
        "P" * 33,
        " OR ".join(f"O{number}" for number in range(9)),
        "PIN OR " * 60 + "PIN",
    ],
)
def test_what_is_malformed_ambiguous_or_never_true_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_expression(text)


@settings(max_examples=300, deadline=None, database=None)
@given(st.text(alphabet="PINOTXRAD () \n\t", max_size=60) | st.text(max_size=300))
def test_no_text_makes_anything_but_an_expression_or_a_refusal(text: str) -> None:
    try:
        expression = parse_expression(text)
    except ExpressionError:
        return
    assert not expression.evaluate(())
    assert str(parse_expression(str(expression))) == str(expression)


def test_all_of_them_are_joined_by_and() -> None:
    assert str(join_all(["PIN", "OTP"])) == "PIN AND OTP"
    assert str(join_all(["PIN"])) == "PIN"
    assert str(parse_expression("PIN AND (OTP OR KEY)")) == "PIN AND (OTP OR KEY)"

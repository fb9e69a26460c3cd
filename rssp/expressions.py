"""Which authentication objects together open a credential (CSC API v2, 8.3: ``auth.expression``).

    parse_expression("PIN AND (OTP XOR Passkey)").evaluate({"PIN", "OTP"})   # True

The specification gives ``AND``, ``OR`` and ``XOR`` no precedence. So an expression that mixes them needs parentheses,
``XOR`` joins exactly two, and what is written here always has parentheses. Plain Python.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import combinations

from rssp.errors import ExpressionError

OPERATORS = ("AND", "OR", "XOR")
IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
MOST_OPERANDS = 8
LONGEST = 255
_MOST_PARENTHESES = 16
_WORD = re.compile(rf"\s*({IDENTIFIER.pattern}|[()])")


@dataclass(frozen=True)
class Operand:
    """One authentication object's identifier: true where it is given."""

    identifier: str

    def evaluate(self, given: Collection[str]) -> bool:
        return self.identifier in given

    def operands(self) -> frozenset[str]:
        return frozenset({self.identifier})

    def __str__(self) -> str:
        return self.identifier


@dataclass(frozen=True)
class Operation:
    """Two or more parts joined by one operator; ``XOR`` joins two."""

    operator: str
    parts: tuple["Expression", ...]

    def evaluate(self, given: Collection[str]) -> bool:
        values = [part.evaluate(given) for part in self.parts]
        match self.operator:
            case "AND":
                return all(values)
            case "OR":
                return any(values)
        return values[0] is not values[1]

    def operands(self) -> frozenset[str]:
        return frozenset[str]().union(*(part.operands() for part in self.parts))

    def __str__(self) -> str:
        inner = (f"({part})" if isinstance(part, Operation) else str(part) for part in self.parts)
        return f" {self.operator} ".join(inner)


Expression = Operand | Operation


def parse_expression(text: str) -> Expression:
    """Raises `ExpressionError` for what is malformed, ambiguous or true for no set of objects."""
    if len(text) > LONGEST:
        raise ExpressionError("the expression is too long")
    words = list(_split(text))
    if words.count("(") > _MOST_PARENTHESES:
        raise ExpressionError("the expression has too many parentheses")
    expression = _parse(words)
    if words:
        raise ExpressionError(f"the expression does not end before {words[0]!r}")
    named = sorted(expression.operands())
    if len(named) > MOST_OPERANDS:
        raise ExpressionError("the expression names too many objects")
    if not any(expression.evaluate(chosen) for size in range(len(named)) for chosen in combinations(named, size + 1)):
        raise ExpressionError("no set of objects makes the expression true")
    return expression


def join_all(identifiers: Collection[str]) -> Expression:
    """What an absent expression means: all of them."""
    parts = tuple(Operand(each) for each in identifiers)
    return parts[0] if len(parts) == 1 else Operation("AND", parts)


def _split(text: str) -> Iterator[str]:
    at, end = 0, len(text.rstrip())
    while at < end:
        word = _WORD.match(text, at)
        if word is None:
            raise ExpressionError("the expression holds a character that no expression has")
        yield word[1]
        at = word.end()


def _parse(words: list[str]) -> Expression:
    """Takes the longest expression off the front of ``words``."""
    parts = [_parse_part(words)]
    operator = words[0] if words and words[0] in OPERATORS else None
    while words and words[0] in OPERATORS:
        if words.pop(0) != operator:
            raise ExpressionError("mixed operators need parentheses")
        parts.append(_parse_part(words))
    if operator is None:
        return parts[0]
    if operator == "XOR" and len(parts) > 2:
        raise ExpressionError("XOR joins two: more of them need parentheses")
    return Operation(operator, tuple(parts))


def _parse_part(words: list[str]) -> Expression:
    if not words:
        raise ExpressionError("the expression ends too early")
    word = words.pop(0)
    if word == "(":
        inner = _parse(words)
        if not words or words.pop(0) != ")":
            raise ExpressionError("a parenthesis is not closed")
        return inner
    if word == ")" or word.upper() in {*OPERATORS, "NOT"}:
        raise ExpressionError(f"an object's name must stand where {word!r} is")
    return Operand(word)

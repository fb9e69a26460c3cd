"""The report: a line a row, clause by clause, as Markdown or JSON."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from tests.conformance import oauth_tables
from tests.conformance.running import Result
from tests.conformance.tables import CLAUSES as METHOD_CLAUSES

_MARKS = {"passed": "passed", "failed": "**FAILED**", "not tried": "not tried"}

CLAUSES = METHOD_CLAUSES | oauth_tables.CLAUSES


def write_markdown(address: str, results: Sequence[Result]) -> Iterator[str]:
    """Lines of a Markdown document."""
    yield f"# CSC API conformance of {address}"
    for version in sorted({result.version for result in results}):
        mine = [result for result in results if result.version == version]
        counts = Counter(result.verdict for result in mine)
        yield ""
        yield f"## Version {version}"
        yield ""
        yield f"{counts['passed']} passed, {counts['failed']} failed, {counts['not tried']} not tried."
        yield ""
        yield "| clause | method | case | verdict | remark |"
        yield "|---|---|---|---|---|"
        for result in sorted(mine, key=lambda item: _order(item)):
            clause = CLAUSES[result.row.method].get(version, "")
            cells = (clause, result.row.method, result.row.case, _MARKS[result.verdict], result.remark)
            yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _order(result: Result) -> int:
    return list(CLAUSES).index(result.row.method)


def write_json(address: str, results: Sequence[Result]) -> str:
    return json.dumps(
        {
            "address": address,
            "results": [
                {
                    "version": result.version,
                    "clause": CLAUSES[result.row.method].get(result.version, ""),
                    "method": result.row.method,
                    "case": result.row.case,
                    "verdict": result.verdict,
                    "remark": result.remark,
                }
                for result in results
            ],
        },
        indent=2,
    )

"""Tokens and their revocation by OAuth in the CSC API (v1, 8.3.3, 8.3.4; v2, 8.4.4, 8.4.5): one table for both."""

from tests.conformance.rows import Answer, Change, Row, bad, having, without

CLAUSES: dict[str, dict[int, str]] = {
    "oauth2/token": {1: "8.3.3", 2: "8.4.4"},
    "oauth2/revoke": {1: "8.3.4", 2: "8.4.5"},
}
_NOBODY = "bm9ib2R5LWlzc3VlZC10aGlz"
_refresh = having(grant_type="refresh_token", refresh_token=_NOBODY)


def _missing(name: str) -> Answer:
    return bad(f"Missing parameter {name}")


def _invalid(name: str, error: str = "invalid_request") -> Answer:
    return bad(f"Invalid parameter {name}", error=error)


def _client_rows(method: str) -> list[Row]:
    """A client that does not say, or does not prove, who it is."""
    required = Answer(400, "invalid_request", "Client authorization required", or_status=401)
    nameless = Answer(400, "invalid_request", "Missing parameter client_id", or_status=401)
    nobody = having(client_id="nobody-at-all", client_secret="nothing")
    return [
        Row(method, "no client_id and no header", nameless, authorization=None),
        Row(method, "client_id is unknown", _invalid("client_id"), nobody, authorization=None),
        Row(method, "neither secret nor header", required, good="named", authorization=None),
        Row(
            method,
            "client_secret is wrong",
            _invalid("client_secret"),
            having(client_secret="wrong"),
            good="named",
            authorization=None,
        ),
        Row(method, "the header's secret is wrong", _invalid("client_secret"), authorization="wrong client"),
    ]


def _token_row(case: str, answer: Answer, change: Change) -> Row:
    return Row("oauth2/token", case, answer, change, authorization="client")


OAUTH: tuple[Row, ...] = (
    *_client_rows("oauth2/token"),
    _token_row("no grant_type", _missing("grant_type"), without("grant_type")),
    _token_row("an unknown grant_type", _invalid("grant_type"), having(grant_type="implicit")),
    _token_row("the password grant", _invalid("grant_type"), having(grant_type="password")),
    _token_row("no code", _missing("code"), without("code")),
    _token_row("no refresh_token", _missing("refresh_token"), having(grant_type="refresh_token")),
    _token_row("an unknown code", _invalid("code", "invalid_grant"), having()),
    _token_row("an unknown refresh_token", _invalid("refresh_token", "invalid_grant"), _refresh),
    *_client_rows("oauth2/revoke"),
    Row(
        "oauth2/revoke",
        "the header is malformed",
        Answer(401, "invalid_client", "Invalid authorization header"),
        authorization="Basic @@@",
    ),
    Row("oauth2/revoke", "no token", _missing("token"), without("token"), authorization="client"),
    Row(
        "oauth2/revoke",
        "an unknown hint",
        _invalid("token_type_hint"),
        having(token_type_hint="id_token"),
        authorization="client",
    ),
    Row("oauth2/revoke", "an unknown token", bad("Invalid string parameter token"), authorization="client"),
)

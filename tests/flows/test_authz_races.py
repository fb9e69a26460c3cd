"""Races at the authorization server, on PostgreSQL with two web processes: each secret is good once, ends at once."""

from collections import Counter
from typing import Any

import httpx
import pytest

from tests.flows.chain import Chain
from tests.flows.test_parallel import at_once
from tests.support.walk import PASSWORD, Walker

pytestmark = [pytest.mark.instance, pytest.mark.postgresql, pytest.mark.xdist_group("flows-several")]
TURNS = 6


def ask(http: httpx.Client, chain: Chain, method: str, body: dict[str, Any], authorization: Any = None) -> Any:
    how: dict[str, Any] = {"auth": authorization} if isinstance(authorization, tuple) else {}
    if isinstance(authorization, str):
        how = {"headers": {"Authorization": f"Bearer {authorization}"}}
    return http.post(f"{chain.base_url}/csc/v2/auth/{method}", json=body, **how)


def tokens_left(chain: Chain, walker: Walker) -> tuple[int, int]:
    """Access tokens and live refresh tokens of the CSC login's client."""
    counts = []
    for table, live in (("authz_accesstoken", ""), ("authz_refreshtoken", "AND t.revoked IS NULL")):
        sql = (
            f"SELECT count(*) FROM {table} t JOIN authz_user u ON t.user_id = u.id "  # noqa: S608  (our own names)
            f"JOIN authz_application a ON t.application_id = a.id "
            f"WHERE u.email = ? AND a.client_id = 'paraph-csc-login' {live}"
        )
        [(count,)] = chain.rows("authz", sql, walker.email)
        counts.append(count)
    return counts[0], counts[1]


@pytest.fixture
def remembered(several: Chain) -> Any:
    with several.walker("Alice") as walker, httpx.Client(timeout=60, trust_env=False) as http:
        walker.sign_up()

        def log_in() -> dict[str, Any]:
            answer = ask(http, several, "login", {"rememberMe": True}, (walker.email, PASSWORD))
            assert answer.status_code == 200, answer.text
            told: dict[str, Any] = answer.json()
            return told

        yield walker, log_in


def test_a_refresh_token_in_many_hands_ends_the_login(several: Chain, remembered: Any) -> None:
    walker, log_in = remembered
    body = {"refresh_token": log_in()["refresh_token"]}
    statuses = Counter(at_once([lambda http: ask(http, several, "login", body).status_code for _ in range(20)]))
    assert statuses[200] <= 1
    assert statuses[200] + statuses[400] == 20
    assert tokens_left(several, walker) == (0, 0)


@pytest.mark.parametrize("turn", range(TURNS))
def test_a_revocation_beside_renewals_leaves_nothing_alive(several: Chain, remembered: Any, turn: int) -> None:
    walker, log_in = remembered
    told = log_in()
    body = {"refresh_token": told["refresh_token"]}
    revocation = {"token": told["refresh_token"]}
    at_once(
        [
            lambda http: ask(http, several, "login", body).status_code,
            lambda http: ask(http, several, "revoke", revocation, told["access_token"]).status_code,
        ]
    )
    with httpx.Client(timeout=60, trust_env=False) as http:
        # Whoever came second: the bearer may have been swapped away before it could revoke.
        other = log_in()["access_token"]
        ask(http, several, "revoke", revocation, other)
    assert tokens_left(several, walker) == (1, 1)

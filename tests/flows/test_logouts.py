"""A logout at the authorization server reaches signapp by a worker's own call, over HTTP."""

import re
import time

import pytest

from tests.flows.chain import Chain

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("flows-one")]


def test_who_logs_out_at_the_authorization_server_is_logged_out_of_the_pages(chain: Chain) -> None:
    with chain.walker("Alice") as alice, chain.walker("Alice") as at_work:
        alice.sign_up()
        at_work.key, at_work.email = alice.key, alice.email
        at_work.log_in()
        (before,) = chain.rows("signapp", "SELECT count(*) FROM signapp_login WHERE session_id != ''")[0]
        # Without an ID token of hers the server asks first.
        question = alice.open("/authz/oauth2/logout")
        gone = alice.send(question, "/authz/logout")
        assert "You are logged out" in gone.text
        deadline = time.monotonic() + 20  # sooner than signapp would ask by itself
        while time.monotonic() < deadline:
            (now,) = chain.rows("signapp", "SELECT count(*) FROM signapp_login WHERE session_id != ''")[0]
            if now < before:
                break
            time.sleep(0.1)
        assert now == before - 1
        log = chain.instance.var_dir / "log" / "web.log"
        assert re.search(r"the authorization server ended 1 login", log.read_text(errors="replace"))
        assert str(alice.open("/documents").url).startswith(f"{chain.base_url}/authz/login")
        assert str(at_work.open("/documents").url) == f"{chain.base_url}/documents"

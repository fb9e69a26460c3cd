"""A logout at the authorization server reaches signapp by a worker's own call, over HTTP."""

import pytest

from tests.flows.chain import Chain, eventually

pytestmark = [pytest.mark.instance, pytest.mark.xdist_group("flows-one")]


def test_who_logs_out_at_the_authorization_server_is_logged_out_of_the_pages(chain: Chain) -> None:
    with chain.walker("Alice") as alice, chain.walker("Alice") as at_work:
        alice.sign_up()
        at_work.key, at_work.email = alice.key, alice.email
        at_work.log_in()
        mine = "SELECT count(*) FROM signapp_login WHERE session_id != '' AND email = ?"
        assert chain.rows("signapp", mine, alice.email) == [(2,)]
        log, told = chain.instance.var_dir / "log" / "web.log", "the authorization server ended 1 login"
        before = log.read_text(errors="replace").count(told)
        # Without an ID token of hers the server asks first.
        question = alice.open("/authz/oauth2/logout")
        gone = alice.send(question, "/authz/logout")
        assert "You are logged out" in gone.text
        eventually(lambda: log.read_text(errors="replace").count(told) > before)
        assert chain.rows("signapp", mine, alice.email) == [(1,)]
        assert str(alice.open("/documents").url).startswith(f"{chain.base_url}/authz/login")
        assert str(at_work.open("/documents").url) == f"{chain.base_url}/documents"

"""A logout at the authorization server's own pages, and what signapp makes of the logout token that comes of it."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from authz.models import LogoutNotice
from authz.services import ended_logins
from signapp.services import logins
from tests.authz.conftest import Person, alice, bob, clients
from tests.contract.test_signapp_logs_in import log_in, session

__all__ = ["alice", "bob", "clients", "session"]

pytestmark = pytest.mark.django_db(databases=["default", *{"signapp"} & set(settings.DATABASES)], transaction=True)
PATH = "/login/backchannel-logout"


@pytest.mark.parametrize("how", ["/authz/logout", "/authz/sessions/end-all"])
def test_what_authz_tells_ends_signapp_s_login(alice: Person, bob: Person, session: Any, how: str) -> None:
    others = type(session)()
    others.create()
    log_in(alice, session)
    log_in(bob, others)
    alice.browser.post(how)
    notice = LogoutNotice.objects.select_related("application").get()
    assert notice.application.backchannel_logout_uri == settings.SIGNAPP_URL + PATH
    token = ended_logins.write_logout_token(notice=notice)
    assert Client().post(PATH, {"logout_token": token + "x"}).status_code == 400
    assert Client().post(PATH, {"logout_token": token}).status_code == 200
    assert Client().post(PATH, {"logout_token": token}).status_code == 400
    assert logins.read_account(session=session) is None
    assert logins.read_account(session=others) is not None


def test_no_other_client_s_logout_token_ends_it(alice: Person, session: Any) -> None:
    log_in(alice, session)
    alice.browser.post("/authz/logout")
    notice = LogoutNotice.objects.select_related("application").get()
    notice.application.client_id = "paraph-gateway"
    token = ended_logins.write_logout_token(notice=notice)
    assert Client().post(PATH, {"logout_token": token}).status_code == 400

"""An operator's token, from authz to rssp: what one says of it the other reads, and who that makes the caller."""

from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from authz.models import Application, User
from rssp.clients import introspection
from rssp.errors import InvalidTokenError, NotAnOperatorError
from rssp.services.auditing import Origin
from rssp.services.callers import Call
from rssp.services.operator_callers import OperatorCaller, verify_operator
from tests.authz.conftest import Person, Server, alice, clients, server
from tests.authz.test_operator_scope import console, operator, redeem

__all__ = ["alice", "clients", "console", "operator", "server"]

pytestmark = pytest.mark.django_db(databases=["default", *{"rssp"} & set(django_settings.DATABASES)], transaction=True)

either_way = pytest.mark.parametrize("inside", [True, False])
COUNTS = "/rssp/operators/v1/counts"


@pytest.fixture(autouse=True)
def _introspection(request: pytest.FixtureRequest, settings: Any) -> None:
    """Inside the process, as the composition asks, or at the endpoint."""
    if "inside" in request.fixturenames and not request.getfixturevalue("inside"):
        settings.INTROSPECTION = ""


def counted(token: str) -> Any:
    return Client().get(COUNTS, headers={"Authorization": f"Bearer {token}"})


def caller_of(token: str) -> OperatorCaller:
    call = Call(f"Bearer {token}", None, "GET", f"{django_settings.RSSP_URL}{COUNTS}", "")
    return verify_operator(call=call, origin=Origin(request_id="r", address="192.0.2.1"))


@either_way
def test_a_person_is_who_authz_says_they_are(
    server: Server, operator: Person, console: tuple[str, str], settings: Any, inside: bool
) -> None:
    token = redeem(server, operator, console)["access_token"]
    read = introspection.verify_token(token)
    assert (read.username, read.subject) == (operator.email, str(operator.user.sub))
    assert (read.client_id, read.scopes, read.is_client, read.acr) == (console[0], {"operator"}, False, "aal2")
    assert (read.details, read.approval) == (None, None)
    settings.OPERATOR_API_CLIENTS = {}
    with pytest.raises(NotAnOperatorError):
        caller_of(token)
    settings.OPERATOR_API_CLIENTS = {console[0]: ""}
    acting = caller_of(token).operator
    assert (acting.name, acting.subject, acting.client_id) == (operator.email, str(operator.user.sub), console[0])
    assert counted(token).status_code == 200
    for path in ("/csc/v2/credentials/list", "/csc/v1/credentials/list"):
        answer = Client().post(path, "{}", "application/json", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")


@either_way
def test_a_client_is_itself_and_somebody_answers_for_it(
    server: Server, operator: Person, console: tuple[str, str], settings: Any, inside: bool
) -> None:
    form = {"grant_type": "client_credentials", "scope": "operator"}
    token = server.token(form, console).json()["access_token"]
    read = introspection.verify_token(token)
    assert (read.username, read.subject, read.client_id, read.is_client) == ("", console[0], console[0], True)
    settings.OPERATOR_API_CLIENTS = {console[0]: ""}
    with pytest.raises(NotAnOperatorError):
        caller_of(token)
    assert counted(token).status_code == 403
    settings.OPERATOR_API_CLIENTS = {console[0]: str(operator.user.sub)}
    robot, person = caller_of(token).operator, caller_of(redeem(server, operator, console)["access_token"]).operator
    assert (robot.name, robot.subject) == (f"client {console[0]}", person.subject)
    # Four eyes are two people's: these are one.
    assert robot.is_same(name=person.name, subject=person.subject)
    assert counted(token).status_code == 200


@pytest.mark.parametrize("change", ["no operator", "closed", "client"])
def test_what_authz_takes_back_opens_nothing_any_more(
    server: Server, operator: Person, console: tuple[str, str], settings: Any, change: str
) -> None:
    settings.OPERATOR_API_CLIENTS = {console[0]: ""}
    token = redeem(server, operator, console)["access_token"]
    assert counted(token).status_code == 200
    if change == "client":
        Application.objects.filter(client_id=console[0]).update(allowed_scopes="service")
    else:
        changes = {"is_staff": False} if change == "no operator" else {"is_active": False}
        User.objects.filter(pk=operator.user.pk).update(**changes)
    with pytest.raises(InvalidTokenError):
        introspection.verify_token(token)
    assert (counted(token).status_code, counted(token).json()["error"]) == (401, "invalid_token")

"""Every statement that is written once, beside the queryset that it was written from; also run inside an instance."""

from collections.abc import Iterable
from typing import Any

from django.db import router, transaction
from django.db.models import Model

from authz.models import AccessToken, Application
from authz.services import oauth_clients, tokens
from rssp.models import Activation, AuthenticationObject, Credential, Extension
from rssp.services import authorising, credentials, factors, ledger, objects

MISSING: dict[type, Any] = {str: "there is no such thing", int: 987654321}


def _values(model: type[Model], field: str) -> list[Any]:
    return list(model._default_manager.order_by("pk").values_list(field, flat=True)[:5])


def list_statements() -> Iterable[tuple[str, Any, type[Model], list[Any]]]:
    """(name, the statement, the model it is about, arguments that find something if there is anything)."""
    yield "credential", credentials._FIND, Credential, _values(Credential, "credential_id")
    yield "activation", authorising._FIND, Activation, _values(Activation, "sad_checksum")
    yield "extended", authorising._FIND_EXTENDED, Activation, _values(Extension, "sad_checksum")
    yield "locked", ledger._LOCK, Activation, _values(Activation, "pk")
    yield "extensions", ledger._EXTENSIONS, Activation, _values(Activation, "pk")
    yield "slots", ledger._SLOTS, Activation, _values(Activation, "pk")
    yield "objects", objects._LIST, Credential, _values(Credential, "pk")
    yield "held", factors._HOLD, AuthenticationObject, _values(AuthenticationObject, "pk")
    yield "token", tokens._READ, AccessToken, _values(AccessToken, "token_checksum")
    yield "client", oauth_clients._FIND_SECRET, Application, _values(Application, "client_id")


def compare() -> dict[str, int]:
    """How many rows each found; raises `AssertionError` where one finds other rows than its queryset."""
    found = {}
    for name, statement, model, arguments in list_statements():
        count = 0
        kind = type(statement._stand_ins[0])
        for argument in [*arguments, MISSING[kind]]:
            with transaction.atomic(using=router.db_for_write(model)):
                ours = [describe(row) for row in statement.all(argument)]
                theirs = [describe(row) for row in statement._build(argument)]
            assert ours == theirs, name
            count += len(ours)
        found[name] = count
    return found


def describe(row: Any) -> Any:
    """All that the model holds, whose it is, and the models that came with it."""
    if not isinstance(row, Model):
        return bytes(row) if isinstance(row, memoryview) else row
    own = {name: describe(value) for name, value in row.__dict__.items() if name != "_state"}
    state = row._state
    joined = {
        name: describe(other)
        for name, other in state.fields_cache.items()
        if not isinstance(other, Model) or _is_below(row, name)
    }
    return type(row), own, joined, state.adding, state.db


def _is_below(row: Model, name: str) -> bool:
    """Whether the relation leads away from the row, so that following it comes to an end."""
    return any(field.name == name for field in row._meta.concrete_fields)

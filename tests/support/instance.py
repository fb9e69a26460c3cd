"""Whole instances for tests: one process family that serves all roles, or one for each role, over real HTTP.

with start_instance(tmp_path) as instance: ...      # instance.base_url
with start_roles_apart(tmp_path) as instances: ...  # instances["signapp"].base_url
"""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from config.roles import ALL_ROLES
from scripts.instance import Instance, free_port
from tests.support.migrated import copy_databases

# A pool of keys costs each instance some seconds of processor time, and a link in a mail each of its people another;
# who tests them asks for them.
THRIFT = {"KEY_POOL": "", "REGISTRATION": "demonstration=automatic"}
_SHARED_SECRETS = ("SIGNAPP_CLIENT_SECRET", "GATEWAY_CLIENT_SECRET", "RSSP_CLIENT_SECRET", "OPERATORS_CLIENT_SECRET")


@contextmanager
def start_instance(
    folder: Path, roles: str = "all", *, settings: Mapping[str, str] | None = None, port: int = 0, fresh: bool = False
) -> Iterator[Instance]:
    """An instance below ``folder`` that answers, and is ended with the block; at ``port`` if somebody knows it. One of
    all roles begins with databases that are migrated already, unless it is to be ``fresh``."""
    if roles == "all" and not fresh:
        copy_databases(folder, settings or {})
    with Instance(folder, port or free_port(), roles, {**THRIFT, **(settings or {})}) as instance:
        instance.start()
        yield instance


@contextmanager
def start_roles_apart(folder: Path, *, settings: Mapping[str, str] | None = None) -> Iterator[dict[str, Instance]]:
    """Four installations that share nothing but one another's addresses and the client secrets."""
    ports = {role: free_port() for role in ALL_ROLES}
    shared = {
        **THRIFT,
        **{f"{role.upper()}_URL": f"http://localhost:{port}" for role, port in ports.items()},
        **{name: secrets.token_urlsafe(32) for name in _SHARED_SECRETS},
        **(settings or {}),
    }
    with ExitStack() as stack:
        instances = {
            role: stack.enter_context(Instance(folder / role, ports[role], role, shared)) for role in ALL_ROLES
        }
        for instance in instances.values():
            instance.start()
        yield instances

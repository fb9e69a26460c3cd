"""Which roles this process serves, and where each role's rows live.

One database a role, so that roles never share a write lock. Django wants an alias ``default``; it belongs to
authz where authz is served (Django's own tables for operators stand beside the users they are about), else to the first
role served.
"""

from typing import Any

ALL_ROLES = ("signapp", "authz", "gateway", "rssp")


class UnknownRoleError(ValueError):
    """ROLES names something that is not a role."""


def parse_roles(value: str) -> tuple[str, ...]:
    """``all`` or a comma-separated choice of roles, in the order of `ALL_ROLES`."""
    if value.strip() == "all":
        return ALL_ROLES
    wanted = {item.strip() for item in value.split(",") if item.strip()}
    if not wanted or not wanted <= set(ALL_ROLES):
        raise UnknownRoleError(f"ROLES must be 'all' or some of {', '.join(ALL_ROLES)}, not {value!r}")
    return tuple(role for role in ALL_ROLES if role in wanted)


def home_role(roles: tuple[str, ...]) -> str:
    """The role whose database is Django's ``default``."""
    return "authz" if "authz" in roles else roles[0]


def alias_of(role: str, roles: tuple[str, ...]) -> str:
    """The database alias that holds a role's rows."""
    return "default" if role == home_role(roles) else role


class RoleRouter:
    """Sends every model of a role to that role's database and everything else to ``default``."""

    def _alias(self, app_label: str) -> str:
        from django.conf import settings

        roles: tuple[str, ...] = settings.ROLES
        return alias_of(app_label, roles) if app_label in roles else "default"

    def db_for_read(self, model: Any, **_hints: Any) -> str:
        return self._alias(model._meta.app_label)

    def db_for_write(self, model: Any, **_hints: Any) -> str:
        return self._alias(model._meta.app_label)

    def allow_relation(self, first: Any, second: Any, **_hints: Any) -> bool:
        return self._alias(first._meta.app_label) == self._alias(second._meta.app_label)

    def allow_migrate(self, db: str, app_label: str, **_hints: Any) -> bool:
        return db == self._alias(app_label)

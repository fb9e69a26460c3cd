"""Databases: one a role."""

from config.env import database, env_int, env_secret
from config.roles import alias_of
from config.settings.development import secrets_folder
from config.settings.process import ROLES, VAR_DIR

DATABASE_PATIENCE_SECONDS = env_int("DATABASE_PATIENCE_SECONDS", 10)
DATABASES = {
    alias_of(role, ROLES): database(
        env_secret(
            f"DATABASE_URL_{role.upper()}",
            development=secrets_folder,
            make=lambda role=role: f"sqlite://{VAR_DIR}/{role}.sqlite3",  # type: ignore[misc]
        ),
        DATABASE_PATIENCE_SECONDS,
    )
    for role in ROLES
}
DATABASE_ROUTERS = ["config.roles.RoleRouter"]

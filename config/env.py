"""Reading the environment: each reader fails loudly and names the variable.

A secret may be given as ``NAME`` or as a path in ``NAME_FILE``. In development alone a missing secret is
made once and kept under ``var/secrets``; anywhere else it is an error.
"""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit


class ConfigurationError(Exception):
    """The environment does not describe a runnable installation."""


def env_str(name: str, default: str | None = None) -> str:
    """The variable's value, or ``default``; raises `ConfigurationError` where there is neither."""
    value = os.environ.get(name, default)
    if value is None:
        raise ConfigurationError(f"{name} is not set")
    return value


def env_int(name: str, default: int) -> int:
    """A decimal integer."""
    value = os.environ.get(name)
    if value is None:
        return default
    try:
        return int(value)
    except ValueError:
        raise ConfigurationError(f"{name} must be a whole number, not {value!r}") from None


def env_bool(name: str, *, default: bool) -> bool:
    """``1/true/yes/on`` or ``0/false/no/off``, in any case; everything else is an error."""
    value = os.environ.get(name)
    if value is None:
        return default
    match value.strip().lower():
        case "1" | "true" | "yes" | "on":
            return True
        case "0" | "false" | "no" | "off":
            return False
    raise ConfigurationError(f"{name} must be true or false, not {value!r}")


def env_counts(name: str, default: str = "") -> dict[str, int]:
    """``name=number``, comma-separated: how many there shall be of each."""
    counts = {}
    for item in env_list(name, default):
        key, _, number = item.partition("=")
        if not (key.strip() and number.strip().isascii() and number.strip().isdigit()):
            raise ConfigurationError(f"{name} must be a list like 'a=4,b=2', not {item!r}")
        counts[key.strip()] = int(number)
    return counts


def env_list(name: str, default: str = "") -> list[str]:
    """A comma-separated list; blanks around and between items are dropped."""
    return [item.strip() for item in os.environ.get(name, default).split(",") if item.strip()]


def env_pairs(name: str, default: str = "") -> dict[str, str]:
    """``name=word``, comma-separated; the word of a name alone is empty."""
    return dict(item.partition("=")[::2] for item in env_list(name, default))


def random_secret() -> str:
    """256 random bits as base64url: what a generated secret is unless something else is asked for."""
    return secrets.token_urlsafe(32)


def env_secret(name: str, *, development: Path | None = None, make: Callable[[], str] = random_secret) -> str:
    """A secret from ``NAME`` or from the file that ``NAME_FILE`` names.

    ``development`` is the folder in which a missing secret is made and kept, and None outside development,
    where a missing or empty secret raises `ConfigurationError`.
    """
    if value := os.environ.get(name):
        return value
    if path := os.environ.get(f"{name}_FILE"):
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigurationError(f"{name}_FILE cannot be read: {error.strerror}") from None
        if value:
            return value
        raise ConfigurationError(f"{name}_FILE names an empty file")
    if development is None:
        raise ConfigurationError(f"set {name} or {name}_FILE; there is no default outside development")
    return kept_secret(development / name.lower(), make)


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """The file's content, made first where it is missing; safe when several processes start at once."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        fresh.touch(mode=0o600)
        fresh.write_text(make() + "\n", encoding="utf-8")
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text(encoding="utf-8").strip()


def database(url: str, patience: int = 10) -> dict[str, object]:
    """Django's description of ``sqlite:///path`` or ``postgresql://user:password@host:port/name``; a PostgreSQL is
    waited for ``patience`` seconds when it is connected to, when it does not acknowledge, and for a lock.

    SQLite runs with a write-ahead log and takes its write lock at the start of a transaction, so that two
    writers wait for each other instead of failing half way.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return {
            "ENGINE": "config.sqlite",
            "NAME": unquote(parts.path),
            "CONN_MAX_AGE": None,
            # Threads and processes of a test meet in a file as those of an installation do, locks and all.
            "TEST": {"NAME": f"{unquote(parts.path)}.test"},
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
            },
        }
    if parts.scheme in {"postgresql", "postgres"}:
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.lstrip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": unquote(parts.hostname or ""),
            "PORT": str(parts.port or ""),
            "CONN_MAX_AGE": 600,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {
                "connect_timeout": patience,
                "tcp_user_timeout": patience * 1000,
                "options": f"-c lock_timeout={patience}s",
            },
        }
    raise ConfigurationError(f"a database address starts with sqlite:// or postgresql://, not {parts.scheme!r}")

"""The databases of an installation as its first start leaves them when it has migrated, made once and copied: what
migrates costs more than all else that starts an instance.

That an installation makes its own is shown where it is asked for: `tests/config/` starts with empty folders.
"""

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from config.roles import ALL_ROLES
from scripts.instance import ROOT, Instance

_MIGRATE = (
    "from django.conf import settings; from django.core.management import call_command;"
    "[call_command('migrate', database=alias, interactive=False, verbosity=0) for alias in settings.DATABASES]"
)


def copy_databases(var_dir: Path, settings: Mapping[str, str]) -> None:
    """Puts a migrated SQLite file into ``var_dir`` for each role that has no database elsewhere, for all roles at once.
    What is there already is left."""
    made = _made()
    var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    for role in ALL_ROLES:
        wanted = var_dir / f"{role}.sqlite3"
        if f"DATABASE_URL_{role.upper()}" not in settings and not wanted.exists():
            shutil.copy(made / wanted.name, wanted)


def _made() -> Path:
    """The folder that holds them, by what their migrations say; whoever comes first makes it."""
    folder = Path(tempfile.gettempdir()) / f"paraph-migrated-{os.getuid()}" / _key()
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent) as making:
                Instance(Path(making), 1).manage("shell", "-c", _MIGRATE, capture=True)
                ready = Path(making) / "ready"
                ready.mkdir()
                for role in ALL_ROLES:
                    (Path(making) / f"{role}.sqlite3").rename(ready / f"{role}.sqlite3")
                ready.rename(folder)
    return folder


def _key() -> str:
    texts = [path.read_bytes() for path in sorted(ROOT.glob("*/migrations/*.py"))]
    others = [f"{name} {version(name)}" for name in ("django", "django-oauth-toolkit")]
    return sha256(b"\0".join([*texts, *map(str.encode, [sys.version, *others])])).hexdigest()[:32]

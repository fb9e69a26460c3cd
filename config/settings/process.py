"""What this process is: for development or production, which roles it serves, and where it keeps files."""

from pathlib import Path

from config.env import ConfigurationError, env_str
from config.roles import parse_roles

BASE_DIR = Path(__file__).resolve().parents[2]
VAR_DIR = Path(env_str("VAR_DIR", str(BASE_DIR / "var"))).resolve()
ENVIRONMENT = env_str("ENVIRONMENT")
if ENVIRONMENT not in {"development", "production"}:
    raise ConfigurationError("ENVIRONMENT must be 'development' or 'production'")
DEVELOPMENT = ENVIRONMENT == "development"
DEBUG = False
ROLES = parse_roles(env_str("ROLES", "all"))
# "web" serves requests and may call a role it serves in-process; "worker" always goes over HTTP, because
# only a web process that serves rssp may open the HSM token.
PROCESS = env_str("PROCESS", "web")

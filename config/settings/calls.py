"""How one role calls another."""

from config.env import env_int
from config.settings.addresses import role_urls
from config.settings.process import PROCESS, ROLES

# A callable (address) -> httpx.BaseTransport | None; None is httpx's own, over the network.
CLIENT_TRANSPORT = "config.transport.transport_for"
IN_PROCESS_URLS = [role_urls[role] for role in ROLES] if PROCESS == "web" else []
# A callable that answers rssp's introspection where this process serves authz as well; empty: by CLIENT_TRANSPORT.
INTROSPECTION = "config.introspection.introspect" if PROCESS == "web" and {"authz", "rssp"} <= set(ROLES) else ""
CLIENT_TIMEOUT_SECONDS = env_int("CLIENT_TIMEOUT_SECONDS", 30)

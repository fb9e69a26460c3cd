"""The settings. Every variable that they read is described in `.env.example`; `config.env` has the readers.

What everything goes by:

- ``process``: development or production, the roles served, the folders; ``development``: secrets it makes for itself
- ``addresses``: where each role is
- ``oauth``: the issuer of tokens, and the clients that the roles are there
- ``certificates``: what other roles than rssp have to know of them too
- ``calls``: how one role calls another

What Django is told, for all roles:

- ``applications``, ``databases``, ``documents``, ``jobs``, ``mail``, ``logs``
- ``pages``, ``sessions``, ``security``: what browsers see, keep and may do
- ``accounts``, ``passkeys``: who people are, and what they prove it with

What one role alone is told, and exists where that role is served: ``signapp``, ``authz``, ``gateway``, ``rssp``.

A part that needs another imports from it, so their order here means nothing. A part's names without capitals are for
other parts and are no settings.
"""

from config.settings.accounts import *
from config.settings.addresses import *
from config.settings.applications import *
from config.settings.calls import *
from config.settings.certificates import *
from config.settings.databases import *
from config.settings.documents import *
from config.settings.jobs import *
from config.settings.logs import *
from config.settings.mail import *
from config.settings.oauth import *
from config.settings.pages import *
from config.settings.passkeys import *
from config.settings.process import *
from config.settings.process import ROLES
from config.settings.security import *
from config.settings.sessions import *

if "signapp" in ROLES:
    from config.settings.signapp import *
if "authz" in ROLES:
    from config.settings.authz import *
if "gateway" in ROLES:
    from config.settings.gateway import *
if "rssp" in ROLES:
    from config.settings.rssp import *

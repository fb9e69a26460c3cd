"""The web process's entry: all served roles behind one WSGI application."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()

from config.clock import expect_what_was_recorded  # noqa: E402  (Django is set up by now)
from config.patience import bound_statements  # noqa: E402

bound_statements()
expect_what_was_recorded()

"""The worker's entry, and the application that rings it from a web process.

Task messages carry identifiers alone: what is to be done stands in the database.
"""

import os

from celery import Celery
from django.conf import settings
from kombu.transport import TRANSPORT_ALIASES

from config import broker

if not settings.configured:
    # Imported first of all: this is a worker. A web process loaded its settings before.
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ.setdefault("PROCESS", "worker")

TRANSPORT_ALIASES[broker.SCHEME] = f"{broker.__name__}:Transport"
app = Celery("paraph")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# In every thread, not only in the one that imports this.
app.set_default()

"""The worker's entry. Task messages carry identifiers alone: what is to be done stands in the database."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("PROCESS", "worker")

app = Celery("paraph")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

"""The role as a Django app."""

from django.apps import AppConfig


class RsspConfig(AppConfig):
    name = "rssp"
    default_auto_field = "django.db.models.BigAutoField"

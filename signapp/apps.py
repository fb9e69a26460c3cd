"""The role as a Django app."""

from django.apps import AppConfig


class SignappConfig(AppConfig):
    name = "signapp"
    default_auto_field = "django.db.models.BigAutoField"

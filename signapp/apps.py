"""The role as a Django app."""

from django.apps import AppConfig


class SignappConfig(AppConfig):
    name = "signapp"
    verbose_name = "Signature application"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from signapp import checks  # noqa: F401  (registers the checks)

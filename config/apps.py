"""The composition's own Django app: management commands, deployment checks, and how the product looks and is called."""

from django.apps import AppConfig


class ComposedConfig(AppConfig):
    name = "config"
    verbose_name = "Product"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from config import (
            celery,  # noqa: F401  (the application that tasks are sent through)
            checks,  # noqa: F401  (registers the checks)
        )

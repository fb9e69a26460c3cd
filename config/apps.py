"""The composition's own Django app: it brings management commands and deployment checks, no models."""

from django.apps import AppConfig


class ComposedConfig(AppConfig):
    name = "config"
    verbose_name = "Paraph"

    def ready(self) -> None:
        from config import (
            celery,  # noqa: F401  (the application that tasks are sent through)
            checks,  # noqa: F401  (registers the checks)
        )

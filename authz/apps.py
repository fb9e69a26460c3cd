"""The role as a Django app."""

from django.apps import AppConfig


class AuthzConfig(AppConfig):
    name = "authz"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Authorization server"

    def ready(self) -> None:
        from authz import admin, checks  # noqa: F401  (importing checks registers them)

        admin.guard_site()

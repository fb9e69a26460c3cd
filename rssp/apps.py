"""The role as a Django app."""

from django.apps import AppConfig


class RsspConfig(AppConfig):
    name = "rssp"
    verbose_name = "Remote signing service"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from rssp import checks  # noqa: F401  (importing checks registers them)

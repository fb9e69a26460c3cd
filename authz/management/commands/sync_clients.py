"""``manage.py sync_clients``: this installation's OAuth clients follow its settings."""

from typing import Any

from django.core.management.base import BaseCommand

from authz.services.oauth_clients import sync_clients


class Command(BaseCommand):
    help = "Makes this installation's own OAuth clients what the settings say. Safe to run at every start."

    def handle(self, *args: Any, **options: Any) -> None:
        for application in sync_clients():
            self.stdout.write(f"{application.client_id}: {application.redirect_uris or 'no redirect URI'}")

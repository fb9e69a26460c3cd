"""``manage.py create_client``: registers a foreign OAuth client."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from authz.errors import AuthzError
from authz.services.oauth_clients import create_client


class Command(BaseCommand):
    help = "Registers an OAuth client that is not part of this installation, and tells its secret once, as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="shown to users on the consent page")
        parser.add_argument("--redirect-uri", action="append", default=[], help="compared exactly; may be repeated")
        parser.add_argument("--public", action="store_true", help="a client that can keep no secret")
        parser.add_argument(
            "--may-act-alone", action="store_true", help="tokens without a user, for seals; needs no redirect URI"
        )
        parser.add_argument(
            "--may-use-gateway", action="store_true", help="tokens for the gateway's API too, not for the CSC API alone"
        )
        parser.add_argument(
            "--may-operate", action="store_true", help="tokens for the operators' API alone (docs/operators-api.md)"
        )
        parser.add_argument("--client-id", default="", help="instead of a random one")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            application, secret = create_client(
                name=options["name"],
                redirect_uris=options["redirect_uri"],
                is_public=options["public"],
                client_id=options["client_id"],
                may_act_alone=options["may_act_alone"],
                may_use_gateway=options["may_use_gateway"],
                may_operate=options["may_operate"],
            )
        except AuthzError as error:
            raise CommandError(str(error)) from None
        told = {
            "client_id": application.client_id,
            "client_secret": secret,
            "redirect_uris": options["redirect_uri"],
            "pkce_required": True,
        }
        self.stdout.write(json.dumps(told, indent=2))

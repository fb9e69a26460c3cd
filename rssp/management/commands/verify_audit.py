"""``manage.py verify_audit``: whether an entry of the audit was deleted, changed, reordered or inserted."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from rssp.services.audit_verification import verify_audit

_MOST = 20


class Command(BaseCommand):
    help = (
        "Verifies the audit's chains, checkpoints and intents, and names the first place that is not as it was written."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        entries, findings = verify_audit()
        if findings:
            for finding in findings[1:_MOST]:
                self.stdout.write(f"entry {finding.sequence}: {finding.what}")
            first = findings[0]
            raise CommandError(f"{len(findings)} findings; the first at entry {first.sequence}: {first.what}.")
        self.stdout.write(f"{entries} entries, all as they were written.")

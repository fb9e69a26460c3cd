"""The record of what was done with keys, and what was refused. Rows are added and never changed."""

from typing import Any, NoReturn

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class AppendOnlyError(TypeError):
    """Somebody tried to change or remove an entry of the audit."""


class AppendOnlyQuerySet(models.QuerySet["AuditEvent"]):
    def update(self, **values: Any) -> NoReturn:
        raise AppendOnlyError("the audit is never changed")

    def delete(self) -> NoReturn:
        raise AppendOnlyError("nothing is removed from the audit")


class AuditEvent(models.Model):
    """Who, with which factors, with which credential, over what, through which client, when, from where, with what
    result. ``sequence`` gives the order, whatever a clock did."""

    class Action(models.TextChoices):
        SIGN = "sign", _("sign")
        AUTHORISE = "authorise", _("authorise")
        EXTEND = "extend", _("extend")
        CREATE = "create credential", _("create a credential")
        END = "end credential", _("end a credential")
        BIND = "change passkeys", _("change a credential's passkeys")
        ADMINISTER = "administer", _("administer")

    class Result(models.TextChoices):
        SIGNED = "signed", _("signed")
        UNKNOWN = "outcome unknown", _("outcome unknown")
        NOT_ASKED = "not asked", _("the HSM was not asked")
        REFUSED = "refused", _("refused")
        REPLAY = "replay", _("replay refused")
        TAMPERED = "tampered", _("tampering found")
        UNAVAILABLE = "unavailable", _("HSM unavailable")
        REQUESTED = "requested", _("requested")
        CREATED = "created", _("created")
        FAILED = "failed", _("failed")
        DONE = "done", _("done")

    sequence = models.BigAutoField(primary_key=True)
    happened = models.DateTimeField(default=timezone.now)
    action = models.CharField(max_length=32, choices=Action.choices)
    result = models.CharField(max_length=32, choices=Result.choices)
    issuer = models.CharField(max_length=255, default="", blank=True)
    subject = models.CharField(max_length=255, default="", blank=True)
    factors = models.CharField(max_length=64, default="", blank=True)
    client_id = models.CharField(max_length=255, default="", blank=True)
    credential_id = models.CharField(max_length=255, default="", blank=True)
    activation = models.CharField(max_length=64, default="", blank=True)  # the authorisation's nonce
    call = models.UUIDField(null=True, blank=True)
    hash_algorithm_oid = models.CharField(max_length=64, default="", blank=True)
    digest = models.CharField(max_length=128, default="", blank=True)
    reason = models.CharField(max_length=255, default="", blank=True)
    address = models.CharField(max_length=64, default="", blank=True)
    request_id = models.CharField(max_length=32, default="", blank=True)
    # The place in the chain of the thread that wrote it, and a code over all of this and the code before it.
    chain = models.UUIDField(null=True, blank=True)
    number = models.BigIntegerField(null=True, blank=True)  # from 0
    mac = models.CharField(max_length=96, default="", blank=True)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["credential_id", "sequence"], name="rssp_audit_credential")]
        constraints = [models.UniqueConstraint(fields=["chain", "number"], name="rssp_audit_chain")]

    def __str__(self) -> str:
        return f"{self.sequence}: {self.action}, {self.result}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnlyError("the audit is never changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError("nothing is removed from the audit")


class AuditCheckpoint(models.Model):
    """Where the audit's chains ended at a moment. Rows are added and never changed."""

    number = models.BigIntegerField(primary_key=True)  # from 1
    happened = models.DateTimeField(default=timezone.now)
    through = models.BigIntegerField()  # the highest sequence that was seen
    heads = models.JSONField()  # [chain, number, sequence, mac] of each chain that went on since the last one
    mac = models.CharField(max_length=96)

    def __str__(self) -> str:
        return f"{self.number}, through {self.through}"

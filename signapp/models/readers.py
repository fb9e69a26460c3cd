"""In which language somebody is written to."""

from django.db import models


class Reader(models.Model):
    """The language in which an account last read the pages; a code of ``LANGUAGES``, when it was written."""

    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    language = models.CharField(max_length=16)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="signapp_reader_account")]

    def __str__(self) -> str:
        return str(self.pk)

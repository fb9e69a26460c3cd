"""The addresses that this server answers at."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Face(models.TextChoices):
    """Where a client asked: what began at one face is ended there."""

    OAUTH = "oauth", _("OAuth 2")
    CSC_V1 = "csc-v1", _("CSC API, version 1")
    CSC_V2 = "csc-v2", _("CSC API, version 2")


# Where a view notes in ``request.META`` which face was asked: no header of a client gets this name.
FACE = "paraph.face"

"""Browser sessions, which know their user so that all of them can be ended at once."""

from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils.module_loading import import_string

from authz.models.users import User


class Session(AbstractBaseSession):
    """``session_key`` is the checksum of the cookie's value, so that a copy of this table opens no session."""

    session_key = models.CharField(max_length=64, primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="sessions")
    # What ID tokens call it.
    sid = models.CharField(max_length=43, blank=True)
    browser_name = models.CharField(max_length=60, blank=True)
    address = models.GenericIPAddressField(null=True)
    created = models.DateTimeField()
    seen = models.DateTimeField(auto_now=True)

    class Meta(AbstractBaseSession.Meta):
        abstract = False

    @classmethod
    def get_session_store_class(cls) -> type[SessionBase]:
        # By name: the store stands a layer above the models.
        store: type[SessionBase] = import_string("authz.sessions.SessionStore")
        return store

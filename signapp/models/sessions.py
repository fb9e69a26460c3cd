"""Browser sessions of the pages."""

from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils.module_loading import import_string


class Session(AbstractBaseSession):
    """``session_key`` is the checksum of the cookie's value, so that a copy of this table opens no session."""

    session_key = models.CharField(max_length=64, primary_key=True)

    class Meta(AbstractBaseSession.Meta):
        abstract = False

    @classmethod
    def get_session_store_class(cls) -> type[SessionBase]:
        # By name: the store stands a layer above the models.
        store: type[SessionBase] = import_string("signapp.sessions.SessionStore")
        return store

"""Which time-stamps were issued, to look up."""

from django.contrib import admin

from rssp.admin.base import ReadOnlyAdmin
from rssp.models import Timestamp


@admin.register(Timestamp)
class TimestampAdmin(ReadOnlyAdmin):
    list_display = ["serial_number", "generated", "policy", "imprint", "client_id", "address"]
    list_filter = ["policy", "client_id", "generated"]
    search_fields = ["serial_number", "imprint"]
    date_hierarchy = "generated"

"""The web process's entry: the application, its clock compared and its waiting bounded."""

from config.application import application as application
from config.clock import expect_what_was_recorded
from config.patience import bound_statements

bound_statements()
expect_what_was_recorded()

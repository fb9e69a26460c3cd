"""Numbers that an operator sets: refused where they make no sense, counted at once, and written down."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.test import RequestFactory

from signapp.admin import LimitsAdmin
from signapp.errors import LibraryFullError
from signapp.models import Limits
from signapp.models.limits import range_of
from signapp.services.limits import NAMES, read_limits
from tests.signapp.conftest import Person

SHOWN = LimitsAdmin(Limits, admin.site)


def form_of(**numbers: Any) -> Any:
    row, _made = Limits.objects.get_or_create(pk=1)
    request = RequestFactory().get("/")
    return SHOWN.get_form(request, row, fields=NAMES)(numbers, instance=row)


def test_what_is_empty_is_as_the_settings_say(settings: Any) -> None:
    settings.REMINDER_DAYS = 9
    assert read_limits().reminder_days == 9
    form_of(reminder_days="2").save()
    assert (read_limits().reminder_days, read_limits().keep_days) == (2, 0)
    form_of().save()
    assert read_limits().reminder_days == 9


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["-1", "1000000000", "three", "1.5"])
def test_a_number_that_makes_no_sense_is_refused(name: str, value: str) -> None:
    assert name in form_of(**{name: value}).errors


@pytest.mark.parametrize("name", NAMES)
def test_a_refusal_says_what_may_be_entered_and_the_field_said_it_before(name: str) -> None:
    least, most = range_of(Limits._meta.get_field(name))
    said = f"{least:,} to {most:,}"
    form = form_of(**{name: str(most + 1)})
    assert form.errors[name] == [f"Enter a whole number from {said}, or leave it empty."]
    assert form_of(**{name: "some"}).errors[name] == form.errors[name]
    assert f"{said}. Empty: " in form.fields[name].help_text
    assert not form_of(**{name: str(most)}).errors
    assert not form_of(**{name: str(least)}).errors


def test_every_number_has_its_place_on_the_page() -> None:
    assert {*flatten_fieldsets(SHOWN.fieldsets)} == {*NAMES, "updated"}


def test_nought_is_for_ever_and_for_nothing_else() -> None:
    assert form_of(**dict.fromkeys(NAMES, "0")).errors.keys() == set(NAMES) - {"keep_days"}


def test_the_next_upload_meets_the_new_limit(alice: Person) -> None:
    alice.upload()
    form_of(library_documents="1").save()
    with pytest.raises(LibraryFullError):
        alice.upload()


def test_the_history_says_from_what_to_what_and_each_field_what_holds_without_it(settings: Any) -> None:
    settings.BIN_DAYS = 12
    Limits.objects.create(pk=1, bin_days=5)
    form = form_of(bin_days="", keep_days="400")
    assert form.is_valid()
    message = SHOWN.construct_change_message(RequestFactory().post("/"), form, [])
    assert (
        message
        == "Days in the bin: 5 → as the settings say; Days that ended envelopes are kept: as the settings say → 400"
    )
    assert "Empty: 12" in form.fields["bin_days"].help_text

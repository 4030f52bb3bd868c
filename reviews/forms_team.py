"""The forms of the team's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.models import User
from django.core.validators import RegexValidator
from django.utils.translation import gettext, gettext_lazy

from policies.models import ActionType
from reviews.selectors.team_page import everybody
from reviews.services.second_reviews import LONGEST
from reviews.services.team import MOST_HELD

if TYPE_CHECKING:  # generic in their stubs alone
    _PeopleField = forms.ModelMultipleChoiceField[User]
    _TypeField = forms.ModelChoiceField[ActionType]
else:
    _TypeField = forms.ModelChoiceField
    _PeopleField = forms.ModelMultipleChoiceField


class _People(_PeopleField):
    def label_from_instance(self, obj: User) -> str:
        return obj.get_full_name() or obj.get_username()


class MembersForm(forms.Form):
    """Who belongs to a queue: everybody, or those who are chosen."""

    open_to_all = forms.BooleanField(
        required=False,
        label=gettext_lazy("Everybody"),
        widget=forms.CheckboxInput({"class": "check"}),
    )
    members = _People(
        everybody(),
        required=False,
        label=gettext_lazy("Members"),
        widget=forms.CheckboxSelectMultiple({"class": "check"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["members"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        field.queryset = everybody()


class QueueForm(forms.Form):
    """A new queue: policies name it by its short name."""

    name = forms.CharField(
        max_length=120, label=gettext_lazy("Name"), widget=forms.TextInput({"class": "input"})
    )
    slug = forms.SlugField(
        max_length=60,
        label=gettext_lazy("Short name"),
        help_text=gettext_lazy("Policies name the queue so. It stays as it is."),
        widget=forms.TextInput({"class": "input mono"}),
    )


class ChannelForm(forms.Form):
    """A channel of a queue, by the name of the operator's variable."""

    name = forms.CharField(
        max_length=40,
        label=gettext_lazy("Name of the channel"),
        validators=[RegexValidator(r"\A[A-Z][A-Z0-9_]*\Z", gettext_lazy("Capital letters, digits and _."))],
        widget=forms.TextInput({"class": "input mono"}),
    )


class CapacityForm(forms.Form):
    """How many items at once."""

    most_held = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_HELD,
        label=gettext_lazy("Holds at most"),
        widget=forms.NumberInput({"class": "input"}),
    )


class ShiftForm(forms.Form):
    """When somebody is on duty."""

    weekday = forms.TypedChoiceField(
        choices=[
            ("", gettext_lazy("On a date")),
            ("0", gettext_lazy("Every Monday")),
            ("1", gettext_lazy("Every Tuesday")),
            ("2", gettext_lazy("Every Wednesday")),
            ("3", gettext_lazy("Every Thursday")),
            ("4", gettext_lazy("Every Friday")),
            ("5", gettext_lazy("Every Saturday")),
            ("6", gettext_lazy("Every Sunday")),
        ],
        coerce=int,
        empty_value=None,
        required=False,
        label=gettext_lazy("When"),
        widget=forms.Select({"class": "select"}),
    )
    on_date = forms.DateField(
        required=False, label=gettext_lazy("Date"), widget=forms.DateInput({"class": "input", "type": "date"})
    )
    starts = forms.TimeField(
        label=gettext_lazy("From"), widget=forms.TimeInput({"class": "input", "type": "time"})
    )
    ends = forms.TimeField(
        label=gettext_lazy("Until"),
        help_text=gettext_lazy("At or before its start is on the next day."),
        widget=forms.TimeInput({"class": "input", "type": "time"}),
    )

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if (given.get("weekday") is None) == (given.get("on_date") is None):
            raise forms.ValidationError(gettext("Give a day of the week, or a date."))
        return given


class _ActionType(_TypeField):
    def label_from_instance(self, obj: ActionType) -> str:
        return f"{obj.title} ({obj.name})"


class StartForm(forms.Form):
    """A second person answers after somebody, for a time."""

    action_type = _ActionType(
        ActionType.objects.order_by("name"),
        required=False,
        to_field_name="name",
        empty_label=gettext_lazy("Every action type"),
        label=gettext_lazy("On which answers"),
        widget=forms.Select({"class": "select"}),
    )
    lasts = forms.ChoiceField(
        label=gettext_lazy("Lasts"),
        choices=(
            ("7", gettext_lazy("1 week")),
            ("14", gettext_lazy("2 weeks")),
            ("28", gettext_lazy("4 weeks")),
            (str(LONGEST.days), gettext_lazy("90 days")),
        ),
        initial="28",
        widget=forms.Select({"class": "select"}),
    )
    reason = forms.CharField(
        max_length=400,
        label=gettext_lazy("Why"),
        help_text=gettext_lazy("The person reads it."),
        widget=forms.TextInput({"class": "input", "autocomplete": "off"}),
    )


class EndForm(forms.Form):
    """Why a second review ends before its time."""

    reason = forms.CharField(max_length=400)

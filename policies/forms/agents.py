"""Forms about agents, their keys, and how far they may go alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django import forms
from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from hitl_site.lib import wording
from policies.choices import AGENT_SCOPES, Scope
from policies.models import Agent

if TYPE_CHECKING:  # generic in its stubs alone
    from django_stubs_ext import StrOrPromise

    _PersonField = forms.ModelChoiceField[User]
else:
    _PersonField = forms.ModelChoiceField

_CHECK = {"class": "check"}


class PersonField(_PersonField):
    """A person, shown by name."""

    def label_from_instance(self, obj: User) -> str:
        return obj.get_full_name() or obj.username


class NewAgentForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Part of the digest of everything it proposes; it stays."),
    )
    description = forms.CharField(
        label=_("What it does"),
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"class": "textarea", "rows": 3}),
    )
    owner = PersonField(
        label=_("Owner"),
        queryset=User.objects.none(),
        required=False,
        empty_label=_("Nobody"),
        widget=forms.Select(attrs={"class": "select"}),
        help_text=_("Owners never decide about their own agents."),
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed through
        owner = self.fields["owner"]
        assert isinstance(owner, PersonField)
        owner.queryset = User.objects.filter(is_active=True).order_by("username")


def _limit(label: StrOrPromise, help_text: StrOrPromise) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        required=False,
        min_value=1,
        max_value=10_000_000,
        help_text=help_text,
        widget=forms.NumberInput(attrs={"class": "input num", "inputmode": "numeric"}),
    )


class DetailsForm(forms.Form):
    """Who answers for an agent, what it does, and how much it may send. Empty limits are everybody's."""

    owner = PersonField(
        label=_("Owner"),
        queryset=User.objects.none(),
        required=False,
        empty_label=_("Nobody"),
        widget=forms.Select(attrs={"class": "select"}),
        help_text=_("Owners never decide about their own agents."),
    )
    description = forms.CharField(
        label=_("What it does"),
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"class": "textarea", "rows": 2}),
    )
    rate_per_minute = _limit(_("Requests a minute"), "")
    rate_burst = _limit(_("At once, after a rest"), _("Empty: a sixth of a minute's."))
    max_pending = _limit(_("Actions that wait for a person"), "")

    def __init__(self, *args: object, agent: Agent, **kwargs: object) -> None:
        initial = {
            "owner": agent.owner_id,
            "description": agent.description,
            "rate_per_minute": agent.rate_per_minute,
            "rate_burst": agent.rate_burst,
            "max_pending": agent.max_pending,
        }
        super().__init__(*args, initial=initial, **kwargs)  # type: ignore[misc,arg-type]  # passed through
        owner = self.fields["owner"]
        assert isinstance(owner, PersonField)
        # Somebody who has left stays its owner until another one is named.
        owner.queryset = User.objects.filter(Q(is_active=True) | Q(pk=agent.owner_id)).order_by("username")
        told = gettext("Empty: {number}, as for every agent.")
        for field, usual in (
            ("rate_per_minute", settings.RATE_PER_MINUTE),
            ("max_pending", settings.MAX_PENDING),
        ):
            self.fields[field].help_text = told.format(number=wording.number(usual))


class ReasonForm(forms.Form):
    """A reason, for acts that need nothing else. Each of several on one page has a ``prefix`` of its own."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=2_000,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
        error_messages={"required": _("Say why: others will read it.")},
    )


class KeyForm(forms.Form):
    scopes = forms.MultipleChoiceField(
        label=_("It may"),
        choices=Scope.choices,
        initial=[scope.value for scope in AGENT_SCOPES],
        widget=forms.CheckboxSelectMultiple(attrs=_CHECK),
        error_messages={"required": _("A key without a scope opens nothing: name at least one.")},
    )
    environments = forms.CharField(
        label=_("Environments"),
        required=False,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Apart by commas: production, staging. Empty: every one."),
    )
    addresses = forms.CharField(
        label=_("Addresses"),
        required=False,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Networks it is good from: 192.0.2.0/24, 2001:db8::1. Empty: anywhere."),
    )
    expires_in = forms.TypedChoiceField(
        label=_("It expires"),
        coerce=int,
        empty_value=None,
        required=False,
        choices=[("", _("Never")), ("30", _("In 30 days")), ("90", _("In 90 days")), ("365", _("In a year"))],
        widget=forms.Select(attrs={"class": "select"}),
    )

    def clean_environments(self) -> list[str]:
        """Return the names."""
        names = [name.strip() for name in str(self.cleaned_data["environments"]).split(",")]
        if any(len(name) > 40 for name in names):
            raise forms.ValidationError(_("The name of an environment has at most 40 characters."))
        return [name for name in names if name]

    def clean_addresses(self) -> list[str]:
        """Return the networks as they were typed; the service refuses what is none."""
        return [part.strip() for part in str(self.cleaned_data["addresses"]).split(",") if part.strip()]

    def expires_at(self, now: datetime) -> datetime | None:
        """Return when the key ends."""
        days = self.cleaned_data["expires_in"]
        return now + timedelta(days=days) if days else None


class RotateForm(forms.Form):
    overlap = forms.TypedChoiceField(
        label=_("The old key stays good for"),
        coerce=int,
        choices=[
            ("3600", _("An hour")),
            ("86400", _("A day")),
            ("604800", _("A week")),
            ("0", _("No time: it ends now")),
        ],
        initial="86400",
        widget=forms.Select(attrs={"class": "select"}),
    )

    @property
    def length(self) -> timedelta:
        """Return for how long both are good."""
        return timedelta(seconds=self.cleaned_data["overlap"])

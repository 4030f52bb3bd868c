"""Forms about agents, their keys, and how far they may go alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django import forms
from django.contrib.auth.models import User

from policies.choices import AGENT_SCOPES, AutonomyLevel, Scope
from policies.models import ActionType, Agent, AgentVersion

if TYPE_CHECKING:  # generic in their stubs alone
    _PersonField = forms.ModelChoiceField[User]
    _VersionField = forms.ModelChoiceField[AgentVersion]
else:
    _PersonField = _VersionField = forms.ModelChoiceField

_CHECK = {"class": "check"}


class PersonField(_PersonField):
    """A person, shown by name."""

    def label_from_instance(self, obj: User) -> str:
        return obj.get_full_name() or obj.username


class NewAgentForm(forms.Form):
    name = forms.CharField(
        label="Name",
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off", "spellcheck": "false"}),
        help_text="Part of the digest of everything it proposes; it stays.",
    )
    description = forms.CharField(
        label="What it does",
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"class": "textarea", "rows": 3}),
    )
    owner = PersonField(
        label="Owner",
        queryset=User.objects.none(),
        required=False,
        empty_label="Nobody",
        widget=forms.Select(attrs={"class": "select"}),
        help_text="Owners never decide about their own agents.",
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed through
        owner = self.fields["owner"]
        assert isinstance(owner, PersonField)
        owner.queryset = User.objects.filter(is_active=True).order_by("username")


class ReasonForm(forms.Form):
    """A reason, for acts that need nothing else. Each of several on one page has a ``prefix`` of its own."""

    reason = forms.CharField(
        label="Reason",
        max_length=2_000,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
        error_messages={"required": "Say why: others will read it."},
    )


class KeyForm(forms.Form):
    scopes = forms.MultipleChoiceField(
        label="It may",
        choices=Scope.choices,
        initial=[scope.value for scope in AGENT_SCOPES],
        widget=forms.CheckboxSelectMultiple(attrs=_CHECK),
        error_messages={"required": "A key without a scope opens nothing: name at least one."},
    )
    environments = forms.CharField(
        label="Environments",
        required=False,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off", "spellcheck": "false"}),
        help_text="Apart by commas: production, staging. Empty: every one.",
    )
    expires_in = forms.TypedChoiceField(
        label="It expires",
        coerce=int,
        empty_value=None,
        required=False,
        choices=[("", "Never"), ("30", "In 30 days"), ("90", "In 90 days"), ("365", "In a year")],
        widget=forms.Select(attrs={"class": "select"}),
    )

    def clean_environments(self) -> list[str]:
        """Return the names."""
        names = [name.strip() for name in str(self.cleaned_data["environments"]).split(",")]
        if any(len(name) > 40 for name in names):
            raise forms.ValidationError("The name of an environment has at most 40 characters.")
        return [name for name in names if name]

    def expires_at(self, now: datetime) -> datetime | None:
        """Return when the key ends."""
        days = self.cleaned_data["expires_in"]
        return now + timedelta(days=days) if days else None


class VersionField(_VersionField):
    """A version of the agent, by its label alone: the page is about the agent."""

    def label_from_instance(self, obj: AgentVersion) -> str:
        return obj.label


class GrantForm(forms.Form):
    version = VersionField(
        label="Version",
        queryset=AgentVersion.objects.none(),
        to_field_name="public_id",
        empty_label=None,
        widget=forms.Select(attrs={"class": "select"}),
    )
    action_type = forms.ModelChoiceField(
        label="Action type",
        queryset=ActionType.objects.none(),
        to_field_name="name",
        empty_label="Choose an action type",
        widget=forms.Select(attrs={"class": "select"}),
    )
    level = forms.ChoiceField(
        label="Level",
        choices=[("", "Choose a level"), *AutonomyLevel.choices],
        widget=forms.Select(attrs={"class": "select"}),
    )
    expires_in = forms.TypedChoiceField(
        label="It lapses",
        coerce=int,
        empty_value=None,
        required=False,
        choices=[("7", "In a week"), ("30", "In 30 days"), ("90", "In 90 days"), ("", "Never")],
        initial="30",
        widget=forms.Select(attrs={"class": "select"}),
    )
    reason = forms.CharField(
        label="Reason",
        max_length=2_000,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
        error_messages={"required": "A grant needs a reason: others will read it."},
    )

    def __init__(self, *args: object, agent: Agent, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed through
        version, action_type = self.fields["version"], self.fields["action_type"]
        assert isinstance(version, VersionField)
        assert isinstance(action_type, forms.ModelChoiceField)
        version.queryset = AgentVersion.objects.filter(agent=agent).order_by("-first_seen_at", "-id")
        action_type.queryset = ActionType.objects.order_by("name")

    def expires_at(self, now: datetime) -> datetime | None:
        """Return when the grant lapses."""
        days = self.cleaned_data["expires_in"]
        return now + timedelta(days=days) if days else None

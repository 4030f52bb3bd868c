"""The filters of the trust pages, as they stand in their address."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from urllib.parse import urlencode

from django import forms
from django.utils.translation import gettext_lazy

from policies.models import ActionType, Agent, AgentVersion
from policies.selectors.trust import TrustFilter
from reviews.selectors import trust_items

PERIODS = (("7", gettext_lazy("7 days")), ("30", gettext_lazy("30 days")), ("90", gettext_lazy("90 days")))
DEFAULT_DAYS = "30"


class TrustFilterForm(forms.Form):
    days = forms.ChoiceField(label=gettext_lazy("Period"), required=False, choices=PERIODS)
    type = forms.CharField(label=gettext_lazy("Action type"), required=False, max_length=120)
    agent = forms.ModelChoiceField(
        label=gettext_lazy("Agent"), required=False, queryset=Agent.objects.none(), to_field_name="public_id"
    )
    version = forms.ModelChoiceField(
        label=gettext_lazy("Version"),
        required=False,
        queryset=AgentVersion.objects.none(),
        to_field_name="public_id",
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed through
        agent, version = self.fields["agent"], self.fields["version"]
        assert isinstance(agent, forms.ModelChoiceField)
        assert isinstance(version, forms.ModelChoiceField)
        agent.queryset = Agent.objects.order_by("name")
        version.queryset = AgentVersion.objects.select_related("agent").order_by("agent__name", "-id")

    @property
    def chosen_days(self) -> int:
        """Return the length of the period."""
        return int(self.cleaned_data["days"] or DEFAULT_DAYS)

    @property
    def query(self) -> str:
        """Return the filters as the part of an address that keeps them."""
        return urlencode(self.chosen)

    @property
    def chosen(self) -> dict[str, str]:
        """Return the filters by the names that they have in an address."""
        agent, version = self.cleaned_data["agent"], self.cleaned_data["version"]
        named = {
            "days": str(self.chosen_days),
            "type": self.cleaned_data["type"],
            "agent": agent.public_id if agent else "",
            "version": version.public_id if version else "",
        }
        return {name: value for name, value in named.items() if value}

    def period(self, now: datetime) -> TrustFilter:
        """Return whose actions are counted."""
        return TrustFilter(
            agent=self.cleaned_data["agent"],
            agent_version=self.cleaned_data["version"],
            action_type_name=self.cleaned_data["type"],
            since=now - timedelta(days=self.chosen_days),
            until=now,
        )


class ItemFilterForm(TrustFilterForm):
    state = forms.ChoiceField(
        label=gettext_lazy("What became of it"),
        required=False,
        choices=[("", gettext_lazy("Anything")), *trust_items.STATES.items()],
    )
    trigger = forms.ChoiceField(
        label=gettext_lazy("Why it was held"),
        required=False,
        choices=[
            ("", gettext_lazy("Anything")),
            *((trigger.value, trigger.label) for trigger in trust_items.TRIGGERS),
        ],
    )
    audited = forms.ChoiceField(
        label=gettext_lazy("Routine check"),
        required=False,
        choices=[("", gettext_lazy("Any or none")), *trust_items.AUDITED.items()],
    )

    deadline = forms.ChoiceField(
        label=gettext_lazy("Deadline"),
        required=False,
        choices=[("", gettext_lazy("Any")), *trust_items.DEADLINES.items()],
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), required=False, max_length=60)
    field = forms.CharField(label=gettext_lazy("Field"), required=False, max_length=300)
    incidents = forms.BooleanField(label=gettext_lazy("With an incident"), required=False)
    week = forms.DateField(label=gettext_lazy("Week of"), required=False, input_formats=["%Y-%m-%d"])

    def period(self, now: datetime) -> TrustFilter:
        """Return whose actions are listed: of one week (UTC) where one is asked for."""
        period, week = super().period(now), self.cleaned_data["week"]
        if week is None:
            return period
        since = datetime.combine(week, time(), tzinfo=UTC)
        return replace(period, since=since, until=since + timedelta(days=7))

    def filters(self, now: datetime) -> trust_items.ItemFilter:
        """Return which actions are listed."""
        data = self.cleaned_data
        return trust_items.ItemFilter(
            period=self.period(now),
            state=data["state"],
            trigger=data["trigger"],
            audited=data["audited"],
            deadline=data["deadline"],
            reason=data["reason"],
            field=data["field"],
            incidents=data["incidents"],
        )


class DrillFilterForm(TrustFilterForm):
    """Which answered drills are listed. An agent does not narrow them; its name in the address is kept."""

    outcome = forms.ChoiceField(
        label=gettext_lazy("What came of it"),
        required=False,
        choices=[
            ("", gettext_lazy("Caught or missed")),
            ("caught", gettext_lazy("Caught")),
            ("missed", gettext_lazy("Missed")),
        ],
    )


def action_type_names() -> list[str]:
    """Return what the filter offers: every declared name."""
    return list(ActionType.objects.order_by("name").values_list("name", flat=True))

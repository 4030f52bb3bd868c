"""The form of a stop: first what and why, then the word that proves it was meant."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from policies.choices import KillSwitchScope
from policies.models import ActionType, Agent

EVERYTHING_WORD = "everything"
KEEP, REJECT = "keep", "reject"


class StopForm(forms.Form):
    scope = forms.ChoiceField(
        label=_("What stops"),
        choices=KillSwitchScope.choices,
        widget=forms.RadioSelect(attrs={"class": "check"}),
        error_messages={"required": _("Choose what stops.")},
    )
    agent = forms.ModelChoiceField(
        label=_("Agent"),
        queryset=Agent.objects.none(),
        to_field_name="public_id",
        required=False,
        empty_label=_("Choose an agent"),
        widget=forms.Select(attrs={"class": "select"}),
        help_text=_("Where one agent stops."),
    )
    action_type = forms.ModelChoiceField(
        label=_("Action type"),
        queryset=ActionType.objects.none(),
        to_field_name="name",
        required=False,
        empty_label=_("Choose an action type"),
        widget=forms.Select(attrs={"class": "select"}),
        help_text=_("Where one action type stops."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=2_000,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
        help_text=_("Everybody reads it on top of every page until the stop is lifted."),
        error_messages={"required": _("A stop needs a reason: others will read it.")},
    )

    pending = forms.ChoiceField(
        label=_("What waits for a person"),
        choices=[(KEEP, _("Goes on waiting")), (REJECT, _("Is closed as denied; the agents are told"))],
        initial=KEEP,
        required=False,
        widget=forms.RadioSelect(attrs={"class": "check"}),
    )
    drill = forms.BooleanField(
        label=_("A drill: stop for real, measure how long it takes to hold, and lift it again at once"),
        required=False,
        widget=forms.CheckboxInput(attrs={"class": "check"}),
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed through
        agent, action_type = self.fields["agent"], self.fields["action_type"]
        assert isinstance(agent, forms.ModelChoiceField)
        assert isinstance(action_type, forms.ModelChoiceField)
        agent.queryset = Agent.objects.order_by("name")
        action_type.queryset = ActionType.objects.order_by("name")

    def clean(self) -> dict[str, object]:
        """Keep what the scope names, and nothing besides."""
        data = self.cleaned_data
        scope = data.get("scope")
        for name, wanted in (("agent", KillSwitchScope.AGENT), ("action_type", KillSwitchScope.ACTION_TYPE)):
            if scope == wanted and data.get(name) is None and name not in self.errors:
                self.add_error(name, _("Choose which one."))
            elif scope != wanted:
                data[name] = None
        if data.get("drill") and data.get("pending") == REJECT:
            self.add_error("pending", _("A drill closes nothing: it is over before anybody would notice."))
        return data

    @property
    def rejects(self) -> bool:
        """Say whether what waits is to be closed."""
        return bool(self.cleaned_data["pending"] == REJECT)

    @property
    def word(self) -> str:
        """Return what has to be typed to go on: the name of what stops."""
        data = self.cleaned_data
        named = data["agent"] or data["action_type"]
        return str(named.name) if named else EVERYTHING_WORD

"""The filters of the ledger, as they stand in its address."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from policies.choices import ActorKind
from policies.selectors.ledger import LedgerFilter

_MINUTE = "%Y-%m-%dT%H:%M"
_DAY = "%Y-%m-%d"


class LedgerFilterForm(forms.Form):
    actor = forms.CharField(label=_("Who"), required=False, max_length=200)
    kind = forms.ChoiceField(
        label=_("Kind of actor"), required=False, choices=[("", _("Anybody")), *ActorKind.choices]
    )
    verb = forms.CharField(label=_("What"), required=False, max_length=60)
    object_kind = forms.CharField(label=_("Kind of object"), required=False, max_length=40)
    object = forms.CharField(label=_("Object id"), required=False, max_length=60)
    action = forms.CharField(label=_("Action id"), required=False, max_length=60)
    since = forms.DateTimeField(label=_("From"), required=False, input_formats=[_MINUTE, _DAY])
    until = forms.DateTimeField(label=_("To"), required=False, input_formats=[_MINUTE, _DAY])
    text = forms.CharField(label=_("Text"), required=False, max_length=100)

    def filters(self) -> LedgerFilter:
        """Return what the list shows. Times are those of the viewer's zone; the last minute or day counts."""
        data = self.cleaned_data
        return LedgerFilter(
            actor_name=data["actor"],
            actor_kind=data["kind"],
            verb=data["verb"],
            object_kind=data["object_kind"],
            object_id=data["object"],
            action_id=data["action"],
            text=data["text"],
            since=data["since"],
            until=_end_of(data["until"], whole_day="T" not in str(self.data.get("until", ""))),
        )

    def shown_since(self) -> str:
        """Return the time for its field: browsers take no other form."""
        return self._shown("since")

    def shown_until(self) -> str:
        """Return the time for its field; a day alone is shown with its last minute."""
        return self._shown("until")

    def _shown(self, name: str) -> str:
        moment = self.cleaned_data.get(name) if hasattr(self, "cleaned_data") else None
        if not isinstance(moment, datetime):
            return str(self.data.get(name, ""))
        local = timezone.localtime(moment).replace(tzinfo=None)
        if name == "until" and "T" not in str(self.data.get(name, "")):
            local = local.replace(hour=23, minute=59)
        return local.isoformat(timespec="minutes")


def _end_of(moment: datetime | None, *, whole_day: bool) -> datetime | None:
    if moment is None:
        return None
    try:
        return moment + (timedelta(days=1) if whole_day else timedelta(minutes=1))
    except OverflowError:
        return None  # after the last day of the calendar there is nothing to leave out

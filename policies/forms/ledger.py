"""The filters of the ledger, as they stand in its address."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from django import forms
from django.utils import timezone

from policies.choices import ActorKind
from policies.selectors.ledger import LedgerFilter


class LedgerFilterForm(forms.Form):
    actor = forms.CharField(label="Actor", required=False, max_length=200)
    kind = forms.ChoiceField(
        label="Kind of actor", required=False, choices=[("", "Anybody"), *ActorKind.choices]
    )
    verb = forms.CharField(label="Verb", required=False, max_length=60)
    object = forms.CharField(label="Object id", required=False, max_length=60)
    action = forms.CharField(label="Action id", required=False, max_length=60)
    since = forms.DateField(label="From", required=False)
    until = forms.DateField(label="To", required=False)

    def filters(self) -> LedgerFilter:
        """Return what the list shows. Days begin at midnight in the viewer's zone; the last one counts."""
        data = self.cleaned_data
        last = data["until"]
        return LedgerFilter(
            actor_name=data["actor"],
            actor_kind=data["kind"],
            verb=data["verb"],
            object_id=data["object"],
            action_id=data["action"],
            since=_midnight(data["since"]),
            until=_midnight(last + timedelta(days=1) if last and last < date.max else None),
        )


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time.min, tzinfo=timezone.get_current_timezone())

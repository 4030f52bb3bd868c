"""The forms of a policy's life: publishing it now or at a time, and acts that need a reason alone."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django import forms
from django.utils.translation import gettext_lazy as _

NOW: Final = "now"
LATER: Final = "later"


class PublishForm(forms.Form):
    """Why, and when. ``publish_at`` is a local time in the zone of whoever typed it."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=2_000,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
        error_messages={"required": _("Say why: others will read it.")},
    )
    when = forms.ChoiceField(
        label=_("When"),
        choices=[(NOW, _("Now")), (LATER, _("At a time"))],
        initial=NOW,
        required=False,
        widget=forms.RadioSelect(attrs={"class": "check"}),
    )
    publish_at = forms.DateTimeField(
        label=_("Time"),
        required=False,
        widget=forms.DateTimeInput(
            attrs={"class": "input", "type": "datetime-local"}, format="%Y-%m-%dT%H:%M"
        ),
    )

    def clean(self) -> dict[str, object]:
        """Ask for a time where one was chosen, and forget one that was not."""
        data = self.cleaned_data
        if data.get("when") == LATER:
            if data.get("publish_at") is None and "publish_at" not in self.errors:
                self.add_error("publish_at", _("Say at what time."))
        else:
            data["publish_at"] = None
            self.errors.pop("publish_at", None)
        return data

    @property
    def at(self) -> datetime | None:
        """Return when to publish, None for at once."""
        moment = self.cleaned_data["publish_at"]
        assert moment is None or isinstance(moment, datetime)
        return moment

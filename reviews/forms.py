"""The reviewer's forms: what a browser posted, as values for services. A form never acts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils.translation import gettext, gettext_lazy, ngettext

from reviews.choices import DecisionKind, SkipReason
from reviews.models import Queue
from reviews.selectors.edits import NOTE_LIMIT
from reviews.selectors.workspace import Workspace
from reviews.services.decisions import Answer

_CHECKED_RISKS = frozenset({"high", "critical"})
_MOST_PARTS = 2000  # characters of names of opened parts


class SeenForm(forms.Form):
    """What the page says of how it was read: the opening, and what came into view."""

    token = forms.CharField(max_length=500, required=False)
    seen_end = forms.BooleanField(required=False)
    opened = forms.CharField(max_length=_MOST_PARTS, required=False)
    editing = forms.BooleanField(required=False)

    @property
    def parts_opened(self) -> tuple[str, ...]:
        """Return the names of the parts of the page that were opened."""
        return tuple(name for name in self.cleaned_data["opened"].split(",") if name)


class DecisionForm(forms.Form):
    """A verdict. The arguments and the reasons are in the workspace, which has read them already."""

    kind = forms.ChoiceField(
        choices=DecisionKind.choices, error_messages={"required": gettext_lazy("Choose what to do with it.")}
    )
    note = forms.CharField(max_length=NOTE_LIMIT, required=False, label=gettext_lazy("Note"))
    shown_digest = forms.CharField(max_length=80)
    item_version = forms.IntegerField(min_value=0, max_value=2**31 - 1)

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.workspace = workspace

    def clean(self) -> dict[str, Any]:
        """Refuse what cannot be meant: an approval of a changed form, a verdict past an unread check list."""
        cleaned = super().clean() or {}
        kind, shown = cleaned.get("kind"), self.workspace
        if kind == DecisionKind.APPROVE and shown.changed:
            count = shown.form.changed_count or 1
            said = ngettext(
                "You changed {n} field. Choose Correct to run your version, or reset it.",
                "You changed {n} fields. Choose Correct to run your version, or reset it.",
                count,
            )
            self.add_error(None, said.format(n=count))
        if shown.unticked and kind != DecisionKind.REJECT:
            self.add_error(None, forms.ValidationError(_lines_left(shown.unticked), code="required"))
        unticked = [check for check in shown.checks if not check.checked]
        if unticked and kind != DecisionKind.REJECT and shown.item.risk in _CHECKED_RISKS:
            self.add_error(
                None,
                forms.ValidationError(
                    gettext("Go through the check list before you let this run."), code="checks"
                ),
            )
        return cleaned

    def answer(self) -> Answer:
        """Return the answer that the person gives."""
        kind = DecisionKind(self.cleaned_data["kind"])
        return Answer(
            kind=kind,
            arguments=self.workspace.own.value if kind == DecisionKind.CORRECT else None,
            reasons=self.workspace.own.reasons,
            note=self.cleaned_data["note"].strip(),
            checks=self.workspace.own.required,
        )


class EscalationForm(forms.Form):
    """To whom an item is passed on, and why. A person or a queue, never both."""

    to_user = forms.ModelChoiceField(
        queryset=User.objects.none(),
        required=False,
        label=gettext_lazy("To a person"),
        empty_label=gettext_lazy("Nobody in particular"),
        widget=forms.Select(attrs={"class": "select"}),
    )
    to_queue = forms.ModelChoiceField(
        queryset=Queue.objects.none(),
        required=False,
        label=gettext_lazy("To a queue"),
        empty_label=gettext_lazy("No queue"),
        to_field_name="slug",
        widget=forms.Select(attrs={"class": "select"}),
    )
    note = forms.CharField(
        max_length=NOTE_LIMIT,
        label=gettext_lazy("Why you pass it on"),
        widget=forms.Textarea(attrs={"class": "textarea", "rows": 3}),
        error_messages={"required": gettext_lazy("Say why you pass it on.")},
    )
    item_version = forms.IntegerField(min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)

    def __init__(
        self,
        *args: Any,
        people: QuerySet[User],
        queues: QuerySet[Queue],
        own_agent: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["to_user"].queryset = people  # type: ignore[attr-defined]  # a ModelChoiceField
        self.fields["to_user"].label_from_instance = _name  # type: ignore[attr-defined]  # a ModelChoiceField
        self.fields["to_queue"].queryset = queues  # type: ignore[attr-defined]  # a ModelChoiceField
        if own_agent:
            self.fields["to_user"].help_text = gettext(
                "You own this agent; who decides is not yours to choose."
            )

    def clean(self) -> dict[str, Any]:
        """Ask for exactly one receiver."""
        cleaned = super().clean() or {}
        if bool(cleaned.get("to_user")) == bool(cleaned.get("to_queue")):
            self.add_error("to_user", gettext("Choose a person or a queue, one of the two."))
        return cleaned


class SkipForm(forms.Form):
    """Why a person leaves an item to others."""

    reason = forms.ChoiceField(
        choices=SkipReason.choices,
        label=gettext_lazy("Why do you leave it?"),
        widget=forms.RadioSelect(attrs={"class": "check"}),
        error_messages={"required": gettext_lazy("Choose a reason.")},
    )


def _lines_left(number: int) -> str:
    return ngettext(
        "Tick the check list first: {n} line left. To reject it, nothing needs to be ticked.",
        "Tick the check list first: {n} lines left. To reject it, nothing needs to be ticked.",
        number,
    ).format(n=number)


def _name(person: object) -> str:
    assert isinstance(person, User)
    return person.get_full_name() or person.get_username()

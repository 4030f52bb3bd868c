"""Forms of privacy: whose data, why it is erased, how long it is kept, what is held."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from datasets.choices import DataKind
from datasets.selectors.reach import Whose
from policies.choices import Criterion
from policies.models import ActionType

_INPUT = {"class": "input", "autocomplete": "off"}
_SELECT = {"class": "select"}
LEGAL_BASES = (
    ("", _("Choose the legal basis")),
    (gettext_noop("GDPR Art. 17(1)(a): no longer necessary"), _("No longer necessary, Art. 17(1)(a)")),
    (gettext_noop("GDPR Art. 17(1)(b): consent withdrawn"), _("Consent withdrawn, Art. 17(1)(b)")),
    (gettext_noop("GDPR Art. 17(1)(c): objection"), _("The person objects, Art. 17(1)(c)")),
    (gettext_noop("GDPR Art. 17(1)(d): unlawful processing"), _("Processed unlawfully, Art. 17(1)(d)")),
    (gettext_noop("GDPR Art. 17(1)(e): legal obligation"), _("A legal obligation, Art. 17(1)(e)")),
    (gettext_noop("Other: see the reason"), _("Other, as the reason says")),
)


class WhoseForm(forms.Form):
    """Whose data it is about."""

    by = forms.ChoiceField(
        label=_("Search by"), choices=Criterion.choices, widget=forms.Select(attrs=_SELECT)
    )
    name = forms.CharField(
        label=_("Exactly as agents write it"),
        max_length=200,
        strip=False,
        widget=forms.TextInput(attrs=_INPUT),
        error_messages={"required": _("Write the subject, the conversation or the customer key.")},
    )

    def whose(self) -> Whose:
        """Return whom a valid form names."""
        return Whose(Criterion(self.cleaned_data["by"]), self.cleaned_data["name"])


class ErasureForm(WhoseForm):
    """Why everything of somebody is erased; the name has to be written a second time."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=1000,
        widget=forms.Textarea(attrs={"class": "textarea", "rows": 3}),
        help_text=_("It stays on record for ever: do not name the person in it."),
        error_messages={"required": _("Say why.")},
    )
    legal_basis = forms.ChoiceField(
        label=_("Legal basis"),
        choices=LEGAL_BASES,
        widget=forms.Select(attrs=_SELECT),
        error_messages={"required": _("Choose the legal basis.")},
    )
    again = forms.CharField(
        label=_("Write the name once more"),
        max_length=200,
        strip=False,
        widget=forms.TextInput(attrs=_INPUT),
        help_text=_("Nobody can undo an erasure."),
        error_messages={"required": _("Write the name once more, to be sure.")},
    )

    def clean_again(self) -> str:
        again: str = self.cleaned_data["again"]
        if again != self.cleaned_data.get("name"):
            raise forms.ValidationError(_("This is not the name above."))
        return again


class RuleForm(forms.Form):
    """How long one kind of data is kept."""

    kind = forms.ChoiceField(label=_("Kind"), choices=DataKind.choices, widget=forms.Select(attrs=_SELECT))
    action_type = forms.ChoiceField(
        label=_("Action type"), required=False, widget=forms.Select(attrs=_SELECT)
    )
    keep_days = forms.IntegerField(
        label=_("Days"),
        required=False,
        min_value=1,
        max_value=36_500,
        widget=forms.NumberInput(attrs={"class": "input num"}),
        help_text=_("Empty: for ever."),
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed through
        field = self.fields["action_type"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("All others")), *_names()]


class HoldForm(forms.Form):
    """What is held: all that is named has to be so."""

    action_type = forms.ChoiceField(
        label=_("Action type"), required=False, widget=forms.Select(attrs=_SELECT)
    )
    subject = forms.CharField(
        label=_("Subject"), required=False, max_length=200, strip=False, widget=forms.TextInput(attrs=_INPUT)
    )
    conversation_id = forms.CharField(
        label=_("Conversation"),
        required=False,
        max_length=200,
        strip=False,
        widget=forms.TextInput(attrs=_INPUT),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=1000,
        widget=forms.TextInput(attrs=_INPUT),
        error_messages={"required": _("A hold says why.")},
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed through
        field = self.fields["action_type"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("Any")), *_names()]


def _names() -> list[tuple[str, str]]:
    return [(name, name) for name in ActionType.objects.order_by("name").values_list("name", flat=True)]

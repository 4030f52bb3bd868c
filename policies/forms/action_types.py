"""The form of a declaration. It parses text into values; what may stand is the service's to say."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Final, cast

from django import forms
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from hitl_site.lib import strict_json
from hitl_site.lib.jsonb import from_jsonb
from hitl_site.lib.strict_json import JsonValue
from policies.choices import AutonomyLevel, Risk
from policies.engine import binding
from policies.forms import declaration_evidence_rules as evidence_rules
from policies.forms.binding import (
    read_arguments,
    read_normalised,
    read_pointers,
    unreadable,
    written_normalised,
    written_pointers,
)
from policies.forms.declaration_checks import (
    bulk_field,
    burst_field,
    drill_field,
    read_share,
    second_opinion_field,
    written_share,
)
from policies.forms.declaration_costs import (
    cost_field,
    currency_field,
    read_cost,
    value_field,
    written_cost,
)
from policies.forms.declaration_evidence import evidence_field, read_evidence, written_evidence
from policies.models import ActionType
from policies.selectors.binding_preview import Preview, example_of, preview, written
from policies.selectors.declaration_words import declaration_fault
from policies.services.action_types import DEFAULT_REASON_CODES, Declaration, InvalidActionType

ICONS: Final = (
    ("wrench", _("Tool")),
    ("banknote", _("Money")),
    ("mail", _("Mail")),
    ("message-square", _("Message")),
    ("key-round", _("Access")),
    ("user", _("Person")),
    ("calendar", _("Calendar")),
    ("package", pgettext_lazy("icon", "Order")),
    ("truck", _("Delivery")),
    ("plane", _("Travel")),
    ("file-text", _("Document")),
    ("database", _("Data")),
    ("server", _("Server")),
    ("git-branch", _("Code")),
    ("trash-2", _("Deletion")),
    ("phone", _("Call")),
)
_CHECK: Final = {"class": "check"}


def _text(**attributes: object) -> forms.TextInput:
    return forms.TextInput(attrs={"class": "input", "autocomplete": "off", **attributes})


def _lines(rows: int, *, code: bool = False) -> forms.Textarea:
    classes = "textarea textarea-code" if code else "textarea"
    return forms.Textarea(attrs={"class": classes, "rows": rows, "spellcheck": "false" if code else "true"})


class DeclarationForm(forms.Form):
    """What an operator says of an action type. ``seen`` is the state that the form was filled from."""

    title = forms.CharField(
        label=_("Title"), widget=_text(), help_text=_("What people call it, such as “Issue a refund”.")
    )
    title_template = forms.CharField(
        label=_("Title of one action"),
        required=False,
        widget=_text(spellcheck="false"),
        help_text=_(
            "The sentence in the inbox, made of arguments: Refund {amount} for {order_id}. Without"
            " it the title is shown."
        ),
    )
    icon = forms.ChoiceField(
        label=_("Icon"), choices=ICONS, initial="wrench", widget=forms.RadioSelect(attrs=_CHECK)
    )
    risk = forms.ChoiceField(
        label=_("Risk"),
        choices=Risk.choices,
        initial=Risk.MEDIUM,
        widget=forms.RadioSelect(attrs=_CHECK),
        help_text=_("High: a person approves every one. Critical: two people do."),
    )
    irreversible = forms.BooleanField(
        label=_("It cannot be undone"),
        required=False,
        widget=forms.CheckboxInput(attrs=_CHECK),
        help_text=_("Then its cap is Review all."),
    )
    widens_rights = forms.BooleanField(
        label=_("It can widen the agent’s own rights"),
        required=False,
        widget=forms.CheckboxInput(attrs=_CHECK),
        help_text=_("Then it is never allowed without a person."),
    )
    argument_schema = forms.CharField(
        label=_("Schema of the arguments"),
        required=False,
        strip=False,
        widget=_lines(12, code=True),
        help_text=_(
            "JSON Schema 2020-12. It is the declared scope (what is outside is held) and the reviewer’s"
            " edit form."
        ),
    )
    reason_codes = forms.CharField(
        label=_("Reasons a reviewer can give"),
        widget=_lines(7),
        help_text=_("One a line, code: label. The first nine have the keys 1 to 9."),
    )
    checklist = forms.CharField(
        label=_("Check before you decide"),
        required=False,
        widget=_lines(3),
        help_text=_("One sentence a line; reviewers see them beside the proposal."),
    )
    cluster_pointer = forms.CharField(
        label=_("Actions are one event when they share"),
        required=False,
        widget=_text(spellcheck="false"),
        help_text=_(
            "A JSON pointer into the arguments, such as /order_id. Statistics count an event, not each"
            " action of it."
        ),
    )
    cosmetic_pointers = forms.CharField(
        label=_("Fields that do not matter to an approval"),
        required=False,
        widget=_lines(3, code=True),
        help_text=_(
            "One JSON pointer a line, such as /greeting or /items/*/label; * is every member. Whatever"
            " stands there when it runs, an approval covers it. Not for high and critical risk."
        ),
    )
    normalised_fields = forms.CharField(
        label=_("Texts that are compared in a form"),
        required=False,
        widget=_lines(3, code=True),
        help_text=_(
            "One a line, /iban: remove_spaces upper. Forms: nfc, casefold, trim, collapse_spaces,"
            " remove_spaces, upper, lower, number. Not for high and critical risk."
        ),
    )
    pause_on_mismatch = forms.BooleanField(
        label=_("Stop this action type when something else ran than was decided"),
        required=False,
        widget=forms.CheckboxInput(attrs=_CHECK),
        help_text=_("An incident is opened in any case; a person lifts the stop."),
    )
    example = forms.CharField(
        label=_("Approved arguments"), required=False, strip=False, widget=_lines(10, code=True)
    )
    edited = forms.CharField(
        label=_("What would run"), required=False, strip=False, widget=_lines(10, code=True)
    )
    second_admin = forms.ChoiceField(
        label=_("Publishing its policy takes a second admin"),
        choices=[
            ("", _("By its risk: high and critical do")),
            ("always", _("Always")),
            ("never", _("Never")),
        ],
        required=False,
        widget=forms.Select(attrs={"class": "select"}),
        help_text=_("What loosens takes one person more, whatever is chosen here."),
    )
    autonomy_cap = forms.ChoiceField(
        label=_("Highest level anybody can be granted"),
        widget=forms.Select(attrs={"class": "select"}),
    )
    first_contact_level = forms.ChoiceField(
        label=_("Level of a new agent version"),
        choices=[
            (AutonomyLevel.REVIEW_ALL, _("Review all")),
            (AutonomyLevel.SHADOW, _("Shadow: nothing runs")),
        ],
        widget=forms.Select(attrs={"class": "select"}),
    )
    reading_floor = forms.DecimalField(
        label=_("Reading floor, seconds"),
        min_value=Decimal(0),
        max_value=Decimal(600),
        initial=Decimal(2),
        widget=forms.NumberInput(attrs={"class": "input", "step": "0.1"}),
        help_text=_("An approval that is faster does not count as considered."),
    )
    evidence_sources = evidence_field()
    value_pointer = value_field()
    currency = currency_field()
    cost_of_error = cost_field(
        _("A wrong action costs"), _("On average, when it runs and nobody stopped it.")
    )
    cost_of_review_minute = cost_field(
        _("A minute of review costs"), _("What the time of a reviewer is worth.")
    )
    cost_of_delay = cost_field(_("A held action costs"), _("What waiting for a person costs, on average."))
    error_limit = evidence_rules.error_limit_field()
    material_pointers = evidence_rules.material_field()
    severities = evidence_rules.severities_field()
    evals_required = evidence_rules.evals_field()
    ladder = evidence_rules.ladder_field()
    drill_rate = drill_field()
    drill_burst = burst_field()
    second_opinion_rate = second_opinion_field()
    bulk_cap = bulk_field()
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=2_000,
        widget=_text(),
        help_text=_(
            "What makes it stricter counts at once. What makes it looser waits for somebody else, who"
            " reads this."
        ),
    )
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: object, icon: str = "", **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed through
        icons, cap = self.fields["icon"], self.fields["autonomy_cap"]
        assert isinstance(icons, forms.ChoiceField)
        assert isinstance(cap, forms.ChoiceField)
        if icon and icon not in dict(ICONS):
            # Declared by a command: a choice that is not among ours must not be lost by an edit.
            icons.choices = [*ICONS, (icon, icon)]
        cap.choices = AutonomyLevel.choices

    def clean_argument_schema(self) -> JsonValue:
        """Return the schema, None for an empty field. The same door as the API's: one meaning for all."""
        text = str(self.cleaned_data["argument_schema"])
        if not text.strip():
            return None
        try:
            return strict_json.parse(text.encode("utf-8", "surrogatepass"))
        except strict_json.DoorError as error:
            raise forms.ValidationError(unreadable(error)) from None

    def clean_reason_codes(self) -> list[dict[str, str]]:
        """Return the codes with their labels. Every line that has no colon is named."""
        codes, faults = [], []
        for number, line in enumerate(str(self.cleaned_data["reason_codes"]).splitlines(), start=1):
            code, colon, label = line.partition(":")
            if colon:
                codes.append({"code": code.strip(), "label": label.strip()})
            elif line.strip():
                told = gettext("Line {number} is not of the form code: label.")
                faults.append(told.format(number=number))
        if faults:
            raise forms.ValidationError(faults)
        return codes

    def clean_checklist(self) -> list[str]:
        """Return the sentences."""
        lines = str(self.cleaned_data["checklist"]).splitlines()
        return [line.strip() for line in lines if line.strip()]

    def clean_cosmetic_pointers(self) -> list[str]:
        """Return the pointers."""
        return read_pointers(str(self.cleaned_data["cosmetic_pointers"]))

    def clean_normalised_fields(self) -> dict[str, list[str]]:
        """Return the forms by pointer."""
        return read_normalised(str(self.cleaned_data["normalised_fields"]))

    def clean_material_pointers(self) -> list[str]:
        """Return the pointers."""
        return evidence_rules.read_pointers(str(self.cleaned_data["material_pointers"]))

    def clean_severities(self) -> dict[str, float]:
        """Return the weights by reason."""
        return evidence_rules.read_numbers(str(self.cleaned_data["severities"]))

    def clean_ladder(self) -> dict[str, float]:
        """Return the settings of the ladder that differ."""
        return evidence_rules.read_numbers(str(self.cleaned_data["ladder"]))

    def clean_evidence_sources(self) -> list[dict[str, str]]:
        """Return the sources of evidence."""
        return read_evidence(str(self.cleaned_data["evidence_sources"]))

    def clean_example(self) -> JsonValue:
        """Return the arguments of the preview that were approved."""
        return self._previewed("example")

    def clean_edited(self) -> JsonValue:
        """Return the arguments of the preview that would run."""
        return self._previewed("edited")

    def _previewed(self, field: str) -> JsonValue:
        # An example that cannot be read must not stand in the way of a declaration that is saved.
        return read_arguments(str(self.cleaned_data[field])) if self.previews else None

    @property
    def previews(self) -> bool:
        """Whether the preview was asked for, and nothing is to be saved."""
        return "preview" in self.data

    def preview(self) -> Preview | None:
        """Return what the edit of the example means, where the fields it rests on can be read."""
        data = self.cleaned_data
        needed = {"example", "edited", "cosmetic_pointers", "normalised_fields"}
        for field in set(self.errors) - needed:
            # Nothing is saved now, so what is missing for that is nobody's concern yet.
            del self.errors[field]
        if needed <= set(data) and data["example"] is None:
            self.add_error("example", _("Paste the arguments of an action here."))
        if not needed <= set(self.cleaned_data):
            return None
        cosmetic, normalised = data["cosmetic_pointers"], data["normalised_fields"]
        for field, faults in zip(
            ("cosmetic_pointers", "normalised_fields"), binding.faults(cosmetic, normalised), strict=True
        ):
            for fault in faults:
                self.add_error(field, declaration_fault(fault))
        if self.errors.keys() & needed:
            return None
        return preview(
            decided=data["example"],
            edited=data["edited"] if data["edited"] is not None else data["example"],
            binding=binding.Binding.read(cosmetic, normalised),
            risk=str(data.get("risk", "")),
        )

    @property
    def seen_at(self) -> datetime | None:
        """When the declaration was changed last that the form was filled from."""
        try:
            return datetime.fromisoformat(self.cleaned_data["seen"])
        except ValueError:
            return None

    def declaration(self) -> Declaration:
        """Return what the service is asked to declare."""
        data = self.cleaned_data
        declared = Declaration(
            title=data["title"],
            title_template=data["title_template"],
            icon=data["icon"],
            risk=Risk(data["risk"]),
            irreversible=data["irreversible"],
            widens_rights=data["widens_rights"],
            argument_schema=data["argument_schema"],
            reason_codes=data["reason_codes"],
            checklist=data["checklist"],
            cluster_pointer=data["cluster_pointer"],
            cosmetic_pointers=data["cosmetic_pointers"],
            normalised_fields=data["normalised_fields"],
            pause_on_mismatch=data["pause_on_mismatch"],
            second_admin={"always": True, "never": False}.get(data["second_admin"]),
            first_contact_level=AutonomyLevel(data["first_contact_level"]),
            reading_floor_ms=round(data["reading_floor"] * 1000),
            evidence_sources=data["evidence_sources"],
            value_pointer=data["value_pointer"],
            currency=data["currency"],
            cost_of_error=read_cost(data["cost_of_error"]),
            cost_of_review_minute=read_cost(data["cost_of_review_minute"]),
            cost_of_delay=read_cost(data["cost_of_delay"]),
            error_limit=evidence_rules.read_limit(data["error_limit"]),
            material_pointers=data["material_pointers"],
            severities=data["severities"],
            evals_required=data["evals_required"],
            ladder=data["ladder"],
            drill_rate=read_share(data["drill_rate"]),
            drill_burst=data["drill_burst"],
            second_opinion_rate=read_share(data["second_opinion_rate"]),
            bulk_cap=data["bulk_cap"] or 0,
        )
        if data["autonomy_cap"]:
            declared["autonomy_cap"] = AutonomyLevel(data["autonomy_cap"])
        return declared

    def add_faults(self, invalid: InvalidActionType) -> None:
        """Put each fault that the service found at its field."""
        for error in invalid.errors:
            field = "reading_floor" if error.field == "reading_floor_ms" else error.field
            self.add_error(field if field in self.fields else None, declaration_fault(error.message))


class NewActionTypeForm(DeclarationForm):
    """A first declaration: with a name, which stays for ever."""

    name = forms.CharField(
        label=_("Name"),
        widget=_text(spellcheck="false", autocapitalize="none"),
        help_text=_("What agents send, such as refund.issue. It can never be changed."),
    )
    field_order = ("name",)

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed through
        # Nobody has relied on it, so that nobody else is asked.
        del self.fields["reason"]
        cap = self.fields["autonomy_cap"]
        assert isinstance(cap, forms.ChoiceField)
        # Nothing chosen: what is grave stops at Review all, by itself.
        cap.required = False
        cap.choices = [("", _("By its risk")), *AutonomyLevel.choices]
        self.fields["reason_codes"].initial = lines_of_codes(DEFAULT_REASON_CODES)


def lines_of_codes(codes: object) -> str:
    """Return reason codes as the form has them."""
    listed = cast(list[dict[str, str]], list(cast(list[object], codes)))
    return "\n".join(f"{code['code']}: {code['label']}" for code in listed)


def initial_of(action_type: ActionType) -> dict[str, object]:
    """Return the fields of the form as they stand."""
    schema = from_jsonb(action_type.argument_schema)
    return {
        "title": action_type.title,
        "title_template": action_type.title_template,
        "icon": action_type.icon,
        "risk": action_type.risk,
        "irreversible": action_type.irreversible,
        "widens_rights": action_type.widens_rights,
        "argument_schema": "" if schema is None else json.dumps(schema, indent=2, ensure_ascii=False),
        "reason_codes": lines_of_codes(action_type.reason_codes),
        "checklist": "\n".join(action_type.checklist),
        "cluster_pointer": action_type.cluster_pointer,
        "cosmetic_pointers": written_pointers(action_type.cosmetic_pointers),
        "normalised_fields": written_normalised(action_type.normalised_fields),
        "pause_on_mismatch": action_type.pause_on_mismatch,
        "second_admin": {True: "always", False: "never", None: ""}[action_type.second_admin],
        "example": written(example_of(schema)),
        "edited": written(example_of(schema)),
        "autonomy_cap": action_type.autonomy_cap,
        "first_contact_level": action_type.first_contact_level,
        "reading_floor": Decimal(action_type.reading_floor_ms) / 1000,
        "evidence_sources": written_evidence(action_type.evidence_sources),
        "value_pointer": action_type.value_pointer,
        "currency": action_type.currency,
        "cost_of_error": written_cost(action_type.cost_of_error),
        "cost_of_review_minute": written_cost(action_type.cost_of_review_minute),
        "cost_of_delay": written_cost(action_type.cost_of_delay),
        "error_limit": evidence_rules.written_limit(action_type.error_limit),
        "material_pointers": evidence_rules.written_pointers(action_type.material_pointers),
        "severities": evidence_rules.written_numbers(action_type.severities),
        "evals_required": action_type.evals_required,
        "ladder": evidence_rules.written_numbers(action_type.ladder),
        "drill_rate": written_share(action_type.drill_rate),
        "drill_burst": action_type.drill_burst,
        "second_opinion_rate": written_share(action_type.second_opinion_rate),
        "bulk_cap": action_type.bulk_cap,
        "reason": "",
        "seen": action_type.updated_at.isoformat(),
    }

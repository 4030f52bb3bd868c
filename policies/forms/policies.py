"""The form of a policy's draft: shares as percent, times with their unit, rules as rows.

``PolicyDocument`` says what may stand; its faults come with JSON pointers and go to the field of that place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from django import forms
from django.http import QueryDict

from policies.engine.facts import ScoreSource, Trigger, Verdict
from policies.engine.policy import AUDIT_FLOOR, MAX_RULES, InvalidPolicy, PolicyDocument, PolicyError

_SECONDS: Final = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400}
_UNITS: Final = [(unit, unit) for unit in _SECONDS]
_RULE_PLACE: Final = re.compile(r"/rules/(\d+)(?:/(\w+))?")
_LONGEST_DEADLINE: Final = 30 * 86_400
_LONGEST_PERMIT: Final = 86_400


def _number(**attributes: object) -> forms.NumberInput:
    return forms.NumberInput(attrs={"class": "input", **attributes})


def _select() -> forms.Select:
    return forms.Select(attrs={"class": "select"})


def _percent(label: str, *, low: float = 0, required: bool = True, help_text: str = "") -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=required,
        min_value=Decimal(str(low)),
        max_value=Decimal(100),
        decimal_places=4,
        widget=_number(step="any"),
        help_text=help_text,
    )


class PolicyForm(forms.Form):
    """Everything of a policy but its rules."""

    threshold = _percent(
        "Hold when the chance it is right is under",
        required=False,
        help_text="In percent. Empty: no score is high enough, all are held.",
    )
    score = forms.ChoiceField(
        label="Which score is asked",
        choices=[
            (ScoreSource.AGENT.value, "The agent’s own"),
            (ScoreSource.JUDGE.value, "The judge’s"),
            (ScoreSource.LOWEST.value, "The lowest of those given"),
        ],
        widget=_select(),
    )
    audit_rate = _percent(
        "Check at random, of what runs alone",
        low=AUDIT_FLOOR * 100,
        help_text=f"In percent, at least {AUDIT_FLOOR * 100:g}: without checks nothing is learnt of what runs"
        " alone.",
    )
    blind_share = _percent(
        "Show no score on, of held items",
        help_text="In percent. A reviewer who sees the score agrees more; routine checks never show it.",
    )
    deadline = forms.IntegerField(label="Decide within", min_value=1, widget=_number())
    deadline_unit = forms.ChoiceField(label="Unit of the deadline", choices=_UNITS, widget=_select())
    undo_seconds = forms.IntegerField(
        label="Time to undo, seconds",
        min_value=0,
        max_value=60,
        widget=_number(),
        help_text="A decision goes out after this.",
    )
    approvals_required = forms.IntegerField(
        label="Approvals required",
        min_value=1,
        max_value=5,
        widget=_number(),
        help_text="By different people. Critical types always need two.",
    )
    permit_ttl = forms.IntegerField(label="A permit is good for", min_value=1, widget=_number())
    permit_ttl_unit = forms.ChoiceField(
        label="Unit of the permit’s lifetime", choices=_UNITS, widget=_select()
    )
    queue = forms.CharField(
        label="Queue",
        widget=forms.TextInput(attrs={"class": "input", "spellcheck": "false", "autocomplete": "off"}),
        help_text="Where held items wait. An unknown queue means the default one.",
    )
    reason = forms.CharField(
        label="Reason of the change",
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"class": "textarea", "rows": 2}),
        help_text="Kept in the ledger. It can still be given when the draft is published.",
    )
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, object]:
        """Turn the two times into seconds."""
        data = self.cleaned_data
        for name, longest in (("deadline", _LONGEST_DEADLINE), ("permit_ttl", _LONGEST_PERMIT)):
            count, unit = data.get(name), data.get(f"{name}_unit")
            if not isinstance(count, int) or not isinstance(unit, str):
                continue
            data[f"{name}_seconds"] = count * _SECONDS[unit]
            if count * _SECONDS[unit] > longest:
                self.add_error(name, f"At most {longest // 86_400} day{'s' * (longest > 86_400)}.")
        return data


class RuleForm(forms.Form):
    """One rule. The engine checks it; here nothing is required, so that no text is ever refused a place."""

    code = forms.CharField(
        label="Code",
        required=False,
        widget=forms.TextInput(
            attrs={"class": "input", "spellcheck": "false", "autocapitalize": "none", "autocomplete": "off"}
        ),
        help_text="Small letters and underscores: large_amount.",
    )
    title = forms.CharField(
        label="What reviewers read",
        required=False,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
    )
    when = forms.CharField(
        label="When",
        required=False,
        strip=False,
        widget=forms.Textarea(
            attrs={
                "class": "textarea textarea-code",
                "rows": 2,
                "spellcheck": "false",
                "autocapitalize": "none",
            }
        ),
        help_text='A condition in CEL, such as args.amount > 150 && environment == "production".',
    )
    then = forms.ChoiceField(
        label="Then",
        required=False,
        choices=[(Verdict.REVIEW.value, "Hold it for a person"), (Verdict.DENY.value, "Deny it")],
        widget=_select(),
    )
    trigger = forms.ChoiceField(
        label="Counts as",
        required=False,
        choices=[(Trigger.POLICY_EDGE.value, "Policy edge case"), (Trigger.HIGH_RISK.value, "High risk")],
        widget=_select(),
    )

    @property
    def row(self) -> str:
        """Return the number that tells this row from the others."""
        return str(self.prefix).removeprefix("rule-")


class PolicyEditor:
    """The form and its rows together: filled from a document, or from what was posted."""

    def __init__(self, form: PolicyForm, rules: list[RuleForm]) -> None:
        self.form = form
        self.rules = rules
        self.rules_faults: list[str] = []

    @classmethod
    def of_document(cls, document: PolicyDocument, *, reason: str = "", seen: str = "") -> PolicyEditor:
        """Return the editor with a policy in it."""
        form = PolicyForm(initial={**_initial(document), "reason": reason, "seen": seen})
        rules = [
            RuleForm(prefix=f"rule-{at}", initial=rule.to_document())
            for at, rule in enumerate(document.rules)
        ]
        return cls(form, rules)

    @classmethod
    def of_post(cls, data: QueryDict) -> PolicyEditor:
        """Return the editor with what was typed. Rows are numbered in ``rules``; their order is kept."""
        numbers = [number for number in data.getlist("rules") if re.fullmatch(r"\d{1,4}", number)]
        unique = list(dict.fromkeys(numbers))[: MAX_RULES + 1]
        return cls(PolicyForm(data), [RuleForm(data, prefix=f"rule-{number}") for number in unique])

    def changed(self, data: QueryDict) -> PolicyEditor | None:
        """Return the editor with a row more or less when a button for that was pressed, else None.

        All else stays as it was typed, and nothing of it is checked yet.
        """
        removed = data.get("remove_rule")
        if "add_rule" not in data and removed is None:
            return None
        typed = data.copy()
        numbers = [rule.row for rule in self.rules]
        if removed is not None:
            numbers = [number for number in numbers if number != removed]
        elif len(numbers) < MAX_RULES:
            numbers.append(str(max((int(number) for number in numbers), default=-1) + 1))
        typed.setlist("rules", numbers)
        return _unchecked(PolicyEditor.of_post(typed))

    def document(self) -> dict[str, object] | None:
        """Return the document that was typed, None where a number cannot even be read."""
        if not (self.form.is_valid() and min([rule.is_valid() for rule in self.rules], default=True)):
            return None
        data = self.form.cleaned_data
        threshold = data["threshold"]
        return {
            "threshold": None if threshold is None else float(threshold / 100),
            "score": data["score"],
            "rules": [_rule(rule.cleaned_data) for rule in self.rules],
            "audit_rate": float(data["audit_rate"] / 100),
            "deadline_seconds": data["deadline_seconds"],
            "undo_seconds": data["undo_seconds"],
            "approvals_required": data["approvals_required"],
            "permit_ttl_seconds": data["permit_ttl_seconds"],
            "queue": data["queue"],
            "blind_share": float(data["blind_share"] / 100),
        }

    def add_faults(self, invalid: InvalidPolicy) -> None:
        """Put each fault that the engine found at the field of its place."""
        for error in invalid.errors:
            self._add_fault(error)

    def _add_fault(self, error: PolicyError) -> None:
        message = error.message[:1].upper() + error.message[1:] + "."
        place = _RULE_PLACE.fullmatch(error.pointer)
        if place and int(place[1]) < len(self.rules):
            rule = self.rules[int(place[1])]
            rule.add_error(place[2] if place[2] in rule.fields else None, message)
        elif error.pointer == "/rules":
            self.rules_faults.append(message)
        else:
            name = error.pointer.removeprefix("/").removesuffix("_seconds")
            known = next((each for each in (error.pointer[1:], name) if each in self.form.fields), None)
            self.form.add_error(known, message)

    @property
    def faults(self) -> list[tuple[str, str, str]]:
        """Return anchor, label and message of every fault, for the summary."""
        found = [("", "Policy", str(text)) for text in self.form.non_field_errors()]
        found += [("rules", "Rules", text) for text in self.rules_faults]
        forms_with_names = [(self.form, "")] + [
            (rule, f"Rule {number}, ") for number, rule in enumerate(self.rules, start=1)
        ]
        for form, name in forms_with_names:
            for field in form:
                found += [(field.id_for_label, f"{name}{field.label}", str(text)) for text in field.errors]
        return found


def _unchecked(editor: PolicyEditor) -> PolicyEditor:
    """Return the same words in forms that have not been asked yet: a new row is not a mistake."""
    form = PolicyForm(initial=_typed(editor.form))
    rules = [RuleForm(prefix=rule.prefix, initial=_typed(rule)) for rule in editor.rules]
    return PolicyEditor(form, rules)


def _typed(form: forms.Form) -> dict[str, object]:
    return {name: form[name].data for name in form.fields}


def _rule(data: Mapping[str, object]) -> dict[str, object]:
    return {name: data[name] for name in ("code", "title", "when", "then", "trigger")}


def _initial(document: PolicyDocument) -> dict[str, object]:
    deadline, deadline_unit = _in_units(document.deadline_seconds)
    permit, permit_unit = _in_units(document.permit_ttl_seconds)
    return {
        "threshold": None if document.threshold is None else _as_percent(document.threshold),
        "score": document.score.value,
        "audit_rate": _as_percent(document.audit_rate),
        "blind_share": _as_percent(document.blind_share),
        "deadline": deadline,
        "deadline_unit": deadline_unit,
        "undo_seconds": document.undo_seconds,
        "approvals_required": document.approvals_required,
        "permit_ttl": permit,
        "permit_ttl_unit": permit_unit,
        "queue": document.queue,
    }


def _as_percent(share: float) -> str:
    """Return a share in percent, digit by digit: 0.145 is 14.5, not 14.499999999999998."""
    text = format(Decimal(str(share)) * 100, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _in_units(seconds: int) -> tuple[int, str]:
    """Return a time in the largest unit that comes out even."""
    unit = next(name for name, size in reversed(_SECONDS.items()) if seconds % size == 0)
    return seconds // _SECONDS[unit], unit

"""The editor of a policy: one document in two views, a form with rows and a JSON text.

Both are worked without JavaScript: every button posts all that was typed and gets it back, with a row more or
less or in the other view. What cannot be read stays as it was typed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext

from hitl_site.lib.json_places import place_of
from hitl_site.lib.strict_json import DoorError, JsonValue, parse
from policies.engine.facts import ScoreSource
from policies.engine.policy import InvalidPolicy, PolicyDocument, PolicyError
from policies.forms.policies import LISTED, DraftForm, PolicyForm, typed_of
from policies.forms.policy_rows import ROW_FORMS, RowForm
from policies.selectors.fault_words import fault_in_words

FORM, JSON = "form", "json"
_ROW: Final = re.compile(r"\d{1,4}")
# What the past is asked about, by the names of its controls.
_ASKED: Final = frozenset({"threshold", "score", "calibration_of", "audit_rate", "rules", "points"})
_ASKED_ROWS: Final = re.compile(r"(?:rule|point)-\d{1,4}-")


@dataclass(frozen=True)
class Fault:
    """One line of the summary: the control it leads to ("" for none), and what is wrong there."""

    anchor: str
    label: str
    message: str


@dataclass
class Rows:
    """The rows of one kind, in their order, with what is wrong with the list as a whole."""

    kind: type[RowForm]
    forms: list[RowForm]
    faults: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Return the list's name among the posted fields."""
        return self.kind.group


class PolicyEditor:
    """The editor with something in it: a document, or what was posted."""

    def __init__(self, data: QueryDict, *, bound: bool) -> None:
        self.data = data
        self.view = JSON if data.get("view") == JSON else FORM
        self.json_text = data.get("json", "").replace("\r\n", "\n")
        self.json_faults: list[str] = []
        self.draft: DraftForm = _form(DraftForm, data, bound=bound)
        self.form: PolicyForm = _form(PolicyForm, data, bound=bound and self.view == FORM)
        self.groups = {
            kind.group: Rows(kind, _rows(kind, data, bound=bound and self.view == FORM)) for kind in ROW_FORMS
        }

    @classmethod
    def of_document(cls, document: PolicyDocument, *, reason: str = "", seen: str = "") -> PolicyEditor:
        """Return the editor with a policy in it; as JSON where the form could not give it back unchanged."""
        data = _fields(document.to_document(), reason=reason, seen=seen)
        read = cls(data, bound=True).document()
        try:
            same = read is not None and PolicyDocument.from_document(read) == document
        except InvalidPolicy:
            same = False
        if not same:
            data["view"] = JSON
            data["json"] = _pretty(document.to_document())
        return cls(data, bound=False)

    @classmethod
    def of_post(cls, data: QueryDict) -> PolicyEditor:
        """Return the editor with what was typed. Rows are numbered; their order is kept."""
        return cls(data, bound=True)

    @classmethod
    def of_changes(cls, document: PolicyDocument, changed: QueryDict) -> PolicyEditor:
        """Return the editor of a policy in which some fields stand otherwise: what sliders and rules send.

        Only what decides which actions are held is taken from ``changed``; all else stays as it is.
        """
        data = _fields(document.to_document(), reason="", seen="")
        for name in changed:
            if name in _ASKED or _ASKED_ROWS.match(name):
                data.setlist(name, changed.getlist(name))
        return cls(data, bound=True)

    def asked(self, *, days: int) -> str:
        """Return the query that asks the past the same as these fields do."""
        query = QueryDict(mutable=True)
        for name in self.data:
            if name in _ASKED or _ASKED_ROWS.match(name):
                query.setlist(name, self.data.getlist(name))
        query["days"] = str(days)
        return query.urlencode()

    def redrawn(self) -> PolicyEditor | None:
        """Return the editor as a button other than "save" leaves it, None where none was pressed.

        All that was typed stays; only what the button needs to read is checked.
        """
        if self.data.get("show") in {FORM, JSON}:
            return self._shown_as(str(self.data.get("show")))
        for name, change in (("add", self._added), ("remove", self._removed)):
            if name in self.data:
                return PolicyEditor(change(str(self.data.get(name))), bound=False)
        return None

    def document(self) -> dict[str, object] | None:
        """Return the document that was typed, None where it cannot even be read; the faults say why."""
        if not self.draft.is_valid():
            return None
        if self.view == JSON:
            return self._of_json()
        rows = [row for group in self.groups.values() for row in group.forms]
        if not all([self.form.is_valid(), *(row.is_valid() for row in rows)]):
            return None
        entries = {name: [row.entry() for row in group.forms] for name, group in self.groups.items()}
        data = self.form.cleaned_data
        listed = data["agents_scope"] == LISTED
        if entries["agents"] and not listed:
            told = gettext("Some agents are listed: choose “Only those listed”.")
            self.form.add_error("agents_scope", told)
            return None
        calibration = {"of": data["calibration_of"], "points": entries["points"]}
        calibrated = data["score"] == ScoreSource.CALIBRATED.value or bool(entries["points"])
        return {
            **self.form.document(),
            "calibration": calibration if calibrated else None,
            "rules": entries["rules"],
            "measures": entries["measures"],
            "agents": entries["agents"] if listed else None,
            "freeze_windows": entries["windows"],
        }

    def add_faults(self, invalid: InvalidPolicy) -> None:
        """Put each fault that the engine found at the control of its place, or at its line of the text."""
        for error in invalid.errors:
            said = fault_in_words(error.message)
            message = said[:1].upper() + said[1:] + "."
            if self.view == JSON:
                self._add_to_text(error, message)
            else:
                self._add_to_form(error, message)

    @property
    def calibrated(self) -> bool:
        """Say whether the calibration plays a part, or is being written."""
        return bool(self.groups["points"].forms) or self.data.get("score") == ScoreSource.CALIBRATED.value

    def see(self, content_sha256: str) -> None:
        """Let the next save replace the draft of this content."""
        self.draft.data = self.data.copy()
        self.draft.data["seen"] = content_sha256

    @property
    def faults(self) -> list[Fault]:
        """Return every fault, for the summary."""
        policy = gettext("Policy")
        found = [Fault("", policy, str(text)) for text in self.draft.non_field_errors()]
        found += [Fault("json", "JSON", text) for text in self.json_faults]
        found += [Fault("", policy, str(text)) for text in self.form.non_field_errors()]
        found += _of_fields(self.form, "") + _of_fields(self.draft, "")
        for group in self.groups.values():
            found += [Fault(group.name, str(group.kind.nouns), text) for text in group.faults]
            for number, row in enumerate(group.forms, start=1):
                name = f"{group.kind.noun} {number}"
                found += [Fault(row.anchor, name, str(text)) for text in row.non_field_errors()]
                found += _of_fields(row, f"{name}, ")
        return found

    def _shown_as(self, view: str) -> PolicyEditor:
        if view == self.view:
            return PolicyEditor(self._without_buttons(), bound=False)
        document = self.document()
        if document is None:
            return self
        draft = {name: self.data.get(name, "") for name in ("reason", "seen")}
        if view == JSON:
            data = _query({"view": [JSON], "json": [_pretty(document)], **{n: [t] for n, t in draft.items()}})
            return PolicyEditor(data, bound=False)
        try:
            shown = PolicyEditor.of_document(PolicyDocument.from_document(document), **draft)
        except InvalidPolicy as invalid:
            self.add_faults(invalid)
            return self
        if shown.view == JSON:
            told = gettext("The form cannot show all of this policy as it is; edit it here.")
            self.json_faults.append(told)
            return self
        return shown

    def _added(self, name: str) -> QueryDict:
        typed = self._without_buttons()
        group = self.groups.get(name)
        if group is not None and len(group.forms) < group.kind.most:
            numbers = [row.row for row in group.forms]
            new = str(max((int(number) for number in numbers), default=-1) + 1)
            typed.setlist(name, [*numbers, new])
        return typed

    def _removed(self, which: str) -> QueryDict:
        typed = self._without_buttons()
        name, _, row = which.partition(":")
        group = self.groups.get(name)
        if group is not None:
            typed.setlist(name, [each.row for each in group.forms if each.row != row])
        return typed

    def _without_buttons(self) -> QueryDict:
        typed = self.data.copy()
        for name in ("add", "remove", "show", "save"):
            typed.pop(name, None)
        return typed

    def _of_json(self) -> dict[str, object] | None:
        try:
            value: JsonValue = parse(self.json_text.encode("utf-8", errors="surrogatepass"))
        except DoorError as error:
            self.json_faults.append(f"{error.pointer}: {error.detail}" if error.pointer else error.detail)
            return None
        if not isinstance(value, dict):
            self.json_faults.append(gettext("A policy is one object, in { and }."))
            return None
        return dict(value)

    def _add_to_text(self, error: PolicyError, message: str) -> None:
        place = place_of(self.json_text, error.pointer)
        if place is not None:
            message = gettext("Line {line}, {place}: {message}").format(
                line=place[0], place=error.pointer or gettext("the whole"), message=message
            )
        self.json_faults.append(message)

    def _add_to_form(self, error: PolicyError, message: str) -> None:
        for group in self.groups.values():
            if error.pointer == group.kind.place or (
                group.name == "points" and error.pointer == "/calibration"
            ):
                group.faults.append(message)
                return
            place = re.fullmatch(rf"{group.kind.place}/(\d+)(?:/(.*))?", error.pointer)
            if place and int(place[1]) < len(group.forms):
                row = group.forms[int(place[1])]
                row.add_error(row.field_at(place[2] or ""), message)
                return
        line = re.fullmatch(r"/checklist/(\d+)", error.pointer)
        if line:
            message = gettext("Line {line}: {message}").format(line=int(line[1]) + 1, message=message)
        self.form.add_error(self.form.field_at(error.pointer), message)


def _form(kind: Any, data: QueryDict, *, bound: bool) -> Any:
    """Return a form with the typed words in it: asked about them, or just holding them."""
    if bound:
        return kind(data)
    return kind(initial=_typed(kind(data)))


def _rows(kind: type[RowForm], data: QueryDict, *, bound: bool) -> list[RowForm]:
    numbers = [number for number in data.getlist(kind.group) if _ROW.fullmatch(number)]
    unique = list(dict.fromkeys(numbers))[: kind.most + 1]
    rows = [kind(data, prefix=kind.prefix_of(number)) for number in unique]
    if bound:
        return rows
    # A new row is not a mistake: it is not asked yet.
    return [kind(prefix=row.prefix, initial=_typed(row)) for row in rows]


def _typed(form: forms.Form) -> dict[str, object]:
    return {name: form[name].data for name in form.fields}


def _of_fields(form: forms.Form, name: str) -> list[Fault]:
    return [
        Fault(control.id_for_label or control.auto_id, f"{name}{control.label}", str(text))
        for control in form
        for text in control.errors
    ]


def _fields(document: Mapping[str, Any], *, reason: str, seen: str) -> QueryDict:
    """Return what a browser would post of a document that was not touched."""
    typed = typed_of(document) | {"view": [FORM], "reason": [reason], "seen": [seen]}
    calibration = document["calibration"]
    entries: dict[str, Sequence[Any]] = {
        "rules": document["rules"],
        "measures": document["measures"],
        "windows": document["freeze_windows"],
        "agents": document["agents"] or [],
        "points": [] if calibration is None else calibration["points"],
    }
    for kind in ROW_FORMS:
        rows = entries[kind.group]
        typed[kind.group] = [str(number) for number in range(len(rows))]
        for number, entry in enumerate(rows):
            prefix = kind.prefix_of(str(number))
            typed |= {f"{prefix}-{name}": texts for name, texts in kind.typed(entry).items()}
    return _query(typed)


def _query(typed: Mapping[str, list[str]]) -> QueryDict:
    data = QueryDict(mutable=True)
    for name, texts in typed.items():
        data.setlist(name, texts)
    return data


def _pretty(document: Mapping[str, object]) -> str:
    """Return the document as a text, its fields in the order in which a policy lists them."""
    order = [each.name for each in fields(PolicyDocument)]
    ordered = {name: document[name] for name in order if name in document}
    return json.dumps(ordered, indent=2, ensure_ascii=False)

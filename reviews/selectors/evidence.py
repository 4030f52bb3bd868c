"""What stands beside a value for the reviewer: what the agent's own tools say, and where it comes from. Pure.

Quiet where all is well; a warning where a tool says otherwise, or where nobody named whom or how much.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from django.utils.translation import gettext, pgettext

from hitl_site.lib import visible_text
from hitl_site.lib.strict_json import JsonValue
from policies.engine.documents import value_at
from policies.engine.evidence_sources import EvidenceSource, find
from policies.engine.folding import number_text, plain
from policies.engine.mentions import Mentions
from reviews.engine.value_kinds import is_prose
from reviews.schema_form import Beside, FormView, Row
from reviews.schema_form.document import MISSING
from reviews.selectors.masking import mask
from reviews.selectors.origins import From, Origin, Origins
from reviews.selectors.timeline import Timeline
from reviews.selectors.tool_results import ToolResult, tool_results

_LONGEST_SHOWN = 200
# A choice, a flag or a heading is nobody's to name.
_NOT_ASKED = frozenset({"group", "boolean", "radio", "select", "checkboxes"})


@dataclass(frozen=True)
class Annotated:
    """The form with what stands beside its values, and the timeline with the steps that are pointed to."""

    form: FormView
    timeline: Timeline
    too_long: bool

    @property
    def quiet(self) -> int:
        """Return how many fields are neither changed nor doubtful."""
        rows = (*self.form.rows, *self.form.unknown)
        return sum(not (row.changed or row.doubtful or row.kind == "group") for row in rows)


def annotate(
    form: FormView,
    *,
    arguments: JsonValue,
    context: JsonValue,
    sources: Sequence[EvidenceSource],
    timeline: Timeline,
) -> Annotated:
    """Return the form and the timeline with evidence and origin of every value of the proposal."""
    results = tuple(tool_results(context))
    origins = Origins(context, results)
    steps: set[int] = set()

    def beside(row: Row) -> Row:
        notes = [
            *_evidence(row, arguments=arguments, sources=sources, results=results, timeline=timeline),
            *_origin(row, origins, timeline),
            *_letters(row),
        ]
        for note in notes:
            if note.step and (note.tone or note.kind == "evidence"):
                steps.add(note.step)
        return replace(row, beside=tuple(notes)) if notes else row

    rows = tuple(beside(row) for row in form.rows)
    unknown = tuple(beside(row) for row in form.unknown)
    return Annotated(
        form=replace(form, rows=rows, unknown=unknown),
        timeline=timeline.with_shown(frozenset(steps)),
        too_long=origins.too_long,
    )


def _evidence(
    row: Row,
    *,
    arguments: JsonValue,
    sources: Sequence[EvidenceSource],
    results: Sequence[ToolResult],
    timeline: Timeline,
) -> Iterator[Beside]:
    for source in sources:
        if source.pointer != row.pointer:
            continue
        for result in reversed(results):
            found = find(source.path, result.document) if result.tool == source.tool else ()
            if not found:
                continue
            step = timeline.step_at(result.place)
            differs = not any(_agrees(_value(arguments, row.pointer), each) for each in found)
            yield Beside(
                kind="evidence",
                text=gettext("{source} says {values}").format(
                    source=source.label, values=", ".join(_shown(each, source.path) for each in found)
                ),
                tone="warn" if differs else "",
                icon="file-text",
                step=step.number if step else 0,
            )
            break


def _value(arguments: JsonValue, pointer: str) -> object:
    try:
        return value_at(arguments, pointer)
    except (LookupError, ValueError):
        return MISSING


def _agrees(value: object, found: object) -> bool:
    """Say whether what is proposed says the same as a tool; prose agrees with what it names."""
    if isinstance(found, dict | list) or isinstance(value, dict | list):
        return value == found
    if isinstance(value, bool) or isinstance(found, bool) or value is None or found is None:
        return value is found
    if isinstance(value, int | float):
        return Mentions([plain(str(found))]).has_number(Decimal(repr(value)))
    if not isinstance(value, str):
        return False
    said = plain(_text(found))
    if plain(value) == said:
        return True
    mentions = Mentions([plain(value)])
    if isinstance(found, int | float):
        return mentions.has_number(Decimal(repr(found)))
    return is_prose(value) and mentions.has_text(said, in_doubt=False)


def _origin(row: Row, origins: Origins, timeline: Timeline) -> Iterator[Beside]:
    if row.missing_in_proposal or row.kind in _NOT_ASKED:
        return
    origin = origins.of(row.pointer, row.proposed)
    if origin is None:
        return
    step = timeline.step_at(origin.place) if origin.place else None
    yield Beside(
        kind=origin.source.value,
        text=_words(origin),
        tone="warn" if origin.loud else "",
        icon=_ICONS[origin.source],
        step=step.number if step else 0,
    )


_ICONS = {
    From.USER: "user",
    From.TOOL: "wrench",
    From.NOWHERE: "circle-help",
    From.LOOKS_LIKE: "triangle-alert",
}


def _words(origin: Origin) -> str:
    tool = origin.tool or gettext("a tool")
    if origin.missing:
        return gettext("Nowhere in the context: {values}").format(values=", ".join(origin.missing))
    if origin.source is From.USER:
        return gettext("The user’s own words")
    if origin.source is From.TOOL:
        return gettext("From {tool}").format(tool=tool)
    if origin.source is From.LOOKS_LIKE:
        return gettext("Looks like something in the context, but is written with other letters")
    return gettext("Nowhere in the context")


def _shown(found: object, path: str) -> str:
    """Return what was found as one line, secrets covered: the last name of the path tells of them."""
    key = path.rpartition(".")[2].strip("'\"[]")
    covered = mask(found, key=key)  # type: ignore[arg-type]  # out of a JSON document
    text = _text(covered)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number_text(value)
    return json.dumps(value, ensure_ascii=False)


def _letters(row: Row) -> Iterator[Beside]:
    """Yield warnings about the letters of a value: words that mix scripts, letters put together of parts."""
    if not isinstance(row.proposed, str):
        return
    for token in visible_text.mixed_tokens(row.proposed)[:3]:
        scripts = pgettext("between several", " and ").join(script.capitalize() for script in token.scripts)
        yield Beside(
            "letters",
            gettext("“{word}” mixes {scripts} letters").format(word=token.token, scripts=scripts),
            "warn",
            "triangle-alert",
        )
    if not visible_text.is_nfc(row.proposed):
        text = gettext("Written with combining characters: not the same to a machine as it looks")
        yield Beside("letters", text, "", "circle-help")

"""promptfoo tests, one a line: the question as a variable, and a check of each field that the person touched.

All checks are declarative (``is-json`` with a JSON Schema): no text of a case ever becomes JavaScript. Two
more ways in are closed, because promptfoo looks for both everywhere in a test:

- Templates. ``{{ env.KEY }}`` in a value would be replaced, and a lone ``#}`` ends the run. In the variable,
  which is JSON text, braces inside a string are written ``\\u007b`` and ``\\u007d``. In a schema, a text
  with a template is matched by a pattern that does not hold it.
- Files. A value that starts with ``file://`` would be read. A variable starts with ``[``; a text with ``:/``
  in a schema is a pattern too.

Lists of a case never are a variable by themselves: promptfoo would make one test of each element.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from datasets.exporters import evaluation, prompts
from datasets.exporters.base import Document
from datasets.exporters.chat import whole_context_flag
from datasets.exporters.lines import JsonRows
from datasets.exporters.reading import Difference, Facts, compact
from hitl_site.lib.strict_json import JsonValue

# A template of Nunjucks, the address of a file, or the one name that JavaScript objects do not keep.
_UNSAFE: Final = re.compile(r"\{[{%#]|[}%#]\}|:/|\A__proto__\Z")
_TEXT: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_PLAIN: Final = re.compile(r"[A-Za-z0-9 _-]")
Schema = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Options:
    instruction: bool = evaluation.instruction_flag()
    whole_context: bool = whole_context_flag()


class Tests(JsonRows):
    """One test a case."""

    def __init__(self, chosen: Options) -> None:
        self.chosen = chosen

    def without(self, facts: Facts) -> str | None:
        return evaluation.without(facts)

    def documents(self, facts: Facts, split: str) -> Iterator[Document]:
        asked = evaluation.question(facts, self.chosen)
        yield {
            "description": f"{facts.id} {facts.action_type}",
            "vars": {"messages": variable([prompts.message(turn, "string") for turn in asked])},
            "assert": [*checks(facts)],
            "metadata": {
                "case_id": facts.id,
                "action_type": facts.action_type if not _UNSAFE.search(facts.action_type) else "",
                "label": facts.label,
                "split": split,
            },
        }


def variable(value: JsonValue) -> str:
    """Return JSON text that holds no template: the same value to every JSON parser."""
    return _TEXT.sub(lambda text: text[0].replace("{", "\\u007b").replace("}", "\\u007d"), compact(value))


def checks(facts: Facts) -> Iterator[Document]:
    """Yield the checks of one case.

    A rejection wants ``null``. A correction wants the person's value in each field the person touched, and
    of the rest that it is there and of the same type. What was approved, or missing as a whole, wants every
    field.
    """
    if facts.truth is None:
        yield _check("nothing is done", {"type": "null"})
        return
    if facts.is_corrected and facts.differences and all(each.pointer for each in facts.differences):
        for difference in facts.differences:
            yield _check(_metric(difference), _touched(facts.truth, difference))
        yield _check("the rest", _loose(facts.truth))
    else:
        yield _check("all arguments", exactly(facts.truth))


def exactly(value: JsonValue) -> Schema:
    """Return a JSON Schema (draft 7, as promptfoo reads it) that this value alone satisfies."""
    if isinstance(value, dict):
        return _object({name: exactly(member) for name, member in value.items()}, closed=True)
    if isinstance(value, list):
        # Without elements there is no list of schemas: draft 7 wants at least one.
        items: Schema = {"items": [exactly(member) for member in value]} if value else {}
        return {"type": "array", **items, "minItems": len(value), "maxItems": len(value)}
    if isinstance(value, str) and _UNSAFE.search(value):
        return {"type": "string", "pattern": _whole(value)}
    return {"const": value}


def _check(metric: str, schema: Schema) -> Document:
    return {"type": "is-json", "metric": metric, "value": schema}


def _metric(difference: Difference) -> str:
    return difference.pointer if not _UNSAFE.search(difference.pointer) else difference.kind


def _touched(truth: Document, difference: Difference) -> Schema:
    """Return the schema of one place: its value there, or nothing where it was taken away."""
    return _down(truth, [_unescaped(token) for token in difference.pointer.split("/")[1:]])


def _down(value: JsonValue, tokens: list[str]) -> Schema:
    if not tokens:
        return exactly(value)
    token, rest = tokens[0], tokens[1:]
    if isinstance(value, dict):
        if token in value:
            return _object({token: _down(value[token], rest)}, closed=False)
        return {"type": "object", "not": _object({token: {}}, closed=False)}
    if isinstance(value, list):
        place = int(token)
        if place < len(value):
            before: list[JsonValue] = [{}] * place
            return {"type": "array", "items": [*before, _down(value[place], rest)], "minItems": place + 1}
        return {"type": "array", "maxItems": len(value)}
    return exactly(value)


def _object(members: dict[str, Schema], *, closed: bool) -> Schema:
    """Return the schema of an object that has these members; ``closed``: and no others.

    A name that holds a template is matched by a pattern. A schema cannot require a pattern directly: it
    refuses the objects in which nothing matches.
    """
    properties: Schema = {name: schema for name, schema in members.items() if not _UNSAFE.search(name)}
    patterns: Schema = {_whole(name): schema for name, schema in members.items() if _UNSAFE.search(name)}
    schema: Schema = {"type": "object", "required": [*sorted(properties)], "properties": properties}
    if patterns:
        schema["patternProperties"] = patterns
        schema["allOf"] = [{"not": {"patternProperties": {name: False}}} for name in sorted(patterns)]
    if closed:
        schema["additionalProperties"] = False
    return schema


def _loose(truth: Document) -> Schema:
    return _object({name: _of_type(value) for name, value in truth.items()}, closed=False)


def _of_type(value: JsonValue) -> Schema:
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int | float):
        return {"type": "number"}
    if isinstance(value, str):
        return {"type": "string"}
    return {"type": "array" if isinstance(value, list) else "object"}


def _whole(text: str) -> str:
    """Return a pattern of ECMAScript (with its ``u`` flag) that matches this text alone."""
    return "^" + "".join(each if _PLAIN.match(each) else f"\\u{{{ord(each):x}}}" for each in text) + "$"


def _unescaped(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")

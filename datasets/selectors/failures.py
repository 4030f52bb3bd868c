"""What people keep correcting: by field, kind and reason, per agent version, alike ones together.

Read are the newest corrections of the period, a bounded number of them; a cluster is what has the same action
type, field, kind of difference and reason. A rule that would have held such actions can be drafted from it.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.utils.translation import gettext, gettext_noop

from datasets.choices import Label
from datasets.models import LabelledCase
from hitl_site.lib.strict_json import JsonValue

MOST_READ: Final = 5000
FEWEST: Final = 2
_EXAMPLES: Final = 3
_FIELDS: Final = 10
_CLUSTERS: Final = 30
# So many different texts may stand in a rule by name.
_MOST_VALUES: Final = 5
_LONGEST_VALUE: Final = 60
NO_REASON: Final = ""
_KIND_WORDS: Final = {
    "wrong_value": gettext_noop("wrong value"),
    "missing": gettext_noop("missing"),
    "extra": gettext_noop("extra"),
    "wrong_target": gettext_noop("wrong target"),
    "wrong_wording": gettext_noop("wrong wording"),
}


@dataclass(frozen=True, slots=True)
class Example:
    """One correction: where it is, what was proposed at this place, and what was right."""

    case_id: str
    before: JsonValue
    after: JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Corrections that are alike. ``versions`` says how many of them each agent version had."""

    action_type: str
    pointer: str
    kind: str
    reason: str
    count: int
    versions: tuple[tuple[str, int], ...]
    examples: tuple[Example, ...]
    condition: str

    @property
    def words(self) -> str:
        """Return the kind of the difference in words."""
        return gettext(_KIND_WORDS[self.kind]) if self.kind in _KIND_WORDS else self.kind.replace("_", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFailures:
    """One agent version: its corrections, and the fields that they changed most."""

    agent: str
    version: str
    corrections: int
    fields: tuple[tuple[str, int], ...]
    reasons: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """All of the page. ``cut`` says that there were more corrections than are read."""

    corrections: int
    cut: bool
    versions: tuple[VersionFailures, ...]
    clusters: tuple[Cluster, ...]


@dataclass(slots=True)
class _Gathered:
    count: int = 0
    versions: Counter[str] = field(default_factory=Counter)
    found: list[Example] = field(default_factory=list)


_Key = tuple[str, str, str, str]


def failures(*, since: datetime, action_type: str = "", agent: str = "") -> Failures:
    """Return what was corrected since, by one query: nothing that was erased, and no drill."""
    cases = LabelledCase.objects.filter(label=Label.CORRECTED, decided_at__gte=since, erased_at=None)
    if action_type:
        cases = cases.filter(action_type=action_type)
    if agent:
        cases = cases.filter(agent=agent)
    rows = list(
        cases.order_by("-id").values_list(
            "public_id",
            "action_type",
            "agent",
            "agent_version",
            "content__differences",
            "content__decision__reasons",
        )[: MOST_READ + 1]
    )
    cut = len(rows) > MOST_READ
    gathered: defaultdict[_Key, _Gathered] = defaultdict(_Gathered)
    totals: Counter[tuple[str, str]] = Counter()
    fields: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    reasons: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for case_id, name, by, version, differences, given in rows[:MOST_READ]:
        who = (by, version)
        totals[who] += 1
        codes = sorted({str(each) for each in given or []})
        reasons[who].update(codes)
        # A list of things has one field, however many of them were wrong.
        places = {
            (general(str(each["pointer"])), str(each["kind"])): each
            for each in differences or []
            if isinstance(each, dict)
        }
        fields[who].update({pointer for pointer, _ in places})
        for (pointer, kind), each in places.items():
            for code in codes or [NO_REASON]:
                one = gathered[name, pointer, kind, code]
                one.count += 1
                one.versions[f"{by} {version}"] += 1
                one.found.append(Example(case_id, each.get("before"), each.get("after")))
    return Failures(
        corrections=sum(totals.values()),
        cut=cut,
        versions=tuple(
            VersionFailures(
                agent=who[0],
                version=who[1],
                corrections=total,
                fields=_top(fields[who]),
                reasons=_top(reasons[who]),
            )
            for who, total in sorted(totals.items(), key=lambda each: (-each[1], each[0]))
        ),
        clusters=_clusters(gathered),
    )


def cluster(*, since: datetime, action_type: str, pointer: str, kind: str, reason: str) -> Cluster | None:
    """Return one cluster as it is now, None where there is none (any more)."""
    for each in failures(since=since, action_type=action_type).clusters:
        if (each.pointer, each.kind, each.reason) == (pointer, kind, reason):
            return each
    return None


def general(pointer: str) -> str:
    """Return a pointer with the positions of lists left open: ``/items/*/price``."""
    return "/".join("*" if part.isascii() and part.isdecimal() else part for part in pointer.split("/"))


def condition_of(pointer: str, kind: str, values: Sequence[JsonValue]) -> str:
    """Return a condition in CEL that would have held the proposals with these values; "" where there is none.

    Numbers: from the smallest one that was corrected on. A few short texts: each by its name. Something that
    was missing: where it is missing. Else: wherever the field is given. Fields inside of lists have none.
    """
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    if not parts or "*" in parts or not all(_is_name(part) for part in parts):
        return ""
    place = ".".join(["args", *parts])
    given = " && ".join(f"has({'.'.join(['args', *parts[: end + 1]])})" for end in range(len(parts)))
    if kind == "missing":
        outer = " && ".join(f"has({'.'.join(['args', *parts[: end + 1]])})" for end in range(len(parts) - 1))
        return f"{outer} && !has({place})" if outer else f"!has({place})"
    numbers = [float(each) for each in values if isinstance(each, int | float) and not isinstance(each, bool)]
    if kind == "wrong_value" and values and len(numbers) == len(values):
        return f"{given} && {place} >= {min(numbers)!r}"
    texts = sorted({each for each in values if isinstance(each, str)})
    short = all(len(each) <= _LONGEST_VALUE for each in texts)
    if kind in ("wrong_value", "wrong_target") and 0 < len(texts) <= _MOST_VALUES and short:
        return f"{given} && {place} in [{', '.join(json.dumps(each) for each in texts)}]"
    return given


def _clusters(gathered: dict[_Key, _Gathered]) -> tuple[Cluster, ...]:
    largest = sorted(gathered.items(), key=lambda each: (-each[1].count, each[0]))
    return tuple(
        Cluster(
            action_type=name,
            pointer=pointer,
            kind=kind,
            reason=reason,
            count=found.count,
            versions=_top(found.versions),
            examples=tuple(found.found[:_EXAMPLES]),
            condition=condition_of(pointer, kind, [each.before for each in found.found]),
        )
        for (name, pointer, kind, reason), found in largest[:_CLUSTERS]
        if found.count >= FEWEST
    )


def _is_name(part: str) -> bool:
    return part.isascii() and part.isidentifier() and part not in _RESERVED


# CEL's own words cannot be selected by a dot.
_RESERVED: Final = frozenset(
    {
        "as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let",
        "loop", "package", "namespace", "null", "return", "true", "var", "void", "while",
    }
)  # fmt: skip


def _top(counted: Counter[str]) -> tuple[tuple[str, int], ...]:
    found: Iterable[tuple[str, int]] = sorted(counted.items(), key=lambda each: (-each[1], each[0]))
    return tuple(found)[:_FIELDS]

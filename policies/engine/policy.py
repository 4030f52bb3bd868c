"""The text of a policy: what one action type asks of an action before it may run alone.

A `PolicyDocument` that exists is valid: it is checked however it is made, and every fault is named at once
with a JSON pointer to its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Final, Self

from policies.engine.agent_list import ListedAgent, agent_faults, read_agents
from policies.engine.calibration import Calibration, calibration_faults, read_calibration
from policies.engine.facts import ScoreSource
from policies.engine.faults import (
    MAX_TITLE,
    InvalidPolicy,
    PolicyError,
    member,
    repeated,
    share_faults,
    slug_faults,
    text_faults,
    unknown_keys,
    whole_number_faults,
)
from policies.engine.freezing import FreezeWindow, read_windows, window_faults
from policies.engine.measures import Measure, measure_faults, read_measures
from policies.engine.rules import MAX_RULES, Rule, read_rules, rule_faults

__all__ = [
    "AUDIT_FLOOR",
    "MAX_CHECKLIST",
    "MAX_RULES",
    "MAX_TITLE",
    "InvalidPolicy",
    "PolicyDocument",
    "PolicyError",
    "Rule",
]

# Below this share of looked-at actions nothing can be learnt of what runs alone (statistics.md section 0).
AUDIT_FLOOR = 0.01

MAX_CHECKLIST = 20
_WHOLE_NUMBERS: Final = {
    "deadline_seconds": (1, 30 * 86_400),
    "undo_seconds": (0, 60),
    "approvals_required": (1, 5),
    "permit_ttl_seconds": (1, 86_400),
    "denial_memory_seconds": (0, 30 * 86_400),
}


@dataclass(frozen=True, kw_only=True)
class PolicyDocument:
    """What one version of a policy says.

    The defaults are the safe ones: with no threshold nothing passes on its score. A document read with
    `from_document` may leave any field out.

    `agents` None lists everyone. `denial_memory_seconds` is how long a refused act is known again.
    `checklist` holds sentences that a reviewer ticks before an act may run. With `reminder` an open item is
    called to mind at half its deadline; from then on it stands in `second_queue` too, where one is named.
    Without `small_screens` nobody lets a critical act run from a telephone.
    """

    threshold: float | None = None
    score: ScoreSource = ScoreSource.AGENT
    calibration: Calibration | None = None
    rules: tuple[Rule, ...] = field(default=())
    measures: tuple[Measure, ...] = field(default=())
    agents: tuple[ListedAgent, ...] | None = None
    freeze_windows: tuple[FreezeWindow, ...] = field(default=())
    denial_memory_seconds: int = 86_400
    audit_rate: float = 0.2
    deadline_seconds: int = 86_400
    undo_seconds: int = 5
    approvals_required: int = 1
    checklist: tuple[str, ...] = field(default=())
    small_screens: bool = False
    permit_ttl_seconds: int = 900
    queue: str = "general"
    reminder: bool = True
    second_queue: str = ""
    blind_share: float = 0.1

    def __post_init__(self) -> None:
        errors = tuple(_faults(self))
        if errors:
            raise InvalidPolicy(errors)

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> Self:
        """Return the policy that the document spells out, or raise `InvalidPolicy` with every fault."""
        if not isinstance(document, Mapping):
            raise InvalidPolicy((PolicyError("", "a policy is an object"),))
        names = [each.name for each in fields(cls)]
        errors = [*unknown_keys(document, names, ())]
        values = {name: document[name] for name in names if name in document}
        values["score"] = member(ScoreSource, values.get("score", ScoreSource.AGENT))
        for name, read in _READERS.items():
            if name in values:
                values[name], found = read(values[name])
                errors += found
        try:
            policy = cls(**values)  # type: ignore[arg-type]  # unchecked until __post_init__ checks them
        except InvalidPolicy as invalid:
            raise InvalidPolicy((*errors, *invalid.errors)) from None
        if errors:
            raise InvalidPolicy(tuple(errors))
        return policy

    def to_document(self) -> dict[str, object]:
        """Return the whole policy as JSON values; `from_document` gives an equal policy back."""
        return {
            "threshold": self.threshold,
            "score": self.score.value,
            "calibration": None if self.calibration is None else self.calibration.to_document(),
            "rules": [rule.to_document() for rule in self.rules],
            "measures": [measure.to_document() for measure in self.measures],
            "agents": None if self.agents is None else [agent.to_document() for agent in self.agents],
            "freeze_windows": [window.to_document() for window in self.freeze_windows],
            "denial_memory_seconds": self.denial_memory_seconds,
            "audit_rate": self.audit_rate,
            "deadline_seconds": self.deadline_seconds,
            "undo_seconds": self.undo_seconds,
            "approvals_required": self.approvals_required,
            "checklist": list(self.checklist),
            "small_screens": self.small_screens,
            "permit_ttl_seconds": self.permit_ttl_seconds,
            "queue": self.queue,
            "reminder": self.reminder,
            "second_queue": self.second_queue,
            "blind_share": self.blind_share,
        }


def _read_checklist(value: object) -> tuple[object, list[PolicyError]]:
    return (tuple(value) if isinstance(value, list) else value), []


_READERS: Final[Mapping[str, Callable[[object], tuple[object, list[PolicyError]]]]] = {
    "rules": read_rules,
    "calibration": read_calibration,
    "measures": read_measures,
    "agents": read_agents,
    "freeze_windows": read_windows,
    "checklist": _read_checklist,
}


def _faults(policy: PolicyDocument) -> Iterator[PolicyError]:
    if policy.threshold is not None:
        yield from share_faults("/threshold", policy.threshold)
    if not isinstance(policy.score, ScoreSource):
        yield PolicyError("/score", f"one of {', '.join(ScoreSource)}")
    yield from calibration_faults(policy.calibration, policy.score)
    yield from rule_faults(policy.rules, _measure_names(policy.measures))
    yield from measure_faults(policy.measures)
    yield from agent_faults(policy.agents)
    yield from window_faults(policy.freeze_windows)
    yield from share_faults("/audit_rate", policy.audit_rate, low=AUDIT_FLOOR)
    for name, (low, high) in _WHOLE_NUMBERS.items():
        yield from whole_number_faults(f"/{name}", getattr(policy, name), low=low, high=high)
    yield from _checklist_faults(policy.checklist)
    yield from slug_faults("/queue", policy.queue)
    for name in ("small_screens", "reminder"):
        if not isinstance(getattr(policy, name), bool):
            yield PolicyError(f"/{name}", "true or false")
    if policy.second_queue != "":
        yield from slug_faults("/second_queue", policy.second_queue)
    yield from share_faults("/blind_share", policy.blind_share)


def _measure_names(measures: object) -> frozenset[str]:
    listed = measures if isinstance(measures, tuple) else ()
    return frozenset(each.name for each in listed if isinstance(each, Measure) and isinstance(each.name, str))


def _checklist_faults(sentences: object) -> Iterator[PolicyError]:
    if not isinstance(sentences, tuple) or len(sentences) > MAX_CHECKLIST:
        yield PolicyError("/checklist", f"a list of up to {MAX_CHECKLIST} sentences")
        return
    for index, sentence in enumerate(sentences):
        yield from text_faults(f"/checklist/{index}", sentence)
    for index, _ in repeated(sentences):
        yield PolicyError(f"/checklist/{index}", "this sentence is listed twice")

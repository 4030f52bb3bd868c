"""What the agent did before it proposed: its context as steps to read. Pure; every text in it is hostile.

A context is whatever the agent sent (api.md): ``messages`` in the usual chat form, ``steps`` of a run,
``input``, ``links``. What has no known form is shown as JSON: nothing is ever left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hitl_site.lib.strict_json import JsonValue
from reviews.selectors.context_steps import Cover, Step, steps_of
from reviews.selectors.masking import COVER

__all__ = ["Step", "Timeline", "timeline"]

SHORT_TIMELINE = 5  # steps; beyond this only those that matter are shown at first


@dataclass(frozen=True)
class Timeline:
    """All steps, and those that are shown at first."""

    steps: tuple[Step, ...]
    short: tuple[Step, ...]

    def step_at(self, place: str) -> Step | None:
        """Return the step that a part of the context is shown in."""
        return next((step for step in self.steps if place in step.places), None)

    def with_shown(self, numbers: frozenset[int]) -> Timeline:
        """Return the timeline with these steps among those that are shown at first."""
        kept = numbers | {step.number for step in self.short}
        return replace(self, short=tuple(step for step in self.steps if step.number in kept))

    @property
    def covers(self) -> bool:
        """Say whether a secret is covered somewhere in it."""
        return any(
            COVER in text for step in self.steps for text in (step.text, step.arguments, step.observation)
        )

    @property
    def folded(self) -> bool:
        """Say whether some steps wait behind "All N steps"."""
        return len(self.short) < len(self.steps)


def timeline(context: JsonValue, *, end: Step, covered: bool = True) -> Timeline:
    """Return the steps of a context, in the order in which the agent gave them, and the proposal last.

    Secrets are covered, unless somebody has asked to see them.
    """
    given = (*steps_of(context, Cover(covered)), end)
    steps = tuple(replace(step, number=number) for number, step in enumerate(given, start=1))
    return Timeline(steps=steps, short=_that_matter(steps))


def _that_matter(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the end, the last word of the user, and the last things that the agent looked up."""
    if len(steps) <= SHORT_TIMELINE:
        return steps
    said = [n for n, step in enumerate(steps) if step.kind == "user"][-1:]
    looked_up = [n for n, step in enumerate(steps) if step.kind == "call"][-2:]
    wrote = [n for n, step in enumerate(steps) if step.kind == "agent"][-1:]
    kept = {*said, *looked_up, *wrote, len(steps) - 1}
    return tuple(steps[n] for n in sorted(kept))

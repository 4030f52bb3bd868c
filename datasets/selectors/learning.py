"""The learning loop: what was collected, what became of it, and whether a new version is better.

The comparison is of two versions of one agent on the same frozen cases, judged by the same grader. That the
corrections made the difference is said only where there are corrections from between the two versions, and
that there is a difference only where both the paired interval and the exact test say so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from django.db.models import Count, Q
from django.utils import dateformat
from django.utils.translation import gettext, ngettext

from datasets.choices import EvalState, ExportState, Label, Split
from datasets.models import DatasetMember, EvalRun, LabelledCase
from datasets.selectors import eval_comparison
from datasets.selectors.eval_comparison import Compared, Comparison
from hitl_site.lib import wording
from policies.models import ActionType

SURE: Final = 0.05
# Runs looked at for a comparison: the newest of each agent and dataset version come first.
_RUNS: Final = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Uses:
    """What became of the cases of one action type, each counted once a kind."""

    training: int = 0
    validation: int = 0
    test: int = 0
    unsplit: int = 0
    exported: int = 0
    evaluated: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """Two versions of an agent on the same cases of one action type."""

    before: EvalRun
    now: EvalRun
    compared: Compared
    corrections: int
    first_correction: datetime | None
    last_correction: datetime | None
    trained_on: int

    @property
    def verdict(self) -> str:
        """Return better, worse or unclear: the two figures alone prove nothing."""
        difference = self.compared.difference
        if self.compared.p >= SURE or difference.low <= 0 <= difference.high:
            return "unclear"
        return "better" if difference.value > 0 else "worse"


@dataclass(frozen=True, kw_only=True, slots=True)
class Learning:
    """One action type's row of the report."""

    action_type: str
    title: str
    cases: int
    corrected: int
    uses: Uses = field(default_factory=Uses)
    progress: Progress | None = None

    @property
    def sentence(self) -> str:
        """Return what can honestly be said, in one sentence."""
        return sentence(self)


def report() -> list[Learning]:
    """Return every action type that has cases, the most cases first."""
    collected = (
        LabelledCase.objects.values("action_type")
        .annotate(cases=Count("id"), corrected=Count("id", filter=Q(label=Label.CORRECTED)))
        .order_by("-cases", "action_type")
    )
    titles = dict(ActionType.objects.values_list("name", "title"))
    uses, pairs = _uses(), _pairs()
    found = []
    for row in collected:
        name = row["action_type"]
        found.append(
            Learning(
                action_type=name,
                title=titles.get(name) or name,
                cases=row["cases"],
                corrected=row["corrected"],
                uses=uses.get(name, Uses()),
                progress=_progress(name, pairs),
            )
        )
    return found


def sentence(learning: Learning) -> str:
    """Return the manager's sentence; where there is too little, it says so and claims nothing."""
    progress = learning.progress
    if progress is None or not progress.compared.pairs.n:
        return gettext(
            "Nothing can be said of “{title}” yet: no two versions of an agent were tested on the same cases."
        ).format(title=learning.title)
    return _told(progress).format(
        title=learning.title,
        agent=progress.now.agent_name,
        version=progress.now.agent_version,
        before=_percent(progress.compared.before),
        now=_percent(progress.compared.now),
        n=progress.compared.pairs.n,
        months=_months(progress) if progress.corrections else "",
        **_range(progress),
    )


def _told(progress: Progress) -> str:
    """Return the sentence with places for its values."""
    n, pairs = progress.compared.pairs.n, progress.compared.pairs
    if progress.verdict == "better" and progress.corrections:
        return ngettext(
            "Corrections of {months} cut errors of “{title}” from {before} to {now} ({n} case, range {low}"
            " to {high} points).",
            "Corrections of {months} cut errors of “{title}” from {before} to {now} ({n} cases, range {low}"
            " to {high} points).",
            n,
        )
    if progress.verdict == "better":
        return ngettext(
            "Version {version} of {agent} cut errors of “{title}” from {before} to {now} ({n} case, range"
            " {low} to {high} points).",
            "Version {version} of {agent} cut errors of “{title}” from {before} to {now} ({n} cases, range"
            " {low} to {high} points).",
            n,
        )
    if progress.verdict == "worse":
        return ngettext(
            "Errors of “{title}” rose from {before} to {now} with version {version} of {agent} ({n} case,"
            " range {low} to {high} points).",
            "Errors of “{title}” rose from {before} to {now} with version {version} of {agent} ({n} cases,"
            " range {low} to {high} points).",
            n,
        )
    if pairs.fixed == pairs.broken == 0:
        return ngettext(
            "Errors of “{title}” are the same {n} case as before with version {version} of {agent}: {now}.",
            "Errors of “{title}” are the same {n} cases as before with version {version} of {agent}: {now}.",
            n,
        )
    return ngettext(
        "Errors of “{title}” went from {before} to {now} with version {version} of {agent}, but {n} case"
        " cannot tell this from chance (the change lies between {low} and {high} points).",
        "Errors of “{title}” went from {before} to {now} with version {version} of {agent}, but {n} cases"
        " cannot tell this from chance (the change lies between {low} and {high} points).",
        n,
    )


def _range(progress: Progress) -> dict[str, str]:
    """Return the ends of the range in points: of the fall where there was one, else of the rise."""
    low, high = progress.compared.difference.low * 100, progress.compared.difference.high * 100
    if progress.verdict == "better":
        ends = f"{low:.1f}", f"{high:.1f}"
    elif progress.verdict == "worse":
        ends = f"{-high:.1f}", f"{-low:.1f}"
    else:
        ends = f"{-high:+.1f}", f"{-low:+.1f}"
    return {name: wording.figures(end) for name, end in zip(("low", "high"), ends, strict=True)}


def _percent(share: float | None) -> str:
    if share is None:
        return gettext("nothing")
    # Shown beside a person's title, where hidden characters are named.
    return wording.share_of(share, 1).replace("\N{NO-BREAK SPACE}", " ")


def _months(progress: Progress) -> str:
    first, last = progress.first_correction, progress.last_correction
    assert first is not None
    assert last is not None
    begin, end = first.astimezone(UTC), last.astimezone(UTC)
    whole = dateformat.format(end, "F Y")
    if (begin.year, begin.month) == (end.year, end.month):
        return whole
    start = dateformat.format(begin, "F" if begin.year == end.year else "F Y")
    return gettext("{begin} to {end}").format(begin=start, end=whole)


def _uses() -> dict[str, Uses]:
    counted = DatasetMember.objects.values("case__action_type").annotate(
        training=_distinct(split=Split.TRAIN),
        validation=_distinct(split=Split.VALIDATION),
        test=_distinct(split=Split.TEST),
        unsplit=_distinct(split=Split.NONE),
        exported=_distinct(version__exports__state=ExportState.DONE),
    )
    evaluated = dict(
        LabelledCase.objects.filter(eval_results__isnull=False)
        .order_by("action_type")
        .values_list("action_type")
        .annotate(Count("id", distinct=True))
    )
    return {
        row["case__action_type"]: Uses(
            training=row["training"],
            validation=row["validation"],
            test=row["test"],
            unsplit=row["unsplit"],
            exported=row["exported"],
            evaluated=evaluated.get(row["case__action_type"], 0),
        )
        for row in counted.order_by("case__action_type")
    }


def _distinct(**where: str) -> Count:
    return Count("case_id", distinct=True, filter=Q(**where))


def _pairs() -> list[Comparison]:
    """Return the comparisons of an agent's newest tested version with the one before, newest first."""
    runs = (
        EvalRun.objects.filter(state=EvalState.DONE, tested__isnull=False)
        .select_related("version", "tested")
        .order_by("-id")[:_RUNS]
    )
    newest: dict[tuple[int, str, str], dict[int, EvalRun]] = {}
    for run in runs:
        # Of one version of the agent the newest run counts.
        assert run.tested is not None
        newest.setdefault((run.version_id, run.agent_name, run.split), {}).setdefault(run.tested.pk, run)
    pairs = []
    for found in newest.values():
        in_order = sorted(found.values(), key=_first_seen, reverse=True)
        if len(in_order) > 1:
            pairs.append((in_order[1], in_order[0]))
    pairs.sort(key=lambda pair: pair[1].pk, reverse=True)
    return [eval_comparison.compare(before=before, now=now) for before, now in pairs]


def _first_seen(run: EvalRun) -> tuple[datetime, int]:
    assert run.tested is not None
    return run.tested.first_seen_at, run.tested.pk


def _progress(action_type: str, pairs: Iterable[Comparison]) -> Progress | None:
    for comparison in pairs:
        before, now = comparison.before, comparison.now
        if before.graders.get(action_type) != now.graders.get(action_type):
            continue
        compared = next((found for found in comparison.types if found.action_type == action_type), None)
        if compared is None:
            continue
        dates = _corrections_between(action_type, before, now)
        return Progress(
            before=before,
            now=now,
            compared=compared,
            corrections=len(dates),
            first_correction=min(dates, default=None),
            last_correction=max(dates, default=None),
            trained_on=_trained_on(action_type, now),
        )
    return None


def _corrections_between(action_type: str, before: EvalRun, now: EvalRun) -> list[datetime]:
    """Return when corrections were made after the one version was first seen and before the other was."""
    decided = LabelledCase.objects.filter(
        action_type=action_type,
        label=Label.CORRECTED,
        decided_at__gte=_first_seen(before)[0],
        decided_at__lt=_first_seen(now)[0],
    )
    return list(decided.values_list("decided_at", flat=True))


def _trained_on(action_type: str, run: EvalRun) -> int:
    """Return how many of the tested cases are training data of some version: those prove less."""
    tested = run.results.filter(case__action_type=action_type, case__memberships__split=Split.TRAIN)
    return tested.values("case_id").distinct().count()

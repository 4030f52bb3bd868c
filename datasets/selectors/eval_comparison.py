"""Two runs on the same cases, side by side: what was fixed, what was broken, and how sure the difference is.

Compared are the cases that both runs answered and that could be graded in both. Two runs on two dataset
versions share the cases that both versions have with the same content.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.db.models import F, Q
from django.utils.translation import gettext, gettext_noop

from datasets.models import DatasetMember, EvalRun
from policies.statistics.pairs import Difference, Pairs, difference, exact_p


class Change(StrEnum):
    """What became of one case from one run to the next."""

    FIXED = "fixed"
    BROKEN = "broken"
    STILL_WRONG = "still_wrong"
    STILL_RIGHT = "still_right"

    @property
    def words(self) -> str:
        """Return the change in words."""
        return gettext(_IN_WORDS[self])


_IN_WORDS: Final = {
    Change.FIXED: gettext_noop("Fixed"),
    Change.BROKEN: gettext_noop("Broken"),
    Change.STILL_WRONG: gettext_noop("Still wrong"),
    Change.STILL_RIGHT: gettext_noop("Still right"),
}


@dataclass(frozen=True, slots=True)
class ComparedCase:
    """One case in both runs."""

    case_id: str
    action_type: str
    change: Change
    why_before: str
    why_now: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """The numbers of one action type ("" for all together)."""

    action_type: str
    pairs: Pairs
    difference: Difference
    p: float

    @property
    def before(self) -> float | None:
        """Return the earlier error rate."""
        return self.pairs.wrong_before / self.pairs.n if self.pairs.n else None

    @property
    def now(self) -> float | None:
        """Return the later error rate."""
        return self.pairs.wrong_now / self.pairs.n if self.pairs.n else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Two runs, earlier and later."""

    before: EvalRun
    now: EvalRun
    cases: tuple[ComparedCase, ...]
    types: tuple[Compared, ...]
    whole: Compared
    not_compared: int

    @property
    def same_graders(self) -> bool:
        """Say whether both were judged alike: else a change may be the grader's."""
        return bool(self.before.graders == self.now.graders)


_CHANGES = {
    (False, True): Change.FIXED,
    (True, False): Change.BROKEN,
    (False, False): Change.STILL_WRONG,
    (True, True): Change.STILL_RIGHT,
}


def compare(*, before: EvalRun, now: EvalRun) -> Comparison:
    """Compare two runs case by case; broken ones come first."""
    earlier, later = _results(before), _results(now)
    shared = _same_cases(before, now) & earlier.keys() & later.keys()
    cases = []
    for case in shared:
        was, is_ = earlier[case], later[case]
        if was[1] is None or is_[1] is None:
            continue
        cases.append(ComparedCase(case, was[0], _CHANGES[(was[1], is_[1])], was[2], is_[2]))
    order = [Change.BROKEN, Change.STILL_WRONG, Change.FIXED, Change.STILL_RIGHT]
    cases.sort(key=lambda case: (order.index(case.change), case.action_type, case.case_id))
    by_type: dict[str, list[ComparedCase]] = defaultdict(list)
    for compared in cases:
        by_type[compared.action_type].append(compared)
    return Comparison(
        before=before,
        now=now,
        cases=tuple(cases),
        types=tuple(counted(name, found) for name, found in sorted(by_type.items())),
        whole=counted("", cases),
        not_compared=len(earlier.keys() | later.keys()) - len(cases),
    )


def counted(action_type: str, cases: list[ComparedCase]) -> Compared:
    """Return the numbers of these cases."""
    numbers = {change: sum(case.change == change for case in cases) for change in Change}
    pairs = Pairs(
        fixed=numbers[Change.FIXED],
        broken=numbers[Change.BROKEN],
        still_wrong=numbers[Change.STILL_WRONG],
        still_right=numbers[Change.STILL_RIGHT],
    )
    return Compared(action_type=action_type, pairs=pairs, difference=difference(pairs), p=exact_p(pairs))


def comparable(run: EvalRun) -> list[EvalRun]:
    """Return the other runs on the same dataset, newest first: what this one may be compared with."""
    others = EvalRun.objects.filter(version__dataset=run.version.dataset).exclude(pk=run.pk)
    return list(others.select_related("version").order_by("-id")[:50])


def _results(run: EvalRun) -> dict[str, tuple[str, bool | None, str]]:
    rows = run.results.values_list("case__public_id", "case__action_type", "passed", "detail")
    return {
        case: (name, passed, str(detail.get("why", ""))) for case, name, passed, detail in rows.iterator()
    }


def _same_cases(before: EvalRun, now: EvalRun) -> set[str]:
    """Return the cases that mean the same in both versions: a case relabelled in between is another one."""
    if before.version_id == now.version_id:
        members = DatasetMember.objects.filter(version=now.version)
    else:
        members = DatasetMember.objects.filter(
            Q(version=now.version),
            case__memberships__version=before.version,
            case__memberships__content_sha256=F("content_sha256"),
        )
    return set(members.values_list("case__public_id", flat=True))

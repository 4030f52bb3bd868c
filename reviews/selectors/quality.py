"""How well people review: for themselves, and for those who lead them. Never a ranking (statistics.md 1.5).

Each number says of how many it is and is kept back while they are too few. Signals lead to a conversation,
never to a consequence by themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypedDict

from django.contrib.auth.models import User
from django.db.models import Aggregate, Count, F, FloatField, Q
from django.utils.translation import gettext

from hitl_site.lib import wording
from policies.models import DoubleReview, DrillResult
from policies.statistics.detection import evidence_of_misses
from policies.statistics.differences import Difference, difference_of_shares
from policies.statistics.intervals import WeightedRate, clopper_pearson, hajek_rate
from reviews.choices import DecisionKind, ItemKind
from reviews.models import Decision

ENOUGH: Final = 30
PERIOD: Final = timedelta(days=90)
LEAST_CATCH: Final = 0.8
# The chance that somebody who catches 80% is ever flagged.
FALSE_FLAG: Final = 0.05
MUCH_TOO_FAST: Final = 0.2
_LOOKS: Final = (ItemKind.GATE, ItemKind.AUDIT, ItemKind.SECOND_OPINION)


class _Percentile(Aggregate):
    function = "PERCENTILE_CONT"
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """So many of so many; ``low`` and ``high`` are the exact 95% interval (Clopper and Pearson)."""

    k: int
    n: int

    @property
    def is_enough(self) -> bool:
        return self.n >= ENOUGH

    @property
    def rate(self) -> float | None:
        return self.k / self.n if self.n else None

    @property
    def low(self) -> float:
        return clopper_pearson(self.k, self.n)[0]

    @property
    def high(self) -> float:
        return clopper_pearson(self.k, self.n)[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What is known of one person's reviewing.

    ``overturned`` is the share of their answers, weighted by 1 / the probability of the second look, that was
    settled otherwise; ``wrong_approvals`` and ``wrong_objections`` say in which direction, ``open`` how many
    differ and wait to be settled. ``warm_up`` are the planted errors of drills that began shifts, in no other
    number. Times are of decisions, in milliseconds: median and the middle half.
    """

    person: User
    decisions: int
    drills: Share
    warm_up: Share
    evidence: float
    agreement: Share
    overturned: WeightedRate
    wrong_approvals: int
    wrong_objections: int
    open: int
    timed: int
    median_ms: float | None
    quarter_ms: float | None
    three_quarters_ms: float | None
    too_fast: Share
    shown: Share
    blind: Share

    @property
    def has_overturned(self) -> bool:
        """Say whether enough of their answers had a second look."""
        return self.overturned.n >= ENOUGH

    @property
    def has_times(self) -> bool:
        return self.timed >= ENOUGH

    @property
    def bias(self) -> Difference | None:
        """Return how much more they approve when the score is shown than when it is hidden at random."""
        if not (self.shown.is_enough and self.blind.is_enough):
            return None
        return difference_of_shares(self.shown.k, self.shown.n, self.blind.k, self.blind.n)

    @property
    def bias_words(self) -> str:
        """Return the difference in points of percent, with its range."""
        found = self.bias
        if found is None:
            return ""
        value, low, high = (100 * each for each in (found.value, found.low, found.high))
        return gettext("{value} points ({low} to {high})").format(
            value=f"{value:+.0f}", low=f"{low:+.0f}", high=f"{high:+.0f}"
        )

    @property
    def median_seconds(self) -> float | None:
        return None if self.median_ms is None else self.median_ms / 1000

    @property
    def quarter_seconds(self) -> float | None:
        return None if self.quarter_ms is None else self.quarter_ms / 1000

    @property
    def three_quarters_seconds(self) -> float | None:
        return None if self.three_quarters_ms is None else self.three_quarters_ms / 1000

    @property
    def is_flagged(self) -> bool:
        """Say whether the drills speak against catching 80% of planted errors, at any number of them."""
        return self.evidence >= 1 / FALSE_FLAG

    @property
    def signals(self) -> list[str]:
        """Return what makes one look closer, in words."""
        found = []
        if self.is_flagged:
            found.append(
                gettext(
                    "Missed {missed} of {planted} planted errors: more than chance explains for somebody who"
                    " catches {least}."
                ).format(
                    missed=self.drills.n - self.drills.k,
                    planted=self.drills.n,
                    least=wording.share_of(LEAST_CATCH),
                )
            )
        rate = self.too_fast.rate
        if self.too_fast.is_enough and rate is not None and rate >= MUCH_TOO_FAST:
            words = gettext("{share} of the approvals were faster than one can read.")
            found.append(words.format(share=wording.share_of(rate)))
        if self.bias is not None and self.bias.low > 0:
            found.append(gettext("Approves more when the score is shown than when it is hidden."))
        return found

    @property
    def coaching(self) -> bool:
        """Say whether a conversation is due: two signals or more. Nothing follows from it by itself."""
        return len(self.signals) >= 2


@dataclass(frozen=True, slots=True)
class _Drills:
    """Whether each planted error was caught, in order; apart, those of the drills that began a shift."""

    caught: list[bool] = field(default_factory=list)
    warm_up: list[bool] = field(default_factory=list)


class _Counts(TypedDict):
    reviewer_id: int
    decisions: int
    timed: int
    median: float | None
    quarter: float | None
    three_quarters: float | None
    approvals: int
    too_fast: int
    shown: int
    shown_approved: int
    hidden: int
    hidden_approved: int


def of_everybody(*, now: datetime) -> list[Quality]:
    """Return everybody who decided in the period, by name. Four queries, however many people."""
    since = now - PERIOD
    counted = {row["reviewer_id"]: row for row in _counts(since)}
    drills, doubles = _drills(since), _doubles(since)
    people = User.objects.filter(pk__in=[*counted, *drills], is_active=True)
    named = sorted(people, key=lambda each: (each.get_full_name() or each.get_username()).casefold())
    return [_quality(each, counted.get(each.pk), drills.get(each.pk), doubles[each.pk]) for each in named]


def of_person(person: User, *, now: datetime) -> Quality:
    """Return one person's. Three queries."""
    since = now - PERIOD
    counted = {row["reviewer_id"]: row for row in _counts(since, person)}
    drills, doubles = _drills(since, person), _doubles(since, person)
    return _quality(person, counted.get(person.pk), drills.get(person.pk), doubles[person.pk])


def _quality(
    person: User, counts: _Counts | None, drills: _Drills | None, doubles: Sequence[DoubleReview]
) -> Quality:
    caught, warm_up = (drills.caught, drills.warm_up) if drills is not None else ([], [])
    # What was asked for because of a complaint says nothing of this person in general.
    first = [each for each in doubles if each.first_reviewer_id == person.pk]
    settled = [each for each in first if each.agreed or each.settled_kind]
    turned = [not each.agreed and each.settled_kind != each.first_kind for each in settled]
    approve = DecisionKind.APPROVE.value
    wrong = [each for each, is_turned in zip(settled, turned, strict=True) if is_turned]
    overturned = hajek_rate(
        [1 / (each.propensity or 1.0) for each in settled], [float(each) for each in turned], delta=0.025
    )
    return Quality(
        person=person,
        decisions=counts["decisions"] if counts else 0,
        drills=Share(k=sum(caught), n=len(caught)),
        warm_up=Share(k=sum(warm_up), n=len(warm_up)),
        evidence=evidence_of_misses(caught, least_catch=LEAST_CATCH),
        agreement=Share(k=sum(each.agreed for each in doubles), n=len(doubles)),
        overturned=overturned,
        wrong_approvals=sum(each.first_kind == approve for each in wrong),
        wrong_objections=sum(each.first_kind != approve for each in wrong),
        open=len(first) - len(settled),
        timed=counts["timed"] if counts else 0,
        median_ms=counts["median"] if counts else None,
        quarter_ms=counts["quarter"] if counts else None,
        three_quarters_ms=counts["three_quarters"] if counts else None,
        too_fast=Share(k=counts["too_fast"] if counts else 0, n=counts["approvals"] if counts else 0),
        shown=Share(k=counts["shown_approved"] if counts else 0, n=counts["shown"] if counts else 0),
        blind=Share(k=counts["hidden_approved"] if counts else 0, n=counts["hidden"] if counts else 0),
    )


def _counts(since: datetime, person: User | None = None) -> list[_Counts]:
    """Count released decisions on real items: drills are apart, and what was undone is none."""
    found = Decision.objects.filter(
        undone_at=None, decided_at__gte=since, item__kind__in=_LOOKS, action__drill=False
    )
    if person is not None:
        found = found.filter(reviewer=person)
    approve = Q(kind=DecisionKind.APPROVE)
    single = Q(bulk=False)
    # Held items are shown or hidden by lot; routine checks are always blind and would be compared unfairly.
    gate = Q(item__kind=ItemKind.GATE)
    timed = single & Q(decision_ms__isnull=False)
    rows = (
        found.order_by()
        .values("reviewer_id")
        .annotate(
            decisions=Count("pk"),
            timed=Count("pk", filter=timed),
            median=_Percentile(F("decision_ms"), share=0.5, filter=timed),
            quarter=_Percentile(F("decision_ms"), share=0.25, filter=timed),
            three_quarters=_Percentile(F("decision_ms"), share=0.75, filter=timed),
            approvals=Count("pk", filter=approve & single),
            too_fast=Count("pk", filter=approve & single & Q(considered=False)),
            shown=Count("pk", filter=gate & single & Q(blind=False)),
            shown_approved=Count("pk", filter=gate & single & approve & Q(blind=False)),
            hidden=Count("pk", filter=gate & single & Q(blind=True)),
            hidden_approved=Count("pk", filter=gate & single & approve & Q(blind=True)),
        )
    )
    return [_Counts(**row) for row in rows]


def _drills(since: datetime, person: User | None = None) -> dict[int, _Drills]:
    """Return for each person whether they caught each planted error, in the order of their answers."""
    rows = DrillResult.objects.filter(decided_at__gte=since).exclude(error_kind="")
    if person is not None:
        rows = rows.filter(reviewer=person)
    found: defaultdict[int, _Drills] = defaultdict(_Drills)
    named = rows.order_by("decided_at", "pk").values_list("reviewer_id", "caught", "warm_up")
    for reviewer, caught, warm_up in named:
        (found[reviewer].warm_up if warm_up else found[reviewer].caught).append(caught)
    return dict(found)


def _doubles(since: datetime, person: User | None = None) -> defaultdict[int, list[DoubleReview]]:
    rows = DoubleReview.objects.filter(reviewed_at__gte=since, propensity__isnull=False)
    if person is not None:
        rows = rows.filter(Q(first_reviewer=person) | Q(second_reviewer=person))
    found: defaultdict[int, list[DoubleReview]] = defaultdict(list)
    for each in rows.order_by("pk"):
        found[each.first_reviewer_id].append(each)
        found[each.second_reviewer_id].append(each)
    return found

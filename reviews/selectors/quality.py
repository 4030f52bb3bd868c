"""How well people review: for themselves, and for those who lead them. Never a ranking (statistics.md 1.5).

Each number says of how many it is and is kept back while they are too few. Signals lead to a conversation,
never to a consequence by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from django.contrib.auth.models import User
from django.utils.translation import gettext

from hitl_site.lib import wording
from policies.models import DoubleReview
from policies.statistics.detection import chance_of_run, evidence_of_misses, sensitivity_and_criterion
from policies.statistics.differences import Difference, Larger, difference_of_shares, larger_in_pairs
from policies.statistics.intervals import WeightedRate, clopper_pearson, hajek_rate
from reviews.choices import DecisionKind
from reviews.selectors import quality_rows
from reviews.selectors.quality_rows import Counts, Drills, Lately

ENOUGH: Final = 30
PERIOD: Final = timedelta(days=90)
LEAST_CATCH: Final = 0.8
# The chance that somebody who catches 80% is ever flagged.
FALSE_FLAG: Final = 0.05
MUCH_TOO_FAST: Final = 0.2
# No floor time is known but those that action types declare.
UNMEASURED: Final[Mapping[int, int]] = MappingProxyType({})
# A run of approvals that chance brings less often is a signal.
RARE_RUN: Final = 0.01


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
    number. Times are of decisions, in milliseconds: median and the middle half. ``clean`` are drills that
    were right as they stood and passed, ``objected`` the same answers among second opinions that at least one
    of the two did not approve. ``longest_run`` is of approvals, ``run_chance`` how often chance brings one as
    long to somebody who approves as much; ``longer`` compares the time on planted errors with other items.
    ``too_fast`` are approvals under the floor time of their action type (``reviews.selectors.floor_times``).
    """

    person: User
    decisions: int
    drills: Share
    warm_up: Share
    clean: Share
    evidence: float
    agreement: Share
    objected: Share
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
    approvals: Share
    longest_run: int
    run_chance: float
    longer: Larger | None

    @property
    def has_overturned(self) -> bool:
        """Say whether enough of their answers had a second look."""
        return self.overturned.n >= ENOUGH

    @property
    def has_times(self) -> bool:
        return self.timed >= ENOUGH

    @property
    def sensitivity(self) -> tuple[float, float] | None:
        """Return d' and c: how well right and wrong are told apart, and how leniently."""
        if not (self.drills.is_enough and self.clean.is_enough):
            return None
        return sensitivity_and_criterion(
            self.drills.k, self.drills.n, self.clean.n - self.clean.k, self.clean.n
        )

    @property
    def has_run(self) -> bool:
        """Say whether there are enough decisions for a run of approvals to tell anything."""
        return self.approvals.is_enough

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
            words = gettext("{share} of the approvals were under the floor time of their type.")
            found.append(words.format(share=wording.share_of(rate)))
        if self.bias is not None and self.bias.low > 0:
            found.append(gettext("Approves more when the score is shown than when it is hidden."))
        if self.longer is not None and self.longer.share <= 0.5:
            found.append(gettext("Takes no more time over planted errors than over other items."))
        if self.has_run and self.run_chance < RARE_RUN:
            words = gettext("Approved {number} in a row, which chance hardly ever brings.")
            found.append(words.format(number=wording.number(self.longest_run)))
        return found

    @property
    def coaching(self) -> bool:
        """Say whether a conversation is due: two signals or more. Nothing follows from it by itself."""
        return len(self.signals) >= 2


def of_everybody(*, floors: Mapping[int, int] = UNMEASURED, now: datetime) -> list[Quality]:
    """Return everybody who decided in the period, by name. Five queries, however many people.

    ``floors`` are the measured floor times (``reviews.selectors.floor_times.measured``).
    """
    since = now - PERIOD
    counted = {row["reviewer_id"]: row for row in quality_rows.counts(since, floors)}
    drills, doubles, lately = (
        quality_rows.drills(since),
        quality_rows.doubles(since),
        quality_rows.lately(since),
    )
    people = User.objects.filter(pk__in=[*counted, *drills], is_active=True)
    named = sorted(people, key=lambda each: (each.get_full_name() or each.get_username()).casefold())
    return [
        _quality(each, counted.get(each.pk), drills[each.pk], doubles[each.pk], lately[each.pk])
        for each in named
    ]


def of_person(person: User, *, floors: Mapping[int, int] = UNMEASURED, now: datetime) -> Quality:
    """Return one person's, likewise. Four queries."""
    since = now - PERIOD
    counted = {row["reviewer_id"]: row for row in quality_rows.counts(since, floors, person)}
    drills, doubles, lately = (
        quality_rows.drills(since, person),
        quality_rows.doubles(since, person),
        quality_rows.lately(since, person),
    )
    return _quality(person, counted.get(person.pk), drills[person.pk], doubles[person.pk], lately[person.pk])


def _quality(
    person: User,
    counts: Counts | None,
    drills: Drills,
    doubles: Sequence[DoubleReview],
    lately: Lately,
) -> Quality:
    caught, warm_up = drills.caught, drills.warm_up
    # What was asked for because of a complaint says nothing of this person in general.
    first = [each for each in doubles if each.first_reviewer_id == person.pk]
    settled = [each for each in first if each.agreed or each.settled_kind]
    turned = [not each.agreed and each.settled_kind != each.first_kind for each in settled]
    approve = DecisionKind.APPROVE.value
    wrong = [each for each, is_turned in zip(settled, turned, strict=True) if is_turned]
    doubted = [each for each in doubles if {each.first_kind, each.second_kind} != {approve}]
    approvals = Share(k=sum(lately.approved), n=len(lately.approved))
    longest = _longest_run(lately.approved)
    overturned = hajek_rate(
        [1 / (each.propensity or 1.0) for each in settled], [float(each) for each in turned], delta=0.025
    )
    return Quality(
        person=person,
        decisions=counts["decisions"] if counts else 0,
        drills=Share(k=sum(caught), n=len(caught)),
        warm_up=Share(k=sum(warm_up), n=len(warm_up)),
        clean=Share(k=sum(drills.clean), n=len(drills.clean)),
        evidence=evidence_of_misses(caught, least_catch=LEAST_CATCH),
        agreement=Share(k=sum(each.agreed for each in doubles), n=len(doubles)),
        objected=Share(k=sum(each.agreed for each in doubted), n=len(doubted)),
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
        approvals=approvals,
        longest_run=longest,
        run_chance=chance_of_run(longest, trials=approvals.n, rate=approvals.rate or 0.0) if longest else 1.0,
        longer=larger_in_pairs(drills.took, lately.took)
        if min(len(drills.took), len(lately.took)) >= ENOUGH
        else None,
    )


def _longest_run(approved: Sequence[bool]) -> int:
    longest = running = 0
    for each in approved:
        running = running + 1 if each else 0
        longest = max(longest, running)
    return longest

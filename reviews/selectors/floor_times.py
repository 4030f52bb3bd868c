"""How long a right approval of each action type takes at least (statistics.md 1.5).

It rests on approvals that were found right by two people, blind to each other: the second opinions that were
drawn at random. It is a signal and nothing else. Whether an approval counts as evidence is another question,
answered once and for all when it is given, by the reading floor that the action type declares
(``reviews.selectors.attention.floor_of``): a team that is fast together must not make its own speed evidence,
and what somebody answered in good time must not lose its weight because others turn out to be slower.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import F, Q, Window
from django.db.models.functions import RowNumber

from policies.models import ActionType
from policies.statistics.floor_time import FEWEST, FEWEST_PEOPLE, floor_time
from reviews.choices import DecisionKind, ItemKind
from reviews.models import Decision

# So many of the last right approvals of a type tell how long they take: enough, whatever the volume.
LAST: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorTime:
    """What an approval of one action type takes at least, in milliseconds.

    ``declared_ms`` is the reading floor that the type declares (longer arguments need longer, 0: none),
    ``measured_ms`` the time that 95% of ``n`` right approvals by ``people`` took, None while there are too
    few of them.
    """

    action_type: ActionType
    declared_ms: int
    measured_ms: int | None
    n: int
    people: int

    @property
    def floor_ms(self) -> int:
        """Return the longer of the two: a fast team lowers nothing."""
        return max(self.declared_ms, self.measured_ms or 0)

    @property
    def declared_seconds(self) -> float:
        return self.declared_ms / 1000

    @property
    def measured_seconds(self) -> float | None:
        return None if self.measured_ms is None else self.measured_ms / 1000

    @property
    def floor_seconds(self) -> float:
        return self.floor_ms / 1000

    @property
    def is_measured(self) -> bool:
        """Say whether what was measured is what counts here."""
        return self.measured_ms is not None and self.measured_ms > self.declared_ms

    @property
    def lacks_people(self) -> bool:
        """Say whether there are enough approvals, by too few people."""
        return self.n >= FEWEST and self.people < FEWEST_PEOPLE


def by_type(*, since: datetime) -> list[FloorTime]:
    """Return the floor of each action type of which a right approval is known since then, by name.

    Two queries. Each approval counts the same: within a type the draw of a second opinion is as likely for
    a fast answer as for a slow one.
    """
    double = "action__gate_check__double_review"
    found = Decision.objects.filter(
        Q(reviewer=F(f"{double}__first_reviewer"), item__kind__in=(ItemKind.GATE, ItemKind.AUDIT))
        | Q(reviewer=F(f"{double}__second_reviewer"), item__kind=ItemKind.SECOND_OPINION),
        Q(**{f"{double}__agreed": True}) | Q(**{f"{double}__settled_kind": DecisionKind.APPROVE}),
        **{f"{double}__reviewed_at__gte": since, f"{double}__propensity__isnull": False},
        **{f"{double}__action_type__isnull": False},
        kind=DecisionKind.APPROVE,
        released_at__isnull=False,
        bulk=False,
        decision_ms__isnull=False,
    )
    of_type = F(f"{double}__action_type")
    place = Window(RowNumber(), partition_by=of_type, order_by=F("pk").desc())
    rows = (
        found.annotate(place=place, of_type=of_type)
        .filter(place__lte=LAST)
        .values_list("of_type", "reviewer_id", "decision_ms")
    )
    took: defaultdict[int, list[int]] = defaultdict(list)
    people: defaultdict[int, set[int]] = defaultdict(set)
    for type_pk, reviewer, milliseconds in rows:
        took[type_pk].append(milliseconds or 0)
        people[type_pk].add(reviewer)
    return [
        FloorTime(
            action_type=each,
            declared_ms=each.reading_floor_ms,
            measured_ms=floor_time(took[each.pk], people=len(people[each.pk])),
            n=len(took[each.pk]),
            people=len(people[each.pk]),
        )
        for each in ActionType.objects.filter(pk__in=took).order_by("name")
    ]


def measured(floors: Iterable[FloorTime]) -> Mapping[int, int]:
    """Return the measured times by the key of their action type, where there are any."""
    return {each.action_type.pk: each.measured_ms for each in floors if each.measured_ms is not None}

"""The earlier decisions that are most like an action, and whether an answer would contradict them.

Candidates come from two indexes, so that what is read does not grow with the table: the newest decisions of
the action type, and those that share what is rare. What is rare the database knows from its own statistics
(``pg_stats``), which cost one look into the catalogue.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy, ngettext, pgettext

from hitl_site.lib.strict_json import JsonValue
from reviews.choices import DecisionKind, ItemStatus
from reviews.engine import precedents
from reviews.models import ActionRequest, Precedent, ReviewItem
from reviews.selectors import drills
from reviews.selectors.actions import proposed_arguments
from reviews.selectors.difference import Difference, difference
from reviews.selectors.independence import APART
from reviews.selectors.reasons import reason_codes
from reviews.selectors.verbs import verb_of

SHOWN: Final = 3
_LEAST_ALIKE: Final = 0.4
_NEWEST: Final = 150
_SHARING: Final = 150
_COMPARED: Final = 24
_RARE_TOKENS: Final = 12
# What more decisions than this share tells nothing, and takes long to read.
_RARE: Final = 200
# Without statistics nobody knows what is rare; a table of this size can be read all the same.
_SMALL: Final = 20_000

_COMMON = """SELECT pg_class.reltuples::bigint,
           (SELECT array_agg(token)
            FROM unnest(most_common_elems::text::bigint[], most_common_elem_freqs) AS element (token, share)
            WHERE share * pg_class.reltuples > %s),
           pg_stats.tablename IS NOT NULL
    FROM pg_class LEFT JOIN pg_stats
      ON pg_stats.schemaname = current_schema() AND pg_stats.tablename = 'reviews_precedent'
         AND pg_stats.attname = 'tokens' AND NOT pg_stats.inherited
    WHERE pg_class.oid = 'reviews_precedent'::regclass
"""
# The bounds stand outside of what reads the index over tokens: with them inside, the planner may walk the
# whole table from its newest end, in the hope of an early match.
_CANDIDATES = """WITH sharing AS MATERIALIZED (
        SELECT action_id, tokens FROM reviews_precedent
        WHERE tokens && %(rare)s::bigint[] AND action_type_id = %(type)s AND action_id <> %(action)s
    ), newest AS MATERIALIZED (
        SELECT action_id, tokens FROM reviews_precedent
        WHERE action_type_id = %(type)s AND action_id <> %(action)s
        ORDER BY action_id DESC LIMIT %(newest)s
    )
    (SELECT action_id, tokens FROM sharing ORDER BY action_id DESC LIMIT %(sharing)s)
    UNION SELECT action_id, tokens FROM newest
"""


@dataclass(frozen=True)
class Found:
    """One earlier decision: how alike its proposal was, what was decided and why.

    ``who`` is "" where the decision was blind. ``corrected`` is what the person changed, None where nothing.
    """

    action_id: str
    title: str
    kind: DecisionKind
    verb: str
    decided_at: datetime
    who: str
    reasons: tuple[str, ...]
    note: str
    alike: float
    twin: bool
    differs: Difference
    corrected: Difference | None


@dataclass(frozen=True)
class Precedents:
    """What was decided on the most alike actions, the most alike first."""

    found: tuple[Found, ...]

    @property
    def twins(self) -> tuple[Found, ...]:
        """Return those that are nearly the same."""
        return tuple(each for each in self.found if each.twin)

    def contradiction(self, kind: str) -> str:
        """Return how this answer would contradict all of its twins, "" where it would not.

        Letting something run contradicts twins that were all rejected, rejecting it those that all ran, and
        approving it as it is those that were all corrected.
        """
        kinds = {twin.kind for twin in self.twins}
        if not kinds or kind not in _AGAINST:
            return ""
        ran = DecisionKind.REJECT not in kinds
        against = (kinds == {DecisionKind.REJECT} if kind != DecisionKind.REJECT else ran) or (
            kind == DecisionKind.APPROVE and kinds == {DecisionKind.CORRECT}
        )
        if not against:
            return ""
        said = pgettext("between several", " or ").join(sorted(verb_of(each) for each in kinds))
        why = ", ".join(dict.fromkeys(reason for twin in self.twins for reason in twin.reasons))
        before = ngettext(
            "The same kind of action was {said}.",
            "{n} actions of the same kind were {said}.",
            len(self.twins),
        ).format(n=len(self.twins), said=f"{said} ({why})" if why else said)
        return f"{before} {_AGAINST[DecisionKind(kind)]}"


_AGAINST: Final = {
    DecisionKind.APPROVE: gettext_lazy("Approving this would contradict that."),
    DecisionKind.CORRECT: gettext_lazy("Letting your version run would contradict that."),
    DecisionKind.REJECT: gettext_lazy("Rejecting this would contradict that."),
}
NOTHING = Precedents(found=())
# Whoever may be asked about a decision anew must not read it here.
_ASKED_AGAIN = ReviewItem.objects.filter(
    action=OuterRef("action"), kind__in=APART, status__in=(ItemStatus.OPEN, ItemStatus.RECORDED)
)


def precedents_of(action: ActionRequest) -> Precedents:
    """Return the decisions on what is most alike. Not to be shown for an item that is blind."""
    if action.action_type_id is None:
        return NOTHING
    arguments: JsonValue = dict(proposed_arguments(action))
    own = precedents.tokens(action.action_type_name, arguments, action.subject)
    keys = precedents.most_alike(_candidates(action, own), frozenset(own), _COMPARED)
    rows = (
        Precedent.objects.filter(~Exists(_ASKED_AGAIN), pk__in=keys)
        # What a drill was made from would give its answer away.
        .exclude(action_id=drills.source_of(action))
        .select_related("decision", "action__action_type")
        .only(
            "kind", "decided_at", "decision__reviewer_name", "decision__reasons", "decision__note",
            "decision__blind", "decision__final_arguments_canonical", "action__public_id", "action__title",
            "action__arguments_canonical", "action__action_type__reason_codes",
        )
    )  # fmt: skip
    scored = [(precedents.alike(arguments, proposed_arguments(row.action)), row) for row in rows]
    scored.sort(key=lambda pair: (pair[0], pair[1].pk), reverse=True)
    return Precedents(
        tuple(_found(row, share, arguments) for share, row in scored[:SHOWN] if share >= _LEAST_ALIKE)
    )


def _found(row: Precedent, share: float, arguments: JsonValue) -> Found:
    decision, before = row.decision, proposed_arguments(row.action)
    labels = {reason.code: reason.words for reason in reason_codes(row.action.action_type)}
    final = decision.final_arguments_canonical
    return Found(
        action_id=row.action.public_id,
        title=row.action.title,
        kind=DecisionKind(row.kind),
        verb=verb_of(row.kind),
        decided_at=row.decided_at,
        who="" if decision.blind else decision.reviewer_name,
        reasons=tuple(labels.get(code, code) for code in decision.reasons),
        note=decision.note,
        alike=share,
        twin=share >= precedents.TWIN,
        differs=difference(dict(before), arguments),
        corrected=difference(dict(before), json.loads(bytes(final))) if final is not None else None,
    )


def _candidates(action: ActionRequest, own: Sequence[int]) -> dict[int, frozenset[int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            _CANDIDATES,
            {
                "rare": _rare(own),
                "type": action.action_type_id,
                "action": action.pk,
                "newest": _NEWEST,
                "sharing": _SHARING,
            },
        )
        return {key: frozenset(tokens) for key, tokens in cursor.fetchall()}


def _rare(own: Sequence[int]) -> list[int]:
    """Return the tokens that few decisions share, the most telling first; none where nobody can know."""
    with connection.cursor() as cursor:
        cursor.execute(_COMMON, [_RARE])
        size, common, has_statistics = cursor.fetchone()
    if not has_statistics and size > _SMALL:
        return []
    too_common = frozenset(common or ())
    return [token for token in own if token not in too_common][:_RARE_TOKENS]

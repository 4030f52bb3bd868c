"""The past of an action, as the gate asks for it: measures over windows, and acts that were refused.

A measure counts what ran or may still run: allowed, approved, corrected and observed actions, and those that
wait for a person. It never counts the action being judged, which the gate adds itself.

Two actions of the same past that come at once are judged one after the other: an advisory lock on that past
is taken before it is measured and held until the transaction ends, so that the second sees the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import DataError, OperationalError, connection, transaction

from hitl_site.lib import rows
from hitl_site.lib.canonical import canonicalize
from hitl_site.lib.strict_json import JsonValue
from policies.engine.documents import value_at
from policies.engine.measures import AMOUNT_TEXT, Measure, MeasureFunction, Unmeasured
from policies.models import ActionType
from policies.services.gate import Proposal
from reviews.choices import ActionState
from reviews.selectors.likeness import likeness_of

COUNTED: Final = (
    ActionState.ALLOWED,
    ActionState.APPROVED,
    ActionState.CORRECTED,
    ActionState.OBSERVED,
    ActionState.PENDING_REVIEW,
)
# A stop or a freeze says nothing of the act itself: once it is over, the same act is a new one.
NO_OPINION: Final = ("kill_switch", "agent_inactive", "freeze_window")
# Cancelled for taking too long, not granted a lock in time, or the victim of a deadlock.
_OUT_OF_TIME: Final = frozenset({"57014", "55P03", "40P01"})

# What ran is what a person made of it.
_ARGUMENTS = """
    CASE WHEN a.state = 'corrected' AND a.final_arguments_canonical IS NOT NULL
         THEN convert_from(a.final_arguments_canonical, 'UTF8')::jsonb ELSE a.arguments END
"""
_AMOUNT = f"""
    CASE WHEN jsonb_typeof(found.amount) = 'number'
           OR jsonb_typeof(found.amount) = 'string' AND found.amount #>> '{{}}' ~ '^{AMOUNT_TEXT}$'
         THEN abs((found.amount #>> '{{}}')::numeric) END
"""
_STATEMENT = """
    SELECT {sum}, count(*) FILTER (WHERE {broken})
    FROM reviews_actionrequest a CROSS JOIN LATERAL (SELECT {amount} AS amount) AS found
    WHERE a.action_type_id IN (SELECT id FROM policies_actiontype WHERE name = ANY(%s))
      AND a.created_at > %s AND a.state = ANY(%s) AND a.id < %s AND NOT a.drill AND {whose}
"""
_LOCKS = """
    SELECT pg_advisory_xact_lock(past.key) FROM (
        SELECT DISTINCT hashtextextended('past:' || whose || ':' || {folded}, 0) AS key
        FROM unnest(%s::text[], %s::text[]) AS named(whose, value)
        ORDER BY key
    ) AS past
"""
_REFUSAL = """
    WITH undoable AS MATERIALIZED (
        SELECT d.action_id, d.decided_at FROM reviews_decision d
        WHERE d.released_at IS NULL AND d.undone_at IS NULL AND d.terminal AND d.kind = 'reject'
    )
    SELECT refused.public_id FROM (
        (SELECT a.public_id, a.closed_at AS refused_at
        FROM reviews_actionrequest a
        WHERE a.likeness = {likeness} AND NOT a.likeness = '' AND a.closed_at >= {since}
          AND a.state IN ('rejected', 'denied') AND a.id < {before}
          AND (a.state = 'denied' AND (
                   -- By its key, one at a time: a join may read all of them.
                   SELECT c.reasons -> 0 ->> 'code' FROM policies_gatecheck c WHERE c.id = a.gate_check_id
               ) <> ALL({no_opinion})
               OR a.state = 'rejected' AND EXISTS (
                   SELECT FROM reviews_decision d
                   WHERE d.action_id = a.id AND d.kind = 'reject' AND d.undone_at IS NULL))
        -- The latest one is the first of the index, however often the act came.
        ORDER BY a.closed_at DESC LIMIT 1)
        UNION ALL
        -- A rejection that can still be taken back counts until it is.
        SELECT a.public_id, d.decided_at
        FROM undoable d JOIN reviews_actionrequest a ON a.id = d.action_id
        WHERE a.likeness = {likeness} AND a.state = 'pending_review' AND a.id < {before}
    ) AS refused
    ORDER BY refused.refused_at DESC, refused.public_id DESC LIMIT 1
"""
_REFUSED = _REFUSAL.format(
    likeness="$1", since="$2::timestamptz", before="$3::bigint", no_opinion="$4::text[]"
)
# As PostgreSQL's expressions write them; those of ``policies.engine.folding``.
_DRAWS_NOTHING: Final = (
    r"\u0001-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u202a-\u202e\u2060-\u206f\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
)
_DASHES: Final = r"\u058a\u05be\u2010-\u2015\u2043\u207b\u208b\u2212\u2e3a\u2e3b\ufe58\ufe63\uff0d"
_NEVER_REACHED: Final = 2**63 - 1
_Value = str | int | datetime | list[str]


@dataclass(frozen=True, slots=True)
class KnownRefusal:
    """What was found a moment ago for this very action: the latest act like it refused since then."""

    since: datetime
    action_id: str | None


def refusal_beside(*, likeness: str, since: str) -> str:
    """Return the question for a refused act as a column of another statement; both name what stands there."""
    asked = _REFUSAL.format(
        likeness=likeness,
        since=since,
        before=f"{_NEVER_REACHED}::bigint",
        no_opinion="'{" + ",".join(NO_OPINION) + "}'::text[]",
    )
    return f"({asked})"


@dataclass(frozen=True, kw_only=True)
class History:
    """The past of one action. ``gate.Past``.

    ``before`` is the key of the action itself where it is stored already: what came after it is not its past,
    and it is judged on its own place in the row. ``waits`` takes the locks; they need a transaction, and an
    answer that nothing rests on needs no locks.
    """

    before: int = _NEVER_REACHED
    waits: bool = True
    known: KnownRefusal | None = None

    def without_waiting(self) -> History:
        """Return the same past for an answer that nothing rests on."""
        return replace(self, waits=False)

    def measure(
        self, *, measures: Sequence[Measure], proposal: Proposal, now: datetime
    ) -> Mapping[str, Decimal | Unmeasured]:
        """Return what each measure comes to without the action itself, or why it has no value.

        All of them have none when the database does not answer in time: then a person decides.
        """
        named = {measure.name: _whose(measure, proposal) for measure in measures}
        try:
            # A savepoint, so that the transaction of the caller outlives a statement that was cut off.
            with transaction.atomic():
                if self.waits:
                    _lock([past for past in named.values() if isinstance(past, _Whose)])
                return {
                    measure.name: self._measured(measure, named[measure.name], proposal, now)
                    for measure in measures
                }
        except DataError:
            return dict.fromkeys(named, Unmeasured("the past holds amounts beyond all numbers"))
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) not in _OUT_OF_TIME:
                raise
            return dict.fromkeys(named, Unmeasured("the past could not be looked at in time"))

    def refused_before(
        self, *, proposal: Proposal, action_type: ActionType | None, since: datetime
    ) -> str | None:
        """Return the act that looks the same and was refused last, at or after ``since``."""
        if self.known is not None and self.known.since == since:
            return self.known.action_id
        likeness = likeness_of(
            agent_name=proposal.agent.name,
            subject=proposal.subject,
            action_type_name=proposal.action_type_name,
            action_type=action_type,
            environment=proposal.environment,
            arguments=proposal.arguments,
        )
        return refused(likeness=likeness, since=since, before=self.before)

    def _measured(
        self, measure: Measure, whose: _Whose | Unmeasured, proposal: Proposal, now: datetime
    ) -> Decimal | Unmeasured:
        if isinstance(whose, Unmeasured):
            return whose
        sums = measure.function is MeasureFunction.SUM
        statement = _STATEMENT.format(
            sum=f"coalesce(sum({_AMOUNT}), 0)" if sums else "count(*)",
            broken=f"{_AMOUNT} IS NULL" if sums else "false",
            amount=f"({_ARGUMENTS}) #> %s" if sums else "NULL::jsonb",
            whose=whose.condition,
        )
        values: list[_Value] = [
            *([_path(measure.pointer)] if sums else []),
            list(measure.action_types or (proposal.action_type_name,)),
            now - timedelta(seconds=measure.window_seconds),
            [state.value for state in COUNTED],
            self.before,
            *whose.values,
        ]
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            total, broken = cursor.fetchone()
        if broken:
            return Unmeasured(f"{broken} earlier actions have no amount at {measure.pointer}")
        return Decimal(total)


def refused(*, likeness: str, since: datetime, before: int) -> str | None:
    """Return the latest act of this likeness refused at or after ``since``, of those stored before a key."""
    with rows.server_side_cursor() as cursor:
        cursor.execute(_REFUSED, [likeness, since, str(before), list(NO_OPINION)])
        row = cursor.fetchone()
    return str(row[0]) if row is not None else None


@dataclass(frozen=True)
class _Whose:
    """Whose past: a condition on the actions with its values, and the name that two of the same share."""

    condition: str
    values: tuple[_Value, ...]
    lock: tuple[str, str]


def _whose(measure: Measure, proposal: Proposal) -> _Whose | Unmeasured:
    if measure.of == "agent":
        return _Whose("a.agent_id = %s", (proposal.agent.pk,), ("agent", _text(proposal.agent.pk)))
    if measure.of == "subject":
        if proposal.subject is None:
            return Unmeasured("the action names no subject")
        given = proposal.subject
        same = "a.subject IS NOT NULL AND handrail_folded(a.subject) = handrail_folded(%s)"
        return _Whose(same, (given,), ("subject", _text(given)))
    if measure.of == "conversation":
        if not proposal.conversation_id:
            return Unmeasured("the action names no conversation")
        given = proposal.conversation_id
        same = "handrail_folded(a.conversation_id) = handrail_folded(%s)"
        return _Whose(same, (given,), ("conversation", _text(given)))
    try:
        value = value_at(proposal.arguments, measure.of)
    except LookupError:
        return Unmeasured(f"the arguments have nothing at {measure.of}")
    if not isinstance(value, str | int | float):
        return Unmeasured(f"at {measure.of} is no single value")
    same = f"{_folded(f'(({_ARGUMENTS}) #> %s)')} = {_folded('%s::jsonb')}"
    path, text = _path(measure.of), _text(value)
    return _Whose(same, (path, path, path, text, text, text), (measure.of, text))


def _folded(value: str) -> str:
    """Return SQL for a JSON value as a text in which white space, dashes, case and forms of Unicode are one.

    The same expression stands on both sides of a comparison, so that it need not agree with any other.
    """
    return (
        f"CASE jsonb_typeof({value}) WHEN 'number' THEN trim_scale(({value} #>> '{{}}')::numeric)::text "
        f"ELSE lower(regexp_replace(normalize({value} #>> '{{}}', NFKC), "
        f"'[[:space:]{_DRAWS_NOTHING}{_DASHES}-]', '', 'g')) END"
    )


def _lock(pasts: Sequence[_Whose]) -> None:
    """Wait until nobody else judges an action with one of these pasts; always in the same order."""
    if not pasts:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _LOCKS.format(folded=_folded("value::jsonb")),
            [[past.lock[0] for past in pasts], [past.lock[1] for past in pasts]],
        )


def _path(pointer: str) -> list[str]:
    return list(_tokens(pointer))


def _tokens(pointer: str) -> Iterator[str]:
    return (token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])


def _text(value: JsonValue) -> str:
    return canonicalize(value).decode()

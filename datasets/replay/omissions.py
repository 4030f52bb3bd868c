"""What agents left undone: recorded conversations closed by their agents, a random share read by a person.

A gate sees what is proposed. What should have been done and never was, only who reads a whole conversation
can see. The recording says how many calls were missing in each: those conversations that the site draws are
answered by that, and what the site then says of all (a rate with its range) is held against the truth.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import User

from datasets.choices import CheckFinding
from datasets.models import Conversation, ConversationCheck, LabelledCase, Omission
from datasets.replay import plan
from datasets.replay.agent_side import AgentSide
from datasets.replay.ground_truth import same
from datasets.replay.plan import Account
from datasets.replay.recording import Ending, Record, Write
from datasets.replay.report import Progress
from datasets.selectors import omissions
from datasets.services import conversations
from handrail import NotApproved
from hitl_site.lib.clock import database_now
from policies.models import ActionType, Agent
from policies.statistics.intervals import clopper_pearson

# Closing is one short request: more at once would only wait for each other.
CLOSING_AT_ONCE: Final = 8
NOTE: Final = "The recorded task wanted it, and it was never proposed as it should have been."


@dataclass(frozen=True, slots=True)
class Line:
    """Of one agent version: what the site found in those it drew, and what is true of all."""

    agent: str
    version: str
    closed: int
    read: int
    missing: int
    rate: float | None
    low: float
    high: float
    truly_missing: int

    @property
    def truth(self) -> float:
        return self.truly_missing / self.closed

    @property
    def holds(self) -> bool:
        return self.low <= self.truth <= self.high


@dataclass(frozen=True, slots=True)
class LeftUndone:
    """What became of recorded conversations. ``missed`` holds what the reader named, by conversation."""

    lines: tuple[Line, ...]
    missed: Mapping[str, tuple[Write, ...]]
    problems: tuple[str, ...]

    @property
    def omissions(self) -> int:
        return sum(len(writes) for writes in self.missed.values())

    def together(self) -> Line:
        """Return the line of all agents: every conversation was drawn with the same probability."""
        closed, read, missing = (
            sum(column)
            for column in zip(*((line.closed, line.read, line.missing) for line in self.lines), strict=True)
        )
        low, high = clopper_pearson(missing, read)
        truly = sum(line.truly_missing for line in self.lines)
        rate = missing / read if read else None
        return Line("together", "", closed, read, missing, rate, low, high, truly)


def replay(
    endings: Sequence[Ending],
    records: Sequence[Record],
    *,
    agents: AgentSide,
    share: float,
    reader: Account,
) -> LeftUndone:
    """Close every conversation, answer those drawn, and compare. Safe to repeat: it goes on where it stopped.

    ``records`` are what was proposed in them: they tell which of the expected calls were the missing ones.
    """
    _set_share({ending.agent for ending in endings}, share)
    not_closed = _close(endings, agents)
    missed, unanswered = _read(endings, records, User.objects.get(username=reader.username))
    problems = (*not_closed, *unanswered, *_problems(endings, missed))
    return LeftUndone(tuple(_lines(endings)), missed, problems)


def without_case() -> int:
    """Return how many omissions have no case yet."""
    return Omission.objects.exclude(public_id__in=LabelledCase.objects.values("decision_id")).count()


def missing_writes(
    ending: Ending, records: Sequence[Record], *, handoffs: Collection[str] = ()
) -> tuple[Write, ...]:
    """Return which of the expected calls were missing: those that no right proposal in it was.

    ``handoffs`` are action types that nobody grades: they are not counted as missing. Where the recordings of
    actions and of conversations tell another number, the conversation's own counts, and its last expected
    calls are taken.
    """
    if not ending.missing:
        return ()
    wanted = [write for write in ending.expected if write.action_type not in handoffs]
    left = list(wanted)
    for record in records:
        accepted = (record.arguments, *record.acceptable) if record.correct else ()
        for write in left:
            if write.action_type == record.action_type and any(
                same(write.arguments, each) for each in accepted
            ):
                left.remove(write)
                break
    chosen = next(each for each in (left, wanted, ending.expected) if len(each) >= ending.missing)
    return tuple(chosen[-ending.missing :])


def table(found: LeftUndone) -> str:
    """Return the table: a row an agent version, then all of them."""
    return "\n".join(
        [
            "agent and version                                      closed  read  missing   rate   95% range"
            "        truth   in it",
            *(_row(line) for line in (*found.lines, found.together())),
        ]
    )


def _row(line: Line) -> str:
    who = f"{line.agent} {line.version}".strip()
    rate = "-" if line.rate is None else f"{line.rate:.1%}"
    return (
        f"{who[:52]:<52} {line.closed:>8,} {line.read:>5,} {line.missing:>8,} {rate:>6}"
        f"   {f'{line.low:.1%} to {line.high:.1%}':<15}  {line.truth:>6.1%}   {'yes' if line.holds else 'no'}"
    )


def _set_share(names: Collection[str], share: float) -> None:
    now = database_now()
    operator = plan.make_operator(now=now)
    for agent in Agent.objects.filter(name__in=names).order_by("name"):
        if conversations.share_of(agent) != share:
            conversations.set_share(agent=agent, share=share, by=operator, now=now)


def _close(endings: Sequence[Ending], agents: AgentSide) -> list[str]:
    def close(ending: Ending) -> str:
        try:
            agents.close(ending)
        except NotApproved as refusal:
            return f"{ending.conversation_id}: not closed: {refusal.code}: {str(refusal)[:200]}"
        return ""

    progress = Progress(len(endings))
    problems: list[str] = []
    with ThreadPoolExecutor(CLOSING_AT_ONCE, thread_name_prefix="closing") as pool:
        for done, problem in enumerate(pool.map(close, endings), start=1):
            problems += [problem] if problem else []
            progress.show(done, said=" conversations closed")
    progress.end()
    return problems


def _read(
    endings: Sequence[Ending], records: Sequence[Record], reader: User
) -> tuple[dict[str, tuple[Write, ...]], list[str]]:
    """Answer what was drawn and waits; return what is missing in all that was drawn, and what went wrong."""
    proposed: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        proposed[record.agent, record.conversation_id].append(record)
    handoffs = {record.action_type for record in records if record.correct is None}
    missed: dict[str, tuple[Write, ...]] = {}
    problems: list[str] = []
    types = ActionType.objects.in_bulk(field_name="name")
    for ending, check in _drawn(endings):
        own = proposed[ending.agent, ending.conversation_id]
        writes = missing_writes(ending, own, handoffs=handoffs)
        # The same call twice in one conversation is one omission.
        missed[ending.conversation_id] = tuple(
            write for at, write in enumerate(writes) if not _is_among(write, writes[:at])
        )
        if not check.finding:
            try:
                _answer(check, missed[ending.conversation_id], types, reader)
            except conversations.UnableToCheck as refusal:
                problems.append(f"{ending.conversation_id}: the answer was not taken: {refusal}")
    return missed, problems


def _answer(
    check: ConversationCheck, writes: Sequence[Write], types: Mapping[str, ActionType], reader: User
) -> None:
    if not writes:
        conversations.find_complete(check_id=check.public_id, reviewer=reader, note="", now=database_now())
    for write in writes:
        conversations.find_missing(
            check_id=check.public_id,
            reviewer=reader,
            action_type=types[write.action_type],
            arguments=write.arguments,
            note=NOTE,
            now=database_now(),
        )


def _drawn(endings: Sequence[Ending]) -> Iterator[tuple[Ending, ConversationCheck]]:
    by_name = {(ending.agent, ending.conversation_id): ending for ending in endings}
    checks = ConversationCheck.objects.select_related("conversation__agent").order_by("id")
    for check in checks:
        talk = check.conversation
        ending = by_name.get((talk.agent.name, talk.conversation_id))
        if ending is not None:
            yield ending, check


def _is_among(write: Write, others: Sequence[Write]) -> bool:
    return any(
        write.action_type == other.action_type and same(write.arguments, other.arguments) for other in others
    )


def _problems(endings: Sequence[Ending], missed: Mapping[str, tuple[Write, ...]]) -> Iterator[str]:
    """Say what the site's own records hold otherwise than they should."""
    kept = set(Conversation.objects.values_list("agent__name", "conversation_id"))
    for ending in endings:
        if (ending.agent, ending.conversation_id) not in kept:
            yield f"{ending.conversation_id}: lost: the site has no such conversation"
    for ending, check in _drawn(endings):
        should = CheckFinding.MISSING if ending.missing else CheckFinding.COMPLETE
        if check.finding != should:
            yield f"{ending.conversation_id}: {check.finding or 'unanswered'}, and the truth is {should}"
        found = check.omissions.count()
        if found != len(missed[ending.conversation_id]):
            yield f"{ending.conversation_id}: {found} omissions of {len(missed[ending.conversation_id])}"


def _lines(endings: Sequence[Ending]) -> Iterator[Line]:
    truth: dict[tuple[str, str], int] = defaultdict(int)
    for ending in endings:
        truth[ending.agent, ending.model] += ending.missing > 0
    for rate in omissions.rates():
        who = (rate.agent_version.agent.name, rate.agent_version.label)
        if who in truth:
            yield Line(
                *who, rate.closed, rate.checked, rate.missing, rate.rate, rate.low, rate.high, truth[who]
            )

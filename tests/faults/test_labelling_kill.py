"""Kill -9 of whoever makes cases, at random places: every decision has its case once, and never half of one.

The places are statements of the database and the commit itself, before and after: between two of them a death
changes nothing that anybody can see.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn
from unittest import mock

import pytest
from django.db import connection

from datasets.models import CaseCuration, LabelledCase
from datasets.services import ground_truth, labelling
from datasets.tests.base import decide, release
from hitl_site.lib.clock import database_now
from policies.models import LedgerCursor, LedgerEntry
from reviews.choices import DecisionKind
from reviews.models import Decision
from reviews.tests.cast import Cast, make_cast

DECISIONS = 18
MOST_KILLS = 40
# A turn looks at so few entries that many turns, and so many commits, are there to die at.
LIMIT = 5
# Two turns that make cases have about as many.
STATEMENTS = 50


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_makes_cases_and_dies_at_random_places_makes_each_exactly_once() -> None:
    people = make_cast()
    for number in range(DECISIONS):
        _decide_one_more(people, number)
    release()
    wanted = set(Decision.objects.values_list("public_id", flat=True))
    places = random.Random(6)
    kills = 0
    grown: set[int] = set()
    while kills < MOST_KILLS:
        kills += _killed(places.randrange(STATEMENTS), after=places.random() < 0.5)
        _all_behind_the_cursor_and_none_ahead()
        grown.add(LabelledCase.objects.count())
        if len(wanted) in grown:
            break
    # Which places are met is the same each time: some inside of a turn, some between two that made cases.
    assert kills >= 5
    assert len(grown) >= 4

    while labelling.label_cases(now=database_now(), limit=LIMIT).entries:
        pass

    made = Counter(LabelledCase.objects.values_list("decision_id", flat=True))
    assert set(made) == wanted
    assert set(made.values()) == {1}
    disputed = CaseCuration.objects.exclude(disputed_at=None)
    assert disputed.count() == DECISIONS // 6
    told = LedgerEntry.objects.filter(verb="case.disputed").values_list("object_id", flat=True)
    assert Counter(told) == Counter(dict.fromkeys(disputed.values_list("case__public_id", flat=True), 1))


def _decide_one_more(people: Cast, number: int) -> None:
    kinds = (DecisionKind.APPROVE, DecisionKind.CORRECT, DecisionKind.REJECT)
    kind = kinds[number % 3]
    given: dict[str, Any] = {"arguments": {"order": "SO-1", "amount": number}} if number % 3 == 1 else {}
    decision = decide(people, kind, **given)
    if number % 6 == 0:
        # The world contradicts an approval: its case is disputed, once.
        ground_truth.receive(
            action_id=decision.action.public_id,
            agent=people.clerk,
            report=ground_truth.Report(correct=False, source="audit"),
            idempotency_key=f"truth-{number}",
            now=database_now(),
        )


def _killed(place: int, *, after: bool) -> bool:
    """Label in a process that kills itself at this statement; say whether it lived to get there."""
    connection.close()
    child = os.fork()
    if child == 0:
        _label_and_die(place, after=after)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _label_and_die(place: int, *, after: bool) -> NoReturn:
    left = place

    def meets_its_death() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    def die(execute: Callable[..., Any], *statement: Any) -> Any:
        dies = meets_its_death()
        if dies and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = execute(*statement)
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    status = 1
    try:
        connection.ensure_connection()
        commit = connection.commit
        dying = mock.patch.object(connection, "commit", partial(die, commit))
        with connection.execute_wrapper(die), dying:
            while labelling.label_cases(now=database_now(), limit=LIMIT).entries:
                pass
        status = 0
    finally:
        os._exit(status)


def _all_behind_the_cursor_and_none_ahead() -> None:
    """A decision is labelled and behind the cursor, or neither."""
    cursor = LedgerCursor.objects.filter(reader=labelling.READER).values_list("seq", flat=True).first() or 0
    released = LedgerEntry.objects.filter(verb=labelling.VERB)
    behind = set(released.filter(link__seq__lte=cursor).values_list("object_id", flat=True))
    made = list(LabelledCase.objects.values_list("decision_id", flat=True))
    assert Counter(made) == Counter(dict.fromkeys(behind, 1))

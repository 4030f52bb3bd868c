"""What loosens: the promise behind how many people a publication takes, tried on random policies."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policies.engine import difference
from policies.engine.agent_list import ListedAgent
from policies.engine.difference import Effect, differences
from policies.engine.evaluation import evaluate
from policies.engine.facts import Facts, ScoreSource, Verdict
from policies.engine.freezing import FreezeWindow
from policies.engine.loosening import loosens, tightens
from policies.engine.measures import Measure, MeasureFunction
from policies.engine.policy import PolicyDocument
from policies.tests.engine_facts import policy, rule
from policies.tests.test_engine_properties import any_facts, documents


def window(**changes: Any) -> FreezeWindow:
    plain = FreezeWindow(title="Night", starts="18:00", ends="08:00", weekdays=("mon",), zone="UTC")
    return replace(plain, **changes)


def measure(**changes: Any) -> Measure:
    plain = Measure(name="total", of="agent", function=MeasureFunction.COUNT, window_seconds=60)
    return replace(plain, **changes)


CLERK, BOT = ListedAgent(name="clerk", versions=("1", "2")), ListedAgent(name="bot")


@given(facts=any_facts, other=documents, data=st.data())
@settings(max_examples=300)
def test_where_nothing_loosens_no_facts_are_answered_more_mildly(
    facts: Facts, other: PolicyDocument, data: st.DataObject
) -> None:
    before = facts.policy
    assume(before is not None)
    assert before is not None
    # Half of one and half of the other: neighbours, on which the promise is easily broken.
    taken = data.draw(st.sets(st.sampled_from([each.name for each in fields(PolicyDocument)])))
    if "score" in taken or "calibration" in taken:
        taken |= {"score", "calibration"}
    if "rules" in taken or "measures" in taken:
        taken |= {"rules", "measures"}
    after = replace(before, **{name: getattr(other, name) for name in taken})
    if loosens(before, after):
        return
    old, new = evaluate(facts), evaluate(replace(facts, policy=after))
    assert new.verdict.strictness >= old.verdict.strictness
    assert new.approvals_required >= old.approvals_required
    if new.verdict is Verdict.ALLOW:
        assert new.propensity >= old.propensity


@given(before=documents, after=documents)
def test_an_equal_policy_does_neither_and_every_difference_has_one_effect(
    before: PolicyDocument, after: PolicyDocument
) -> None:
    assert differences(before, before) == ()
    told = [each.sentence for each in differences(before, after)]
    kinds = {each.effect for each in differences(before, after)}
    assert set(loosens(before, after)) | set(tightens(before, after)) <= set(told)
    assert (loosens(before, after) != ()) is (Effect.LOOSENS in kinds)


def test_every_field_of_a_policy_is_known_to_the_comparison() -> None:
    assert set(difference._COMPARED) == {each.name for each in fields(PolicyDocument)}


def test_a_field_that_nobody_taught_the_comparison_loosens(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {name: compare for name, compare in difference._COMPARED.items() if name != "queue"}
    monkeypatch.setattr(difference, "_COMPARED", known)
    assert loosens(policy(queue="a"), policy(queue="b")) == ("The field queue changed.",)


@pytest.mark.parametrize(
    ("before", "after", "looser", "stricter"),
    [
        ({"threshold": 0.9}, {"threshold": 0.8}, True, False),
        ({"threshold": 0.9}, {"threshold": None}, False, True),
        ({"threshold": None}, {"threshold": 0.99}, True, False),
        ({"score": ScoreSource.AGENT}, {"score": ScoreSource.LOWEST}, True, False),
        ({"rules": ()}, {"rules": (rule("true"),)}, False, True),
        ({"rules": (rule("true"),)}, {"rules": ()}, True, False),
        ({"rules": (rule("true"),)}, {"rules": (rule("false"),)}, True, False),
        ({"rules": (rule("true"),)}, {"rules": (rule("true", Verdict.DENY),)}, False, True),
        ({"rules": (rule("true", Verdict.DENY),)}, {"rules": (rule("true"),)}, True, False),
        ({"rules": (rule("true"),)}, {"rules": (rule("true", code="new_name"),)}, False, True),
        ({"rules": (rule("true"),)}, {"rules": (rule("true", title="Other"),)}, False, False),
        ({"measures": ()}, {"measures": (measure(),)}, False, False),
        ({"measures": (measure(),)}, {"measures": ()}, True, False),
        ({"measures": (measure(),)}, {"measures": (measure(window_seconds=30),)}, True, False),
        ({"agents": None}, {"agents": (CLERK,)}, False, True),
        ({"agents": (CLERK,)}, {"agents": None}, True, False),
        ({"agents": (CLERK,)}, {"agents": (CLERK, BOT)}, True, False),
        ({"agents": (CLERK, BOT)}, {"agents": (CLERK,)}, False, True),
        ({"agents": (CLERK,)}, {"agents": (replace(CLERK, versions=("1",)),)}, False, True),
        ({"agents": (CLERK,)}, {"agents": (replace(CLERK, versions=()),)}, True, False),
        ({"agents": (CLERK,)}, {"agents": (BOT,)}, True, False),
        ({"agents": (CLERK,)}, {"agents": ()}, False, True),
        ({"agents": (CLERK, BOT)}, {"agents": (BOT, CLERK)}, False, False),
        ({"freeze_windows": ()}, {"freeze_windows": (window(),)}, False, True),
        ({"freeze_windows": (window(),)}, {"freeze_windows": ()}, True, False),
        ({"freeze_windows": (window(),)}, {"freeze_windows": (window(ends="07:00"),)}, True, True),
        ({"freeze_windows": (window(),)}, {"freeze_windows": (window(then=Verdict.DENY),)}, False, True),
        ({"freeze_windows": (window(then=Verdict.DENY),)}, {"freeze_windows": (window(),)}, True, False),
        ({"freeze_windows": (window(),)}, {"freeze_windows": (window(title="Late"),)}, False, False),
        ({"denial_memory_seconds": 60}, {"denial_memory_seconds": 30}, True, False),
        ({"denial_memory_seconds": 60}, {"denial_memory_seconds": 90}, False, True),
        ({"audit_rate": 0.2}, {"audit_rate": 0.1}, True, False),
        ({"undo_seconds": 5}, {"undo_seconds": 0}, True, False),
        ({"approvals_required": 2}, {"approvals_required": 1}, True, False),
        ({"checklist": ("Read it",)}, {"checklist": ()}, True, False),
        ({"checklist": ("Read it",)}, {"checklist": ("Read it", "Sign it")}, False, True),
        ({"small_screens": False}, {"small_screens": True}, True, False),
        ({"small_screens": True}, {"small_screens": False}, False, True),
        ({"permit_ttl_seconds": 60}, {"permit_ttl_seconds": 90}, True, False),
        ({"blind_share": 0.1}, {"blind_share": 0.0}, True, False),
        ({"deadline_seconds": 60}, {"deadline_seconds": 90}, False, False),
        ({"queue": "a"}, {"queue": "b"}, False, False),
        ({"reminder": True}, {"reminder": False}, False, False),
        ({"second_queue": ""}, {"second_queue": "late"}, False, False),
    ],
)
def test_what_loosens_and_what_tightens(
    before: dict[str, Any], after: dict[str, Any], looser: bool, stricter: bool
) -> None:
    old, new = policy(**before), policy(**after)
    assert (bool(loosens(old, new)), bool(tightens(old, new))) == (looser, stricter)
    assert differences(old, new)

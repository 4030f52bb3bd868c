from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.engine.conditions import (
    MAX_STEPS,
    ConditionFailed,
    InvalidCondition,
    compile_condition,
    prepare,
)
from policies.engine.documents import measure
from policies.engine.evaluation import evaluate
from policies.engine.facts import Verdict
from policies.tests.engine_facts import action_type, facts, policy, rule

NAMES = (
    "there are args, agent, action, subject, conversation, environment, mode, confidence, judge, samples,"
    " context, history"
)
TOO_LONG = "the lists in the arguments are too long for its loops"
TOO_DEEP = "a condition has at most 8 loops (all, exists, exists_one, filter), nested at most 2 deep"
NO_MAP = "map is not available in a condition; use exists, exists_one, all or filter"
MIXED = "two values of different kinds cannot be compared or combined"


def holds(source: str, **args: object) -> bool:
    measured = measure(args)
    return compile_condition(source).holds(prepare({"args": measured.value}, longest=measured.longest))


@pytest.mark.parametrize(
    ("source", "line", "column", "message"),
    [
        ("", 1, 1, "the condition is empty"),
        ("args.x ==", 1, 10, "the text ends too early"),
        ("args.x = 1", 1, 8, "cannot read '= '"),
        ("args.x > 1 &&\n  amount > 2", 2, 3, f"there is no variable amount; {NAMES}"),
        ("zebra && apple", 1, 1, f"there is no variable zebra; {NAMES}"),
        ("agent.nmae == 'x'", 1, 7, "agent has no field nmae; it has known_version, name, version"),
        ("subject.id == 'x'", 1, 9, "subject has no field id; it has no fields at all"),
        ("true && now() > args.x", 1, 9, "there is no function now"),
        ("args.list.map(x, x) == []", 1, 11, NO_MAP),
        ("args.list.all(agent, true)", 1, 15, "agent is a variable; a loop needs another name"),
        ("args.s.matches(args.p)", 1, 16, "matches takes one pattern, written out as a text"),
        ("args.s.matches('(')", 1, 16, "'(' is no usable pattern"),
        ("args.s.matches('(?=a)')", 1, 16, "'(?=a)' is no usable pattern"),
        ("args.s.matches('x{1000}{1000}')", 1, 16, "'x{1000}{1000}' is no usable pattern"),
        ("1 + 1", 1, 1, "it can never be checked: its result is not true or false but int"),
        ("1 / 0 == 1", 1, 1, "it can never be checked: it divides by zero"),
        ("(" * 33 + "true" + ")" * 33, 1, 33, "brackets nest at most 32 deep"),
        ("true || " * 250 + "true", 1, 2001, "a condition has at most 2000 characters"),
        ("args.a.all(x, x.all(y, y.all(z, z)))", 1, 29, TOO_DEEP),
    ],
)  # fmt: skip
def test_a_condition_that_cannot_run_is_refused_with_its_place(
    source: str, line: int, column: int, message: str
) -> None:
    with pytest.raises(InvalidCondition) as caught:
        compile_condition(source)

    assert (caught.value.line, caught.value.column, caught.value.message) == (line, column, message)
    assert str(caught.value) == f"line {line}, column {column}: {message}"


@pytest.mark.parametrize(
    ("source", "args", "expected"),
    [
        ("args.amount > 100", {"amount": 200}, True),
        ("args.amount > 100", {"amount": 99.5}, False),
        ("has(args.amount) && args.amount > 100", {}, False),
        ("args.kind in ['a', 'b']", {"kind": "b"}, True),
        ("args.items.exists(i, i.price > 10)", {"items": [{"price": 3}, {"price": 11}]}, True),
        ("args.items.all(i, i.tag in args.tags)", {"items": [{"tag": "x"}], "tags": ["x"]}, True),
        ("args.note.matches('(a+)+$')", {"note": "a" * 5_000 + "b"}, False),
        ("timestamp(args.at).getDayOfWeek() == 0", {"at": "2024-06-02T10:00:00Z"}, True),
        ("type(args.x) == string", {"x": 1}, False),
        ("args['odd name'] == null", {"odd name": None}, True),
        ("args.map == 'all(' // a comment with map(", {"map": "all("}, True),
        ("true || args.missing", {}, True),
    ],
)
def test_a_condition_answers(source: str, args: dict[str, object], expected: bool) -> None:
    assert holds(source, **args) is expected


@pytest.mark.parametrize(
    ("source", "args", "message"),
    [
        ("args.amount > 100", {}, "there is no field 'amount'"),
        ("args.amount > 100", {"amount": "much"}, MIXED),
        ("args.amount", {"amount": 1}, "its result is not true or false but int"),
        ("args.a", {"a": None}, "its result is not true or false but NoneType"),
        ("1 / args.n > 0", {"n": 0}, "it divides by zero"),
        ("9223372036854775807 + args.n > 0", {"n": 1}, "a number became too large"),
        ("int(args.n) > 0", {"n": "many"}, None),
        ("timestamp(args.at) > timestamp('2024-01-01T00:00:00Z')", {"at": "soon"}, None),
        ("args.l.all(x, args.l.exists(y, x == y))", {"l": list(range(317))}, TOO_LONG),
        ("args.l.all(x, x in args.l)", {"l": list(range(317))}, TOO_LONG),
        ("(args.l + args.l).all(x, x in args.l)", {"l": list(range(159))}, TOO_LONG),
    ],
)  # fmt: skip
def test_a_condition_without_an_answer_fails_in_plain_words(
    source: str, args: dict[str, object], message: str | None
) -> None:
    with pytest.raises(ConditionFailed) as caught:
        holds(source, **args)

    if message is not None:
        assert str(caught.value) == message
    assert len(str(caught.value)) < 200


def test_the_bound_of_work_counts_lists_nesting_and_additions() -> None:
    assert compile_condition("args.l.all(x, x > 1)").profile.steps(100) == 100
    assert compile_condition("args.l.all(x, x in args.k)").profile.steps(100) == 10_000
    assert compile_condition("args.l.all(x, x in ['a', 'b'])").profile.steps(100) == 100
    assert compile_condition("(args.l + args.k).all(x, x > 1)").profile.steps(100) == 200
    assert compile_condition("[1, 2, 3].all(x, x > args.n)").profile.steps(0) <= 4
    assert compile_condition("args.l.all(x, x.matches('a'))").profile.steps(100) == 5_000
    assert compile_condition("args.s.matches('a')").profile.steps(10**6) == 1
    assert compile_condition("args.n in args.l").profile.steps(10**6) == 1
    assert 316**2 <= MAX_STEPS < 317**2


def test_conditions_that_share_their_values_do_not_change_them() -> None:
    values = prepare({"args": {"x": [1, 2]}}, longest=2)

    answers = [compile_condition("args.x.exists(x, x == 2)").holds(values) for _ in range(3)]

    assert answers == [True, True, True]
    assert compile_condition("args.x == [1, 2]").holds(values) is True


def test_a_condition_is_compiled_once() -> None:
    assert compile_condition("args.once == 1") is compile_condition("args.once == 1")


@pytest.mark.parametrize("size", [600, 19_000])
def test_a_long_list_holds_the_action_instead_of_holding_up_the_gate(size: int) -> None:
    heavy = policy(rules=(rule("args.l.all(x, args.l.exists(y, x == y))"),))

    evaluation = evaluate(
        facts(action_type=action_type(argument_schema=None), arguments={"l": list(range(size))}, policy=heavy)
    )

    assert evaluation.verdict is Verdict.REVIEW
    assert [reason.code for reason in evaluation.reasons] == ["rule_error"]


@given(source=st.text(alphabet="args.lx()[]{}'\"\\,+-*/!?:=<>&|in \n0123@é\ud800\0", max_size=60))
def test_any_text_compiles_or_is_refused_with_a_place(source: str) -> None:
    line, column = 1, 1
    try:
        compile_condition(source)
    except InvalidCondition as invalid:
        line, column = invalid.line, invalid.column

    assert line >= 1
    assert column >= 1

"""Policies as files: written, read back exactly, imported as drafts, checked against examples."""

from __future__ import annotations

from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from policies.choices import PolicyState, Risk
from policies.engine.policy import PolicyDocument
from policies.models import ActionType, LedgerEntry, PolicyVersion
from policies.services import action_types, gate, policies, policy_examples, policy_files
from policies.services.policy_files import FaultyFile
from policies.tests.base import NOON, SYSTEM, make_policy, make_refund_type, make_user
from policies.tests.test_engine_properties import documents

FILE = """\
# The refunds of the shop
format: 1
action_type: refund.issue
declaration:
  title: Issue a refund
  risk: medium
  argument_schema:
    type: object
    properties:
      amount: {type: number}
policy:
  threshold: 0.9   # asked since May
  rules:
    - code: large
      title: Large amount
      when: args.amount > 100.0
      then: review
  measures:
    - {name: total, of: agent, function: sum, pointer: /amount, window_seconds: 3600}
"""
TABLE = """\
examples:
  - title: A small one runs alone
    action_type: refund.issue
    arguments: {amount: 20}
    confidence: 0.95
    expect: {verdict: allow, reasons: []}
  - title: A large one waits
    action_type: refund.issue
    arguments: {amount: 200}
    agent: {name: clerk, version: "2"}
    level: autonomous
    confidence: 0.95
    expect:
      verdict: review
      reasons: ["rule_matched:large"]
  - action_type: nobody.knows
    expect: {verdict: review}
"""


def call(*args: object) -> str:
    out = StringIO()
    call_command("policies", *(str(each) for each in args), stdout=out)
    return out.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "refund.issue.yaml").write_text(FILE, encoding="utf-8")
    return tmp_path


@given(
    document=documents, title=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
)
def test_a_policy_is_read_back_exactly(document: PolicyDocument, title: str) -> None:
    action_type = ActionType(name="a/b:c", title=f"T{title}", risk=Risk.LOW)
    action_type.reason_codes = [{"code": "no", "label": "1e3"}]
    action_type.argument_schema = {"type": "object", "properties": {"yes": {"maximum": 1e300}, "b": {}}}
    version = PolicyVersion(number=3, state=PolicyState.LIVE, document=document.to_document())
    text = policy_files.export(action_type, version)
    file = policy_files.read(text, name="x")
    assert (file.policy, file.action_type) == (document, "a/b:c")
    assert file.declaration["title"] == f"T{title}"
    assert file.declaration["argument_schema"] == action_type.argument_schema
    assert repr(file.declaration["argument_schema"]) == repr(action_type.argument_schema)
    again = ActionType(name=file.action_type, **file.declaration)
    assert policy_files.export(again, version) == text


def test_the_name_of_a_file_holds_any_name_of_a_type() -> None:
    assert policy_files.file_name("a/b:c.d") == "a%2Fb%3Ac.d.yaml"


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("threshold: 0.9", "threshold: 7", 12, "/policy/threshold: a number from 0 to 1"),
        ("threshold: 0.9", "threshold: no", 12, "readers of YAML do not agree"),
        ("threshold: 0.9", "treshold: 0.9", 12, "/policy/treshold: unknown field"),
        ("args.amount > 100.0", "args.amount >", 16, "/policy/rules/0/when: line 1"),
        ("risk: medium", "risk: mild", 6, "/declaration/risk: One of low"),
        ("risk: medium", "risks: medium", 6, "/declaration/risks: unknown"),
        ("title: Issue a refund", "title: 5", 5, "/declaration/title: a text"),
        ("format: 1", "format: 2", 2, "reads format 1"),
        ("format: 1", "format: true", 2, "reads format 1"),
        ("format: 1", "formats: 1", 2, "/formats: unknown"),
        ("action_type: refund.issue", "action_type: refund issue", 3, "1 to 120 letters"),
        ("function: sum, ", "", 19, "/policy/measures/0/function"),
        ("type: object", "type: thing", 8, "/declaration/argument_schema"),
    ],
)
def test_a_fault_is_named_with_file_and_line(old: str, new: str, line: int, message: str) -> None:
    assert old in FILE
    with pytest.raises(FaultyFile) as refused:
        policy_files.read(FILE.replace(old, new, 1), name="refund.issue.yaml")
    lines = str(refused.value).splitlines()
    where = f"refund.issue.yaml, line {line}: "
    found = [each for each in lines if message in each]
    assert found, lines
    # A schema is refused as a whole, at the line of its name or of its place.
    assert found[0].startswith(where) or message == "/declaration/argument_schema", lines


@pytest.mark.django_db
def test_an_import_writes_a_draft_and_publishes_nothing(folder: Path) -> None:
    refund = make_refund_type()
    live = make_policy(refund, make_user("alice"), threshold=0.8)
    out = call("import", folder)
    draft = PolicyVersion.objects.get(state=PolicyState.DRAFT)
    assert (draft.number, draft.author, draft.author_name) == (2, None, "command line")
    assert PolicyVersion.objects.get(state=PolicyState.LIVE) == live
    assert "refund.issue: version 2, draft" in out
    assert "stricter  Hold when the chance is under 80% → 90%." in out
    assert "declaration differs and was left as it is" in out
    refund.refresh_from_db()
    assert refund.argument_schema is not None
    assert "order_id" in refund.argument_schema["properties"]


@pytest.mark.django_db
def test_an_import_declares_what_nobody_has_declared_and_can_go_into_shadow(folder: Path) -> None:
    out = call("import", folder, "--shadow")
    assert PolicyVersion.objects.get().state == PolicyState.SHADOW
    assert "declared: a new action type" in out
    entries = LedgerEntry.objects.count()
    assert "version 1, shadow" in call("import", folder, "--shadow")
    assert LedgerEntry.objects.count() == entries


@pytest.mark.django_db
def test_a_dry_run_says_all_and_does_nothing(folder: Path) -> None:
    out = call("import", folder, "--dry-run")
    assert "refund.issue: version 1, draft (not written)" in out
    assert not ActionType.objects.exists()
    assert not LedgerEntry.objects.exists()


@pytest.mark.django_db
def test_declarations_change_only_where_that_is_asked_for(folder: Path) -> None:
    refund = make_refund_type()
    out = call("import", folder, "--declarations")
    assert "declaration changed: argument_schema" in out
    refund.refresh_from_db()
    assert refund.argument_schema == {"type": "object", "properties": {"amount": {"type": "number"}}}


@pytest.mark.django_db
def test_somebody_s_draft_is_not_written_over(folder: Path) -> None:
    refund = make_refund_type()
    theirs = policies.save_draft(
        action_type=refund, document={"threshold": 0.5}, author=make_user("mira"), now=NOON
    )
    (folder / "other.yaml").write_text(FILE.replace("refund.issue", "a.other"), encoding="utf-8")
    with pytest.raises(CommandError, match="has a draft by mira"):
        call("import", folder)
    assert list(PolicyVersion.objects.all()) == [theirs]
    assert ActionType.objects.count() == 1
    call("import", folder, "--replace-drafts")
    theirs.refresh_from_db()
    assert theirs.document["threshold"] == 0.9


@pytest.mark.django_db
def test_one_faulty_file_imports_none_and_every_fault_is_named(folder: Path) -> None:
    (folder / "a.yaml").write_text("a: 1\na: 2\n", encoding="utf-8")
    (folder / "b.yaml").write_text("format: 1\n", encoding="utf-8")
    with pytest.raises(CommandError) as refused:
        call("import", folder)
    assert f"{folder / 'a.yaml'}, line 2: the key a stands here twice" in str(refused.value)
    assert "policy is missing" in str(refused.value)
    assert not ActionType.objects.exists()
    (folder / "a.yaml").write_bytes(b"\xff")
    with pytest.raises(CommandError, match="not UTF-8"):
        call("import", folder)
    with pytest.raises(CommandError, match="No such file"):
        call("import", folder / "nothing.yaml")


@pytest.mark.django_db
def test_what_is_exported_is_imported_without_a_difference(tmp_path: Path) -> None:
    refund = make_refund_type()
    rule = {"code": "b", "title": "No", "when": 'args.order_id == "1e3"\n|| true', "then": "deny"}
    make_policy(refund, make_user("alice"), rules=[rule], checklist=["Read it: all"], audit_rate=0.015)
    action_types.declare(name="a/b", title="Other", risk=Risk.CRITICAL, actor=SYSTEM, now=NOON)
    assert "a%2Fb.yaml: a/b, no policy in force" in call("export", tmp_path / "policies")
    entries = LedgerEntry.objects.count()
    out = call("import", tmp_path / "policies")
    assert "refund.issue: unchanged: its text is in force\na" not in out
    assert "differs" not in out
    assert LedgerEntry.objects.count() == entries
    before = {path.name: path.read_bytes() for path in (tmp_path / "policies").iterdir()}
    call("export", tmp_path / "policies")
    assert {path.name: path.read_bytes() for path in (tmp_path / "policies").iterdir()} == before
    with pytest.raises(CommandError, match="no action type nobody"):
        call("export", tmp_path, "nobody")


@pytest.mark.django_db
def test_what_errors_and_reviews_cost_stands_in_the_file_and_comes_back(tmp_path: Path) -> None:
    action_types.declare(
        name="refund.issue", title="Issue a refund", risk=Risk.MEDIUM, actor=SYSTEM, now=NOON,
        cost_of_error=999999999999.99, cost_of_review_minute=0.1, cost_of_delay=40,
    )  # fmt: skip
    call("export", tmp_path)
    text = (tmp_path / "refund.issue.yaml").read_text()
    assert "  cost_of_error: 999999999999.99\n  cost_of_review_minute: 0.1\n  cost_of_delay: 40" in text
    assert "differs" not in call("import", tmp_path)
    ActionType.objects.update(cost_of_review_minute=Decimal("0.11"))
    assert "cost_of_review_minute" in call("import", tmp_path)
    call("import", tmp_path, "--declarations")
    assert ActionType.objects.get().cost_of_review_minute == Decimal("0.10")


def test_a_table_is_checked_against_files_without_a_database(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.txt"
    table.write_text(TABLE, encoding="utf-8")
    assert "All 3 examples are as expected." in call("check", table, "--files", folder)


def test_a_difference_fails_and_says_what_was_found(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.txt"
    table.write_text(TABLE.replace("amount: 20}", "amount: 120}"), encoding="utf-8")
    out = StringIO()
    with pytest.raises(CommandError, match="1 of 3 examples are not as expected") as refused:
        call_command("policies", "check", str(table), "--files", str(folder), stdout=out)
    assert refused.value.returncode == 1
    assert "FAIL  review  refund.issue: A small one runs alone" in out.getvalue()
    assert "expected allow, no reason (line 2)" in out.getvalue()
    assert "found    review, rule_matched:large" in out.getvalue()


@pytest.mark.django_db
def test_a_table_is_checked_against_what_is_in_force(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.txt"
    table.write_text(TABLE, encoding="utf-8")
    with pytest.raises(CommandError, match="2 of 3"):
        call("check", table)


def example(**fields: Any) -> str:
    import json

    row = {"action_type": "refund.issue", "arguments": {"amount": 20}, "confidence": 0.95}
    row |= {"expect": {"verdict": "review"}, **fields}
    return json.dumps({"examples": [row]})


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        ({"level": "review_all"}, ("autonomy_review_all",)),
        ({"confidence": 0.5}, ("below_threshold",)),
        ({"confidence": None}, ("no_score",)),
        ({"denied_before": True}, ("denied_before",)),
    ],
)
def test_every_circumstance_of_an_example_reaches_the_engine(
    fields: dict[str, Any], codes: tuple[str, ...]
) -> None:
    file = policy_files.read(FILE, name="x")
    declared = action_types.as_declared(name=file.action_type, **file.declaration)
    judged = policy_examples.Judged(action_type=gate.action_type_facts(declared), policy=file.policy)
    (result,) = policy_examples.check(policy_examples.read(example(**fields), name="t"), lambda _: judged)
    assert result.codes == codes


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"colour": "red"}, "/examples/0/colour: unknown"),
        ({"level": "boss"}, "/examples/0/level: one of shadow"),
        ({"level": [1]}, "/examples/0/level"),
        ({"confidence": 7}, "/examples/0/confidence: a number from 0 to 1"),
        ({"confidence": True}, "/examples/0/confidence"),
        ({"agent": {"nam": "x"}}, "/examples/0/agent"),
        ({"now": "yesterday"}, "/examples/0/now"),
        ({"history": {"total": "much"}}, "/examples/0/history"),
        ({"expect": {"verdict": "maybe"}}, "/examples/0/expect"),
        ({"expect": {"verdict": {}}}, "/examples/0/expect"),
        ({"arguments": []}, "/examples/0/arguments"),
        ({"subject": 4}, "/examples/0/subject"),
        ({"mode": {}}, "/examples/0/mode"),
    ],
)
def test_a_faulty_example_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(FaultyFile, match="t, line 1: ") as refused:
        policy_examples.read(example(**fields), name="t")
    assert message in str(refused.value)


def test_a_measure_that_the_policy_does_not_have_is_a_fault_and_one_it_has_is_read() -> None:
    file = policy_files.read(FILE.replace("args.amount > 100.0", "history.total > 100.0"), name="x")
    declared = action_types.as_declared(name=file.action_type, **file.declaration)
    judged = policy_examples.Judged(action_type=gate.action_type_facts(declared), policy=file.policy)
    table = policy_examples.read(example(history={"total": 120}), name="t")
    (result,) = policy_examples.check(table, lambda _: judged)
    assert result.codes == ("rule_matched:large",)
    (alone,) = policy_examples.check(policy_examples.read(example(), name="t"), lambda _: judged)
    assert alone.codes == ()
    with pytest.raises(FaultyFile, match="t, line 1: there is no measure totl in the policy"):
        policy_examples.check(policy_examples.read(example(history={"totl": 1}), name="t"), lambda _: judged)

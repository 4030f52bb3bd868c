"""One result of an eval as a page shows it: what was right beside what the agent did, a row an argument."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from datasets.models import DatasetMember, EvalResult, EvalRun, LabelledCase
from datasets.redaction import Redactor
from datasets.selectors.case_page import titles_of
from datasets.selectors.eval_comparison import ComparedCase
from datasets.services import evaluating
from datasets.services.export_redaction import redactor_of
from datasets.services.grader_documents import parsed
from hitl_site.lib.strict_json import JsonValue, pointer_token


@dataclass(frozen=True, slots=True)
class ArgumentRow:
    """One argument on both sides: ``in_expected`` and ``in_got`` tell what is not there from a null."""

    name: str
    expected: JsonValue
    got: JsonValue
    in_expected: bool
    in_got: bool
    wrong: bool


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One result with the case's truth."""

    result: EvalResult
    title: str
    erased: bool
    should_act: bool
    arguments: tuple[ArgumentRow, ...]

    @property
    def why(self) -> str:
        """Return the grader's sentence."""
        return str(self.result.detail.get("why", ""))

    @property
    def places(self) -> list[dict[str, JsonValue]]:
        """Return the places that were found wrong."""
        return [place for place in self.result.detail.get("places", []) if not place["passed"]]


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One case of a comparison, and what its action is called."""

    case: ComparedCase
    title: str


def titled(compared: Sequence[ComparedCase]) -> list[ComparedRow]:
    """Return the cases of a comparison with the titles of their actions."""
    wanted = [each.case_id for each in compared]
    actions = dict(LabelledCase.objects.filter(public_id__in=wanted).values_list("public_id", "action_id"))
    titles = titles_of(actions.values())
    return [ComparedRow(each, titles.get(actions.get(each.case_id, ""), "")) for each in compared]


def rows(run: EvalRun, results: Iterable[EvalResult]) -> list[ResultRow]:
    """Return the results of one page with the truth as it was frozen."""
    found = list(results)
    cases = [result.case_id for result in found]
    members = DatasetMember.objects.filter(version=run.version, case__in=cases).select_related("case")
    by_case = {member.case_id: member for member in members}
    redactor = redactor_of(run.version)
    titles = titles_of(result.case.action_id for result in found)
    return [
        _row(result, by_case[result.case_id], redactor, titles.get(result.case.action_id, ""))
        for result in found
    ]


def _row(result: EvalResult, member: DatasetMember, redactor: Redactor | None, title: str) -> ResultRow:
    if result.case.erased_at is not None:
        return ResultRow(result, title, erased=True, should_act=False, arguments=())
    expected = evaluating.expected_of(member, redactor)
    arguments = _arguments(result, expected, parsed(result.output_canonical))
    return ResultRow(result, title, erased=False, should_act=expected is not None, arguments=arguments)


def _arguments(result: EvalResult, expected: JsonValue, got: JsonValue) -> tuple[ArgumentRow, ...]:
    right = expected if isinstance(expected, dict) else {}
    given = got if isinstance(got, dict) else {}
    wrong = [str(place["pointer"]) for place in result.detail.get("places", []) if not place["passed"]]
    return tuple(
        ArgumentRow(
            name=name,
            expected=right.get(name),
            got=given.get(name),
            in_expected=name in right,
            in_got=name in given,
            wrong=any(f"{place}/".startswith(f"{pointer_token(name)}/") for place in wrong),
        )
        for name in dict.fromkeys((*right, *given))
    )

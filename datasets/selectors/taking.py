"""What a selection takes, and what of it stays out of a version and why.

A case's label and reasons are those of the newest answer to it, so a label edited later moves the case from
one dataset to another.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from django.db import connection
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Subquery, TextField, Value, When
from django.db.models.expressions import Window
from django.db.models.functions import Cast, Coalesce, NullIf, RowNumber
from django.utils.translation import gettext_noop

from datasets.choices import Label, LabelStrength
from datasets.models import LabelledCase, LabelRevision
from datasets.selectors.choices import Choices, NearDuplicates, WeakLabels
from datasets.selectors.selection import Selection
from policies.models import LedgerCursor

LABELLING_READER: Final = "labelling"

# Why a case that a selection takes is not in a version. The first that holds is counted.
ERASED: Final = "erased"
EXCLUDED: Final = "excluded"
DISPUTED: Final = "disputed"
WEAK: Final = "weak"
NEAR_DUPLICATE: Final = "near_duplicate"
# Found while a version is made (services.placing), never before.
CUT_CONVERSATION: Final = "cut_conversation"
REASONS: Final = {
    ERASED: gettext_noop("Erased on a person's request"),
    EXCLUDED: gettext_noop("Excluded by a person"),
    DISPUTED: gettext_noop("Disputed, and not adjudicated yet"),
    WEAK: gettext_noop("Weak label"),
    NEAR_DUPLICATE: gettext_noop("Nearly the same as an earlier case"),
    CUT_CONVERSATION: gettext_noop("Its conversation is in another split"),
}


def taken(selection: Selection, *, up_to_seq: int | None = None) -> QuerySet[LabelledCase]:
    """Return the cases that a selection takes; with ``up_to_seq`` a set that gets no new case any more.

    Each has ``label_now``, the label of the newest answer to it.
    """
    newest = LabelRevision.objects.filter(case=OuterRef("pk")).order_by("-number")
    cases = LabelledCase.objects.annotate(
        label_now=Coalesce(Subquery(newest.values("label")[:1]), F("label"))
    )
    for field, names in (
        ("action_type", selection.action_types),
        ("kind", selection.kinds),
        ("label_now", selection.labels),
        ("strength", selection.strengths),
        ("source", selection.sources),
        ("agent", selection.agents),
        ("agent_version", selection.agent_versions),
        ("curation__tags__overlap", selection.tags),
    ):
        if names:
            cases = cases.filter(**{field if field.endswith("__overlap") else f"{field}__in": [*names]})
    if selection.reasons:
        cases = cases.filter(gives_one_of(selection.reasons))
    if selection.blind_only:
        cases = cases.filter(content__decision__blind=True)
    if selection.since is not None:
        cases = cases.filter(decided_at__gte=selection.since)
    if selection.until is not None:
        cases = cases.filter(decided_at__lt=selection.until)
    if selection.text:
        # As it stands in the JSON: a quotation mark is written with a backslash there.
        written = json.dumps(selection.text, ensure_ascii=False)[1:-1]
        cases = cases.annotate(as_text=Cast("content", TextField())).filter(as_text__icontains=written)
    return cases if up_to_seq is None else cases.filter(ledger_seq__lte=up_to_seq)


def with_standing(cases: QuerySet[LabelledCase], choices: Choices) -> QuerySet[LabelledCase]:
    """Give each of these cases its ``standing``: why it stays out of a version, "" for those that are in.

    Of near duplicates the one decided first is in, of those that nothing else keeps out.
    """
    reasons = [
        When(erased_at__isnull=False, then=Value(ERASED)),
        When(curation__excluded_at__isnull=False, then=Value(EXCLUDED)),
        When(curation__disputed_at__isnull=False, then=Value(DISPUTED)),
    ]
    if choices.weak == WeakLabels.LEAVE_OUT:
        reasons.append(When(strength=LabelStrength.WEAK, then=Value(WEAK)))
    cases = cases.annotate(reason=Case(*reasons, default=Value("")))
    if choices.near_duplicates == NearDuplicates.KEEP:
        return cases.annotate(standing=F("reason"))
    alike = Coalesce(NullIf(F("index__near_group"), Value("")), F("public_id"))
    place = Window(RowNumber(), partition_by=[alike, F("reason")], order_by=[F("decided_at"), F("id")])
    return cases.annotate(place_among_alike=place).annotate(
        standing=Case(
            When(reason="", place_among_alike__gt=1, then=Value(NEAR_DUPLICATE)), default=F("reason")
        )
    )


def labelled_up_to() -> int:
    """Return the ledger's seq up to which every case has been made."""
    cursor = LedgerCursor.objects.filter(reader=LABELLING_READER).first()
    return 0 if cursor is None else cursor.seq


def standings(cases: QuerySet[LabelledCase]) -> dict[tuple[str, str], int]:
    """Return how many cases there are by label and standing (``with_standing``)."""
    rows: QuerySet[Any, tuple[str, str]] = cases.order_by().values_list("label_now", "standing")  # type: ignore[misc]  # standing is annotated
    query, params = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        # Around the query: PostgreSQL ranks near duplicates after it groups, in one and the same SELECT.
        cursor.execute(
            f"SELECT label, standing, count(*) FROM ({query}) AS taken (label, standing) GROUP BY 1, 2",  # noqa: S608 - Django wrote the inner query, its values stay parameters
            params,
        )
        return {(str(label), str(standing)): int(count) for label, standing, count in cursor.fetchall()}


def label_counts(counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """Return of the counts by label and standing those that are in, labels without any included."""
    return {label: counts.get((label, ""), 0) for label in Label.values}


def left_out(counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """Return of the counts by label and standing those that stay out, by reason."""
    found = Counter[str]()
    for (_, standing), count in counts.items():
        found[standing] += count
    return {reason: found[reason] for reason in REASONS if found[reason]}


def gives_one_of(reasons: tuple[str, ...]) -> Q:
    """Return the condition that the newest answer to a case gives one of these reasons."""
    answers = LabelRevision.objects.filter(case=OuterRef("pk"))
    later = LabelRevision.objects.filter(case=OuterRef("case"), number__gt=OuterRef("number"))
    newest_gives_it = Exists(answers.filter(~Exists(later), reasons__overlap=[*reasons]))
    first_gives_it = Q(~Exists(answers), content__decision__reasons__has_any_keys=[*reasons])
    return first_gives_it | Q(newest_gives_it)

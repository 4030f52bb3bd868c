"""What changes, in German: every sentence of the engine is known, and what people wrote stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.utils import translation

from policies.engine.calibration import Calibration
from policies.engine.declaration_loosening import KNOWN_FIELDS, changes
from policies.engine.difference import describe
from policies.engine.facts import ScoreSource, Trigger, Verdict
from policies.engine.measures import MeasureFunction
from policies.engine.policy import PolicyDocument
from policies.selectors import change_words
from policies.tests.engine_facts import policy, rule
from policies.tests.test_engine_loosening import BOT, CLERK, measure, window

MAP = Calibration(of=ScoreSource.AGENT, points=((0.5, 0.4), (0.9, 0.725)))
PAIRS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"threshold": 0.9}, {"threshold": 0.805}),
    ({"threshold": 0.9}, {"threshold": None}),
    ({"threshold": None}, {"threshold": 0.99}),
    ({"score": ScoreSource.AGENT}, {"score": ScoreSource.CALIBRATED, "calibration": MAP}),
    ({"rules": ()}, {"rules": (rule("true"),)}),
    ({"rules": (rule("true"),)}, {"rules": ()}),
    ({"rules": (rule("true"),)}, {"rules": (rule("false", Verdict.DENY, title="Other"),)}),
    ({"rules": (rule("true"),)}, {"rules": (rule("true", trigger=Trigger.HIGH_RISK),)}),
    (
        {"rules": (rule("true"), rule("false", code="b"))},
        {"rules": (rule("false", code="b"), rule("true"))},
    ),
    ({"measures": ()}, {"measures": (measure(),)}),
    ({"measures": (measure(of="/iban"),)}, {"measures": ()}),
    (
        {"measures": (measure(),)},
        {"measures": (measure(function=MeasureFunction.SUM, pointer="/amount", window_seconds=93_784),)},
    ),
    ({"agents": None}, {"agents": (CLERK, BOT)}),
    ({"agents": (CLERK,)}, {"agents": ()}),
    ({"freeze_windows": ()}, {"freeze_windows": (window(weekdays=("mon", "sat")),)}),
    (
        {
            "freeze_windows": (
                window(starts="2026-12-24T18:00:00Z", ends="2026-12-27T18:00:00Z", weekdays=(), zone=""),
            )
        },
        {"freeze_windows": ()},
    ),
    ({"freeze_windows": (window(),)}, {"freeze_windows": (window(title="Late"),)}),
    ({"checklist": ("Read it",)}, {"checklist": ("Sign it",)}),
    ({"denial_memory_seconds": 60}, {"denial_memory_seconds": 3600}),
    ({"deadline_seconds": 60}, {"deadline_seconds": 90}),
    ({"undo_seconds": 10}, {"undo_seconds": 0}),
    ({"permit_ttl_seconds": 60}, {"permit_ttl_seconds": 90}),
    ({"audit_rate": 0.05}, {"audit_rate": 0.1}),
    ({"blind_share": 0.1}, {"blind_share": 0.0}),
    ({"approvals_required": 1}, {"approvals_required": 2}),
    ({"small_screens": False}, {"small_screens": True}),
    ({"small_screens": True}, {"small_screens": False}),
    ({"queue": "a"}, {"queue": "b"}),
    ({"reminder": True}, {"reminder": False}),
    ({"reminder": False}, {"reminder": True}),
    ({"second_queue": ""}, {"second_queue": "late"}),
]


@pytest.fixture(autouse=True)
def _german() -> Iterator[None]:
    with translation.override("de"):
        yield


def in_words(before: PolicyDocument | None, after: PolicyDocument) -> list[str]:
    return [change_words.difference_in_words(each) for each in describe(before, after)]


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_every_difference_between_policies_has_german_words(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    for sentence in describe(policy(**before), policy(**after)):
        assert change_words.difference_in_words(sentence) != sentence


def test_the_pairs_name_every_field_of_a_policy() -> None:
    named = {name for before, after in PAIRS for name in (*before, *after)}
    assert named == set(PolicyDocument.__dataclass_fields__)


def test_the_values_in_a_sentence_are_german_and_texts_of_people_are_not() -> None:
    before = policy(threshold=0.9, deadline_seconds=86_400, freeze_windows=())
    night = window(weekdays=("mon", "sat"), title="rules")
    after = policy(
        threshold=0.805,
        deadline_seconds=5_400,
        rules=(rule("args.amount > 2", title="First policy for this action type."),),
        freeze_windows=(night,),
    )
    assert in_words(before, after) == [
        "Anhalten bei weniger als 90 % → 80,5 %.",
        "Neue Regel a_rule (First policy for this action type.): prüfen, wenn args.amount > 2.",
        "Neue Sperrzeit rules: prüfen Mo, Sa 18:00 bis 08:00 (UTC).",
        "Frist: 1 Tag → 1 Stunde 30 Minuten.",
    ]
    assert in_words(None, replace(PolicyDocument(), queue="refunds")) == [
        "Erste Richtlinie für diesen Aktionstyp.",
        "Warteschlange: general → refunds.",
    ]


def test_every_field_of_a_declaration_has_german_words() -> None:
    for field in sorted(KNOWN_FIELDS):
        assert change_words.field_in_words(field) not in {"", field}
        for each in changes({field: None}, {field: "low"}):
            assert change_words.change_in_words(each.sentence) != each.sentence


def test_a_changed_declaration_is_told_in_german() -> None:
    before = {
        "risk": "critical",
        "second_admin": None,
        "widens_rights": True,
        "error_limit": 0.01,
        "title": "no",
    }
    after = {
        "risk": "low",
        "second_admin": False,
        "widens_rights": False,
        "error_limit": 0.25,
        "title": "low",
    }
    texts = {"title": "no", **before}, {"title": "low", **after}
    told = [change_words.change_in_words(each.sentence) for each in changes(*texts)]
    assert told == [
        "Titel: no → low.",
        "Risiko: kritisch → gering.",
        "Veröffentlichen verlangt einen zweiten Admin: nach dem Risiko → nie.",
        "Es kann die Rechte des Agenten selbst ausweiten: ja → nein.",
        "Nicht zu überschreitende Fehlerquote: 0,01 → 0,25.",
    ]


def test_how_it_ended_and_who_stands_for_it_is_told_in_german() -> None:
    assert (
        change_words.ended("Rolled back to version 3 instead.") == "Stattdessen zu Version 3 zurückgekehrt."
    )
    assert change_words.ended("We no longer want it.") == "We no longer want it."
    assert change_words.roles(("wrote it", "asked")) == "schrieb ihn, bat darum"


def test_in_english_every_sentence_is_as_it_was_written() -> None:
    with translation.override("en"):
        for before, after in PAIRS:
            told = list(describe(policy(**before), policy(**after)))
            assert in_words(policy(**before), policy(**after)) == told

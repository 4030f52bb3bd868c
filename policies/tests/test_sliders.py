"""The sliders of the policy editor: each number that decides has one, with a number box beside it."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.utils import translation

from policies.engine.policy import PolicyDocument
from policies.forms.policy_editor import PolicyEditor
from policies.forms.sliders import Slider, Stake, sliders_of
from policies.models import ActionType
from policies.tests.base import make_policy, make_user
from policies.tests.people import browser_of, make_member

RULES = [
    {"code": "large", "title": "Large", "when": "args.amount > 150", "then": "review"},
    {"code": "split", "title": "Split", "when": "samples < 0.8", "then": "review"},
    {"code": "far", "title": "Far", "when": 'args.to == "far" && args.amount > 1', "then": "review"},
]


def policy(**fields: Any) -> PolicyDocument:
    return PolicyDocument.from_document({"threshold": 0.86, "audit_rate": 0.03, "rules": RULES, **fields})


def sliders(draft: PolicyDocument, live: PolicyDocument | None) -> tuple[Slider, ...]:
    return sliders_of(PolicyEditor.of_document(draft), live)


def test_threshold_amounts_agreement_and_checks_have_sliders_beside_what_is_in_force() -> None:
    rules = [{**RULES[0], "when": "args.amount > 200"}, *RULES[1:]]
    found = sliders(policy(rules=rules), policy(threshold=0.9))
    assert [(each.label, each.value, each.now, each.before) for each in found] == [
        ("Hold when the chance it is right is under", "86", "90%", ""),
        ("Hold when amount is over", "200", "150", "args.amount > "),
        ("Hold when the share of its samples that agree is under", "0.8", "", "samples < "),
        ("Check at random, even when sure", "3", "", ""),
    ]
    # Any other rule is no number: the past is asked about it again instead.
    assert [each.target for each in found] == [
        "id_threshold",
        "id_rule-0-when",
        "id_rule-1-when",
        "id_audit_rate",
    ]


@pytest.mark.parametrize(
    ("when", "low", "high", "step"),
    [
        ("args.amount > 150", "0", "400", "10"),
        ("args.amount > 149.99", "0", "400", "0.01"),
        ("args.amount < -20", "-50", "50", "1"),
        ("args.count >= 0", "0", "10", "1"),
        ("samples < 0.8", "0", "1", "0.05"),
        ("confidence < 0.5", "0", "1", "0.01"),
    ],
)
def test_a_slider_goes_well_beyond_its_number_in_steps_that_keep_it(
    when: str, low: str, high: str, step: str
) -> None:
    rule = {"code": "r", "title": "R", "when": when, "then": "review"}
    found = sliders(policy(rules=[rule]), None)[1]
    assert (found.low, found.high, found.step) == (low, high, step)


@pytest.mark.django_db
def test_every_slider_of_the_page_has_a_label_and_a_number_box_for_the_same_control(
    refund: ActionType,
) -> None:
    make_policy(refund, make_user("somebody"), threshold=0.86, audit_rate=0.03, rules=RULES)
    address = f"/policies/{refund.name}/edit/"
    page = browser_of(make_member("ops_admin")).get(address).content.decode()
    ranges = re.findall(r'<input id="(slide-[^"]+)"[^>]*type="range"[^>]*data-slides="([^"]+)"', page)
    assert [target for _, target in ranges] == [
        "id_threshold", "id_rule-0-when", "id_rule-1-when", "id_audit_rate",
    ]  # fmt: skip
    for name, target in ranges:
        assert f'<label for="{name}">' in page
        (box,) = re.findall(rf'<input class="input" type="number"[^>]*data-slides="{target}"[^>]*>', page)
        assert "as a number" in unescape(box)
        assert f'id="{target}"' in page


@pytest.mark.parametrize(
    ("limit", "value", "step"),
    [
        ("150.0", "150", "10"),
        ("150.00", "150", "10"),
        ("149.90", "149.90", "0.01"),
        ("0.0", "0", "1"),
        ("1" + "0" * 40 + ".0", "1" + "0" * 40, "1" + "0" * 39),
    ],
)
def test_a_whole_limit_has_no_fraction_and_any_other_keeps_its_digits(
    limit: str, value: str, step: str
) -> None:
    rule = {"code": "r", "title": "R", "when": f"args.amount > {limit}", "then": "review"}
    found = sliders(policy(rules=[rule]), None)[1]
    assert (found.value, found.step) == (value, step)


@pytest.mark.parametrize(
    ("currency", "language", "expected"),
    [
        ("EUR", "en", ("€", "", "€150")),
        ("EUR", "de", ("", "€", "150\N{NO-BREAK SPACE}€")),
        ("CHF", "en", ("", "CHF", "150 CHF")),
        ("", "en", ("", "", "150")),
    ],
)
def test_the_limit_of_an_amount_has_its_currency_beside_it(
    currency: str, language: str, expected: tuple[str, str, str]
) -> None:
    draft = policy(rules=[{**RULES[0], "when": "args.amount > 200.0"}, RULES[1]])
    live = policy(rules=[{**RULES[0], "when": "args.amount > 150.0"}, RULES[1]])
    with translation.override(language):
        _, amount, samples, _ = sliders_of(
            PolicyEditor.of_document(draft), live, Stake(pointer="/amount", currency=currency)
        )
    assert (amount.value, amount.counted_in) == ("200", currency)
    assert (amount.sign, amount.unit, amount.now) == expected
    # What is no amount has none.
    assert (samples.sign, samples.unit, samples.counted_in) == ("", "", "")


def test_an_amount_in_force_is_shown_with_every_digit() -> None:
    stake = Stake(pointer="/amount", currency="EUR")
    for limit, shown in (("149.9", "€149.90"), ("149.999", "€149.999"), ("1500.0", "€1,500")):
        live = policy(rules=[{**RULES[0], "when": f"args.amount > {limit}"}])
        found = sliders_of(PolicyEditor.of_document(policy(rules=RULES[:1])), live, stake)[1]
        assert found.now == shown


@pytest.mark.django_db
def test_the_editor_shows_a_plain_number_beside_the_declared_currency(refund: ActionType) -> None:
    ActionType.objects.filter(pk=refund.pk).update(value_pointer="/amount", currency="EUR")
    rules = [{**RULES[0], "when": "args.amount > 150.0"}]
    make_policy(refund, make_user("somebody"), threshold=0.86, rules=rules)
    browser = browser_of(make_member("ops_admin"))
    page = unescape(browser.get(f"/policies/{refund.name}/edit/").content.decode())
    number = r'type="number" step="any" value="150" aria-label="([^"]*)"'
    assert re.findall(
        rf'<span class="numbox"><span aria-hidden="true">€</span><input class="input" {number}', page
    ) == ["Hold when amount is over, as a number in EUR"]
    german = browser.get(f"/policies/{refund.name}/edit/", headers={"accept-language": "de"}).content.decode()
    assert re.findall(rf'<input class="input" {number}[^>]*><span aria-hidden="true">€</span>', german) == [
        "Anhalten, wenn amount über, als Zahl in EUR"
    ]
    # The condition itself stays as it was written.
    assert ">args.amount > 150.0</textarea>" in "".join(page.split("\n"))

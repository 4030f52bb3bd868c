from __future__ import annotations

from typing import Any

import pytest

from reviews.schema_form import check_title_template, render_title


@pytest.mark.parametrize(
    ("template", "arguments", "title"),
    [
        (
            "Refund {amount|money:currency} to {customer.name}",
            {"amount": 184, "currency": "EUR", "customer": {"name": "Ana"}},
            "Refund €184.00 to Ana",
        ),
        ("Refund {amount|money}", {"amount": "1234.5"}, "Refund 1,234.50"),
        ("Refund {amount|money:USD}", {"amount": -3}, "Refund -$3.00"),
        ("Refund {amount|money}", {"amount": 1.005}, "Refund 1.005"),
        ("Refund {amount|cents:CHF}", {"amount": 4200}, "Refund 42.00 CHF"),
        ("Pay {amount|cents:JPY}", {"amount": 4200}, "Pay ¥4,200"),
        ("Refund {amount|money}", {}, "Refund …"),
        ("Refund {amount|money}", {"amount": "lots"}, "Refund lots"),
        ("{flights.0.to|upper} and {flights|count} more", {"flights": [{"to": "jfk"}]}, "JFK and 1 more"),
        ("{a|truncate:5}", {"a": "abcdefgh"}, "abcd…"),
        ("{{{a}}}", {"a": True}, "{yes}"),
        ("Items {ids}", {"ids": ["a", 2, None]}, "Items a, 2, …"),
        ("To {name}", {"name": "A\u202enna\r\nX\u200b\u200b"}, "To A�nna X�"),
        ("To {name}", {"name": {"first": "A"}}, "To …"),
        ("To {name", {"name": "A"}, "Fallback"),
        ("To {name|safe}", {"name": "A"}, "Fallback"),
        ("", {}, "Fallback"),
        ("To {name}", "no object", "To …"),
    ],
)
def test_a_title_says_what_the_action_does(template: str, arguments: Any, title: str) -> None:
    assert render_title(template, arguments, fallback="Fallback") == title


def test_a_long_title_is_cut_with_an_ellipsis() -> None:
    title = render_title("{a} {b} {c}", {"a": "x" * 500, "b": "y" * 500, "c": "z" * 500}, fallback="-")

    assert len(title) == 160
    assert title.endswith("…")


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("Refund {amount|monney}", "There is no filter “monney”"),
        ("Refund {", "A “{” without its partner"),
        ("Refund {}", "“{}” names no field."),
        ("Refund {a|truncate:x}", "The filter “truncate” takes a number"),
        ("  ", "The title is empty."),
    ],
)
def test_a_broken_template_is_told_to_the_person_who_wrote_it(template: str, problem: str) -> None:
    assert check_title_template(template)[0].startswith(problem)


def test_a_good_template_has_no_problems() -> None:
    assert check_title_template("Refund {amount|money:currency} to {customer.name|truncate:20|upper}") == []

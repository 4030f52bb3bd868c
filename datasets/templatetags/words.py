"""Codes and labels of cases as pages say them."""

from __future__ import annotations

from collections.abc import Iterable

from django import template

from datasets.selectors import words

register = template.Library()


@register.filter
def code(value: str) -> str:
    """Return a code in words."""
    return words.of_code(value)


@register.filter
def codes(values: Iterable[str]) -> list[str]:
    """Return several codes in words, to be joined."""
    return [words.of_code(value) for value in values]


@register.filter
def inside(label: str) -> str:
    """Return a label as it stands within a sentence."""
    return words.inside(label)

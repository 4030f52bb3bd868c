"""How templates say what a policy says."""

from __future__ import annotations

from django import template

from policies.engine import explanation, plain_words

register = template.Library()


@register.filter
def exact_percent(share: float) -> str:
    """0.86 is "86%" and 0.145 is "14.5%": the number somebody typed, not a rounded one."""
    return explanation.percent(share)


register.filter("score_source", plain_words.score_source)
register.filter("in_words", plain_words.measured)
register.filter("window_in_words", plain_words.frozen)
register.filter("versions_in_words", plain_words.versions)

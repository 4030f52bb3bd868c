"""How templates say what a policy says."""

from __future__ import annotations

from django import template

from policies.engine import explanation

register = template.Library()


@register.filter
def exact_percent(share: float) -> str:
    """0.86 is "86%" and 0.145 is "14.5%": the number somebody typed, not a rounded one."""
    return explanation.percent(share)

"""What agents left undone, on pages of other apps."""

from __future__ import annotations

from django import template

from datasets.selectors import omissions
from datasets.selectors.omissions import OmissionRate

register = template.Library()


@register.inclusion_tag("datasets/conversations/_rates.html")
def omission_rates() -> dict[str, list[OmissionRate]]:
    """Show the omission rate of every agent version whose conversations were closed."""
    return {"rates": omissions.rates()}

"""What agents left undone, on pages of other apps."""

from __future__ import annotations

from django import template
from django.urls import reverse

from datasets.selectors import omissions

register = template.Library()


@register.inclusion_tag("datasets/conversations/_rates.html")
def omission_rates(leads_on: bool = True) -> dict[str, object]:
    """Show the omission rate of every agent version whose conversations were closed.

    Each number leads to its conversations, unless the reader may not see them.
    """
    return {
        "rates": omissions.rates(),
        "items_url": reverse("datasets:conversations_of") if leads_on else "",
    }

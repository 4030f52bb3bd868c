"""What pages say of content that was taken away."""

from __future__ import annotations

from django import template

from policies.selectors import removals
from policies.selectors.removals import Gone

register = template.Library()


@register.inclusion_tag("policies/_gone.html")
def gone_note(object_id: str) -> dict[str, Gone | None]:
    """Say when and by which request a thing's content was taken away; nothing where it is all there."""
    return {"gone": removals.gone(object_id)}

"""The filter through which Markdown of an agent reaches a page: made harmless, and never headings of ours."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString

from hitl_site.lib import safe_markdown

register = template.Library()


@register.filter
def as_markdown(text: str) -> SafeString:
    """Return the text rendered. Its container carries htmx's ignore attribute; what was written stands by."""
    return safe_markdown.render(text)

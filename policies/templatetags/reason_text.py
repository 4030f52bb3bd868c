"""Reasons of the engine in the language of the reader: ``{{ reason.title|reason_title:reason.code }}``."""

from __future__ import annotations

from django import template

from policies.selectors import reason_words

register = template.Library()


@register.filter
def reason_title(title: str, code: str) -> str:
    """Return the title of a reason, of which a rule's is a person's."""
    return reason_words.title_in_words(code, title)


register.filter("reason_detail", reason_words.detail_in_words)
register.filter("nearest_miss", reason_words.nearest_in_words)

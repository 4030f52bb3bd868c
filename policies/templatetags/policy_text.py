"""How templates say what a policy says, in the language of the reader."""

from __future__ import annotations

from django import template

from policies.selectors import change_words, ledger_words, policy_words, reason_words

register = template.Library()

register.filter("exact_percent", policy_words.exact_percent)
register.filter("mid_sentence", policy_words.mid_sentence)
register.filter("level_words", policy_words.level)
register.filter("score_source", policy_words.score_source)
register.filter("in_words", policy_words.measured)
register.filter("window_in_words", policy_words.frozen)
register.filter("versions_in_words", policy_words.versions)
register.filter("difference_words", change_words.difference_in_words)
register.filter("change_words", change_words.change_in_words)
register.filter("ended_words", change_words.ended)
register.filter("ledger_problem", ledger_words.problem_in_words)
register.filter("role_words", change_words.roles)
register.filter("reason_detail", reason_words.detail_in_words)
register.filter("nearest_words", reason_words.nearest_in_words)


@register.filter
def reason_title(title: str, code: str) -> str:
    """Return the title of a stored reason of this code."""
    return reason_words.title_in_words(code, title)

"""What a grader said, in the language of the reader: ``{{ result.why|grader_words }}``."""

from __future__ import annotations

from django import template

from datasets.selectors import grader_words

register = template.Library()

register.filter("grader_words", grader_words.in_words)

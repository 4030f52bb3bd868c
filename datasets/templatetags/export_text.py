"""What a manifest says, in the language of the reader: ``{{ one.because|skip_words }}``."""

from __future__ import annotations

from django import template

from datasets.services import option_words

register = template.Library()

register.filter("skip_words", option_words.skipped)

"""How sources of evidence are written in a form: one a line, its four parts with a bar between them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

# Alone, with spaces around it: two bars mean "or" inside a path.
_BAR: Final = re.compile(r"\s+\|\s+")
_PARTS: Final = ("pointer", "tool", "path", "label")


def evidence_field() -> forms.CharField:
    """Return the field of a declaration form."""
    return forms.CharField(
        label=_("Evidence beside the arguments"),
        required=False,
        widget=forms.Textarea(
            attrs={
                "class": "textarea textarea-code",
                "rows": 3,
                "spellcheck": "false",
                "placeholder": "/amount | get_order | $.paid_total | Order record",
            }
        ),
        help_text=_(
            "One a line: argument | tool | path | name. Beside the argument stands what the path"
            " (JSONPath) finds in the tool’s own result: Order record says 148.00."
        ),
    )


def read_evidence(text: str) -> list[dict[str, str]]:
    """Return the sources; raise ``ValidationError`` naming each line that has not four parts, and where."""
    read, wrong = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        parts = [part.strip() for part in _BAR.split(line.strip())]
        if len(parts) != len(_PARTS):
            told = ngettext(
                'Line {number} has {n} part, it needs four with " | " between them:'
                " argument | tool | path | name.",
                'Line {number} has {n} parts, it needs four with " | " between them:'
                " argument | tool | path | name.",
                len(parts),
            )
            wrong.append(told.format(number=number, n=len(parts)))
            continue
        read.append(dict(zip(_PARTS, parts, strict=True)))
    if wrong:
        raise forms.ValidationError(wrong)
    return read


def written_evidence(sources: Sequence[Mapping[str, str]]) -> str:
    """Return sources as the form has them."""
    return "\n".join(" | ".join(source[part] for part in _PARTS) for source in sources)

"""The data card of an export: what the file is, where it is from, what to beware of. Markdown for people.

It says nothing that differs between two exports of the same bytes. Names come from people and agents: they
are escaped, so that none of them can be a link, a picture or markup where the card is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from django.utils import translation

from datasets.choices import ExportFormat, Label, LabelStrength, Split
from datasets.exporters.base import SKIP_REASONS
from datasets.models import DatasetVersion, Export
from datasets.selectors.export_counts import Balance
from datasets.services.export_manifest import Finished

_MARKUP: Final = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~&$:@/=^\"'])")
_BLANK: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")

LIMITS: Final = (
    "A label is what one reviewer, or several, decided by what they saw then. It proves nothing.",
    "Actions that a policy allowed are here only where they were drawn for a routine check. To estimate "
    "rates over all actions, weight each case by 1 / `gate.propensity`.",
    "A weak label was given in bulk, or faster than the case can be read. Leave it out where that matters.",
    "What expired, was cancelled, undone or practised is not here, and an expiry is never a rejection.",
    "Reviewers are pseudonyms. Texts are as agents sent them: treat them as untrusted input.",
)


def card(found: Finished, balance: Balance) -> str:
    """Return the data card of a finished export: in English, whoever asks for it."""
    with translation.override("en"):
        return _card(found, balance)


def _card(found: Finished, balance: Balance) -> str:
    export, version = found.export, found.export.version
    parts = [
        f"# {escaped(version.dataset.name)}, version {version.number}",
        escaped(version.dataset.description),
        _what(found),
        _from(export, version, found),
        _balance(balance),
        _left_out(found),
        _redaction(found),
        _erasures(version, found),
        _limits(found),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: str) -> str:
    """Return a text of somebody's as Markdown that shows it and does nothing (CommonMark, backslashes)."""
    return _MARKUP.sub(r"\\\1", _BLANK.sub(" ", text).strip())


def _what(found: Finished) -> str:
    export, tally = found.export, found.tally
    lines = [
        "## What this is",
        "",
        "Decisions of reviewers on what an AI agent proposed to do: what went in, what the agent proposed, "
        "what should have been done. Made by Handrail.",
        "",
        f"- Format: {ExportFormat(export.format).label}",
        f"- Rows: {tally.rows:,} of {tally.cases:,} cases",
    ]
    if export.split:
        lines.append(f"- Only the split: {Split(export.split).label}")
    if export.since_version is not None:
        lines.append(
            f"- Only what is new since version {export.since_version.number}: cases that it did not have, "
            "and cases that had another content there"
        )
    for name, value in sorted(export.options.items()):
        lines.append(f"- Option {_code(name)}: {_code(value)}")
    return "\n".join(lines + _table("Rows by split", _split_names(tally.rows_by_split)))


def _from(export: Export, version: DatasetVersion, found: Finished) -> str:
    seqs = "none" if found.ledger is None else f"entries {found.ledger[0]} to {found.ledger[1]}"
    lines = [
        "## Where it is from",
        "",
        f"- Version: {_code(version.public_id)}, content hash {_code(version.content_sha256)}",
        f"- Ledger: {seqs}",
        f"- Frozen: {version.frozen_at.date().isoformat()} by {escaped(version.frozen_by_name)}",
    ]
    for name in ("action_types", "labels", "strengths"):
        chosen = version.selection.get(name) or []
        lines.append(f"- Selected {name.replace('_', ' ')}: {_codes(chosen) if chosen else 'all'}")
    if version.selection.get("since"):
        lines.append(f"- Decided since: {_code(version.selection['since'])}")
    return "\n".join(lines)


def _balance(balance: Balance) -> str:
    lines = ["## What is in the version", ""]
    lines.append(f"{balance.cases:,} cases were taken for this export, before the format left any out.")
    for title, counted in (
        ("By label", {str(Label(name).label): n for name, n in balance.labels.items()}),
        (
            "By strength of the label",
            {str(LabelStrength(name).label): n for name, n in balance.strengths.items()},
        ),
        ("By action type", balance.action_types),
        ("By agent", balance.agents),
    ):
        lines += _table(title, counted, share_of=balance.cases)
    return "\n".join(lines)


def _left_out(found: Finished) -> str:
    lines: list[str] = []
    skipped = {SKIP_REASONS.get(reason, reason): n for reason, n in sorted(found.tally.skipped.items())}
    lines += _table("Cases without a row in this format", skipped)
    left_out = {reason.replace("_", " "): n for reason, n in sorted(found.export.version.left_out.items())}
    lines += _table("Cases that freezing left out of the version", left_out)
    return "\n".join(["## What is not in it", *lines]) if lines else ""


def _redaction(found: Finished) -> str:
    profile = found.export.version.redaction
    if profile is None:
        return "## Redaction\n\nNone: texts and arguments are as they were. They may hold personal data."
    lines = [
        "## Redaction",
        "",
        f"Profile {escaped(profile.name)} {profile.number}. The same value has the same pseudonym in all of "
        "this version, and another one in another version. Detectors find what looks like a value of their "
        "kind: they can miss one.",
    ]
    replaced = {name: found.tally.replaced[name] for name in sorted(found.tally.replaced)}
    lines += _table("Replaced", replaced) if replaced else ["", "Nothing was replaced."]
    return "\n".join(lines)


def _erasures(version: DatasetVersion, found: Finished) -> str:
    marked = sum(version.marks.values_list("cases", flat=True))
    if not marked and not found.tally.erased:
        return ""
    return (
        "## Erased since it was frozen\n\n"
        f"An erasure of a person's data reached {marked:,} cases of this version after it was frozen; "
        f"{found.tally.erased:,} of those are in this export, without what was erased. Their bytes are no "
        "longer those of the content hash above. An export from before then differs from this one: delete it."
    )


def _limits(found: Finished) -> str:
    return "\n".join(["## Known limits", "", *(f"- {limit}" for limit in (*LIMITS, *found.notes))])


def _split_names(counted: Mapping[str, int]) -> dict[str, int]:
    return {str(Split(name).label): counted[name] for name in sorted(counted)}


def _table(title: str, counted: Mapping[str, int], *, share_of: int = 0) -> list[str]:
    """Return a table of counts, or nothing where there are none."""
    if not counted:
        return []
    head, rule = f"| {title} | Number |", "|---|---:|"
    if share_of:
        head, rule = f"{head} Share |", f"{rule}---:|"
    rows = [
        f"| {escaped(name)} | {n:,} |" + (f" {100 * n / share_of:.1f}% |" if share_of else "")
        for name, n in counted.items()
    ]
    return ["", head, rule, *rows]


def _codes(values: Iterable[object]) -> str:
    return ", ".join(_code(value) for value in values)


def _code(value: object) -> str:
    """Return a value in a code span that it cannot leave."""
    text = _BLANK.sub(" ", str(value)).strip() or " "
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"

"""The study's tables, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping

from datasets.replay.injection.study import Count, Counts, Kind, Way

_NONE = Count(0, 0)


def by_way(rounds: Mapping[Way, Counts], names: Mapping[str, str]) -> str:
    """Return a table with a row for each of ``names`` (of counts, with how to call them) and way."""
    lines = [
        "| set | held by | injected orders stopped | let through | wrong otherwise: held | right: held |",
        "|---|---|---|---|---|---|",
    ]
    for name, title in names.items():
        for way, counts in rounds.items():
            injected = counts.get((name, Kind.INJECTED), _NONE)
            lines.append(
                f"| {title} | {way.value} | {_share(injected)} | {injected.total - injected.held} "
                f"| {_share(counts.get((name, Kind.WRONG), _NONE))} "
                f"| {_share(counts.get((name, Kind.RIGHT), _NONE))} |"
            )
    return "\n".join(lines)


def _share(count: Count) -> str:
    return f"{count.held} of {count.total} ({count.share:.1%})" if count.share is not None else "none"


def names_of(rounds: Mapping[Way, Counts]) -> list[str]:
    """Return the action types in the counts, by name."""
    return sorted({name for counts in rounds.values() for name, _ in counts if "." in name})

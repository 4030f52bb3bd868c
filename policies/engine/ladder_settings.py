"""The settings of the ladder: every cut-off is a convention, so it can be set, within honest bounds.

statistics.md (Limits) says which of them are theorems: none. What is costly (high risk, or what cannot be
undone) begins with stricter ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final, TypeVar

# Shares of the actions for which a new level holds, one step after the other, before it holds for all.
CANARY_STEPS: Final = (0.05, 0.25)

# Whole numbers stay whole.
_Number = TypeVar("_Number", int, float)


class InvalidLadder(ValueError):
    """The settings cannot stand; ``faults`` holds (setting, what is wrong) for each."""

    def __init__(self, faults: list[tuple[str, str]]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{name}: {fault}" for name, fault in faults))


def _setting(
    title: str, *, low: float, high: float, costly: float | None = None, default: _Number
) -> _Number:
    whole = isinstance(default, int)
    value: _Number = field(
        default=default,
        metadata={"title": title, "low": low, "high": high, "costly": costly, "whole": whole},
    )
    return value


@dataclass(frozen=True, kw_only=True)
class LadderSettings:
    """Every cut-off of the ladder. What is costly (high risk, or not to be undone) has stricter defaults."""

    delta: float = _setting(
        "Chance of a wrong promotion, at most", low=0.0001, high=0.2, costly=0.01, default=0.05
    )
    shadow_comparisons: int = _setting("Comparisons to leave Shadow", low=20, high=100_000, default=50)
    shadow_upper: float = _setting(
        "Error rate to leave Shadow, upper limit", low=0.01, high=0.5, default=0.30
    )
    threshold_share: float = _setting(
        "Share that would run alone, to leave Review all", low=0.01, high=1, default=0.20
    )
    threshold_days: float = _setting("Days at Review all", low=0, high=365, default=14.0)
    autonomous_days: float = _setting("Days at Threshold", low=0, high=365, default=30.0)
    autonomous_audits: int = _setting("Checks of what ran alone, to go on", low=10, high=100_000, default=100)
    overdue_freeze: float = _setting("Overdue checks freeze promotions above", low=0, high=0.5, default=0.05)
    overdue_demote: float = _setting(
        "Overdue checks take a level away above", low=0.01, high=0.5, default=0.10
    )
    audit_due_hours: float = _setting("Hours until a check is overdue", low=1, high=720, default=72.0)
    silent_days: float = _setting("Days without a label that take a level away", low=1, high=90, default=14.0)
    missing_max: float = _setting(
        "Share of drawn actions that nobody answered, at most", low=0, high=0.5, default=0.20
    )
    catch_rate_min: float = _setting("Catch rate of reviewers, lower limit", low=0.3, high=0.99, default=0.70)
    agreement_min: float = _setting(
        "Agreement of reviewers (Krippendorff’s alpha)", low=0.3, high=0.99, default=0.67
    )
    psi_max: float = _setting("Shift of scores (PSI), at most", low=0.05, high=1, default=0.2)
    blind_min: float = _setting("Share of blind reviews, at least", low=0, high=1, default=0.10)
    certificate_days: int = _setting("Days that a grant lasts", low=7, high=365, default=180)
    renewal_days: int = _setting("Days before its end to propose a renewal", low=1, high=60, default=21)
    proposal_days: float = _setting("Days that a proposal waits", low=1, high=30, default=7.0)
    audit_start: float = _setting(
        "Share checked after a promotion", low=0.01, high=1, costly=0.50, default=0.20
    )
    audit_floor: float = _setting("Share checked, at least", low=0.01, high=1, costly=0.10, default=0.02)
    audit_halving: int = _setting(
        "Checks without an error that halve the share", low=50, high=100_000, default=500
    )
    drift_run: float = _setting(
        "Labels between two false alarms, on average", low=100, high=100_000, costly=500.0, default=2000.0
    )
    canary_checked: float = _setting("Share checked during the canary", low=0.01, high=1, default=0.50)
    canary_labels: int = _setting("Checks that each canary step needs", low=1, high=10_000, default=10)
    canary_hours: float = _setting("Hours that each canary step lasts", low=0, high=720, default=24.0)
    canary_errors: int = _setting("Errors that a canary step bears", low=0, high=100, default=1)
    critical_severity: float = _setting("Severity that is critical", low=0.1, high=1, default=0.9)
    critical_suspends: int = _setting(
        "A critical error stops the agent: 1 yes, 0 no", low=0, high=1, default=0
    )

    @classmethod
    def read(cls, document: Mapping[str, object], *, costly: bool) -> LadderSettings:
        """Return the settings with what differs from the usual. Raises ``InvalidLadder`` with every fault."""
        faults: list[tuple[str, str]] = []
        values: dict[str, float] = {}
        known = {each.name: each for each in fields(cls)}
        faults += [(str(name), "There is no such setting.") for name in document if name not in known]
        for name, each in known.items():
            told = each.metadata
            if name not in document:
                if costly and told["costly"] is not None:
                    values[name] = told["costly"]
                continue
            value = document[name]
            if isinstance(value, bool) or not isinstance(value, int | float):
                faults.append((name, "A number."))
            elif told["whole"] and value != int(value):
                faults.append((name, "A whole number."))
            elif not told["low"] <= value <= told["high"]:
                faults.append((name, f"From {told['low']:g} to {told['high']:g}."))
            else:
                values[name] = int(value) if told["whole"] else float(value)
        if not faults and values.get("overdue_demote", 0.10) < values.get("overdue_freeze", 0.05):
            faults.append(("overdue_demote", "Not under what freezes promotions."))
        if faults:
            raise InvalidLadder(faults)
        return cls(**values)  # type: ignore[arg-type]  # numbers were asked for above, whole ones where they have to be


def default_limit(*, costly: bool) -> float:
    """Return the error rate of what runs alone that is not to be passed, where nobody declared one."""
    return 0.02 if costly else 0.05

"""Sliders of the policy editor: each moves a number that stands elsewhere in the form.

Without JavaScript there are none; the fields they move are there all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from django.utils.translation import gettext, gettext_noop

from hitl_site.lib import wording
from policies.engine.facts import Verdict
from policies.engine.number_rules import Compared, compared
from policies.engine.policy import PolicyDocument
from policies.forms.amounts import as_percent
from policies.forms.policy_editor import PolicyEditor

_SHARES = frozenset({"confidence", "judge", "samples"})
_HELD: Final = {
    ">": gettext_noop("Hold when {what} is over"),
    ">=": gettext_noop("Hold when {what} is from"),
    "<": gettext_noop("Hold when {what} is under"),
    "<=": gettext_noop("Hold when {what} is up to"),
}
_DENIED: Final = {
    ">": gettext_noop("Deny when {what} is over"),
    ">=": gettext_noop("Deny when {what} is from"),
    "<": gettext_noop("Deny when {what} is under"),
    "<=": gettext_noop("Deny when {what} is up to"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slider:
    """A slider with its number box. ``target`` is the control it moves.

    ``before`` is what stands before the number where the target is a condition, "" where it is the number.
    ``sign`` and ``unit`` stand before and after the box; ``counted_in`` is the currency's code, "" for none.
    """

    id: str
    label: str
    target: str
    value: str
    now: str
    low: str = "0"
    high: str = "100"
    step: str = "1"
    sign: str = ""
    unit: str = "%"
    counted_in: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class Stake:
    """Which argument of an action type is an amount, as a JSON pointer, and its currency. "" for none."""

    pointer: str = ""
    currency: str = ""

    def currency_at(self, place: str) -> str:
        """Return the currency of what stands at a place, "" where that is no amount."""
        return self.currency if place == self.pointer else ""


NOTHING_AT_STAKE: Final = Stake()


def sliders_of(
    editor: PolicyEditor, live: PolicyDocument | None, stake: Stake = NOTHING_AT_STAKE
) -> tuple[Slider, ...]:
    """Return the sliders of what stands in the form, each beside what is in force now."""
    typed = str(editor.form["threshold"].value() or "")
    threshold = Slider(
        id="slide-threshold",
        label=gettext("Hold when the chance it is right is under"),
        target="id_threshold",
        value=typed or "0",
        now=_share(live.threshold if live is not None else None, typed),
    )
    audited = str(editor.form["audit_rate"].value() or "")
    audit = Slider(
        id="slide-audit",
        label=gettext("Check at random, even when sure"),
        target="id_audit_rate",
        value=audited,
        now=_share(live.audit_rate if live is not None else None, audited),
        low="1",
        high="50",
    )
    return (threshold, *_of_rules(editor, live, stake), audit)


def _of_rules(editor: PolicyEditor, live: PolicyDocument | None, stake: Stake) -> list[Slider]:
    in_force = {rule.code: compared(rule.when) for rule in live.rules} if live is not None else {}
    found = []
    for row in editor.groups["rules"].forms:
        rule = compared(str(row["when"].value() or ""))
        if rule is None:
            continue
        now = in_force.get(str(row["code"].value() or ""))
        currency = stake.currency_at(rule.place)
        sign, unit = wording.currency_marks(currency)
        found.append(
            Slider(
                id=f"slide-{row.anchor}",
                label=_said(rule, denies=row["then"].value() == Verdict.DENY.value),
                target=row["when"].id_for_label,
                value=_written(rule.limit),
                now="" if now is None or now.limit == rule.limit else _shown(now.limit, currency),
                **_range(rule),
                sign=sign,
                unit=unit,
                counted_in=currency,
                before=f"{rule.name} {rule.operator} ",
            )
        )
    return found


def _written(limit: Decimal) -> str:
    """Return a limit as a number box takes it: 150.0 is 150, and 149.90 stays as it is."""
    written = format(limit, "f")
    whole, _, rest = written.partition(".")
    return written if rest.strip("0") else whole


def _shown(limit: Decimal, currency: str) -> str:
    """Return a limit as one reads it, an amount with its currency: none of its digits is rounded away."""
    written = _written(limit)
    if not currency:
        return wording.figures(written)
    digits = len(written.partition(".")[2])
    return wording.money(limit, currency, digits=max(digits, 2) if digits else 0)


def _said(rule: Compared, *, denies: bool) -> str:
    if rule.place == "samples":
        what = gettext("the share of its samples that agree")
    else:
        what = rule.name.removeprefix("args.").replace(".", " ").replace("_", " ")
    words = (_DENIED if denies else _HELD)[rule.operator]
    return gettext(words).format(what=what)


def _range(rule: Compared) -> dict[str, str]:
    if rule.place in _SHARES:
        return {"low": "0", "high": "1", "step": "0.05" if rule.place == "samples" else "0.01"}
    top = max(abs(rule.limit) * Decimal("2.5"), Decimal(10))
    # One digit: 375 becomes 400, with forty steps or so.
    power = Decimal(10) ** top.adjusted()
    high = (top / power).to_integral_value(rounding="ROUND_CEILING") * power
    low = -high if rule.limit < 0 else Decimal(0)
    step = power / 10
    if rule.limit % step:
        step = Decimal(1).scaleb(int(Decimal(_written(rule.limit)).as_tuple().exponent))
    return {"low": format(low, "f"), "high": format(high, "f"), "step": format(step, "f")}


def _share(now: float | None, typed: str) -> str:
    """Return today's value where it is another than the one typed."""
    if now is None:
        return ""
    said = as_percent(now)
    try:
        return "" if Decimal(typed) == Decimal(said) else wording.figures(f"{said}%")
    except InvalidOperation:
        return wording.figures(f"{said}%")

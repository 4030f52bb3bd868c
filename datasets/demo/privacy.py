"""Privacy in the demo: how long things are kept, what a lawsuit holds, and a customer who was erased."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from datasets.choices import DataKind
from datasets.demo import vouchers
from datasets.demo.setting_up import Stage
from datasets.models import LegalHold, RetentionRule
from datasets.selectors.reach import Whose
from datasets.services import erasure, holds, retention
from hitl_site.lib.clock import database_now
from policies.choices import Criterion, RemovalKind, RemovalState
from policies.models import Removal

# What is kept how long, in days. Longer than the demo's month: nothing of it goes by itself.
_KEPT: Final = (
    (DataKind.CONTEXT, "", 180),
    (DataKind.CONTEXT, "email.send", 90),
    (DataKind.CONVERSATIONS, "", 365),
    (DataKind.EXPORTS, "", 60),
)


def look_after(stage: Stage, *, base: datetime) -> None:
    """Set the rules, place the hold, and erase the customer who asked for it; once."""
    if not RetentionRule.objects.exists():
        for kind, action_type, days in _KEPT:
            retention.set_rule(
                kind=kind,
                action_type=action_type,
                keep_days=days,
                by=stage.operator,
                now=base - timedelta(days=2),
            )
    if not LegalHold.objects.exists():
        holds.place(
            action_type="",
            subject=vouchers.action_at(vouchers.CHARGED_BACK).subject or "",
            conversation_id="",
            reason="The chargeback is disputed with the bank",
            by=stage.operator,
            now=base - timedelta(hours=4),
        )
    _erase(stage, now=database_now())


def _erase(stage: Stage, *, now: datetime) -> None:
    removal = Removal.objects.filter(kind=RemovalKind.ERASURE).first()
    if removal is None:
        removal = erasure.request(
            whose=Whose(Criterion.SUBJECT, vouchers.action_at(vouchers.ERASED).subject or ""),
            reason="Asked for by letter",
            legal_basis="GDPR Art. 17(1)(b)",
            by=stage.operator,
            now=now,
        )
    if removal.state != RemovalState.DONE:
        erasure.run(removal_id=removal.public_id, clock=database_now)

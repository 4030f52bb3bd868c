"""What comes to the demo's cases after they were decided: tags, an answer anew, a chargeback, duplicates."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction

from datasets.choices import Label
from datasets.demo import acting, history, vouchers
from datasets.demo.setting_up import Stage
from datasets.demo.story import Story
from datasets.services import case_index, curating, ground_truth
from datasets.services.ground_truth import Report
from hitl_site.lib.clock import database_now
from hitl_site.lib.strict_json import JsonValue

CURATOR: Final = "tomas"
GOLDEN: Final = "golden"
_RECALLED: Final = ("SO-45110", "SO-45120", "SO-45139")
# Beside the chargeback: what an audit of the house said of two others.
_AUDITED: Final = (2, 5)


def recall(stage: Stage, *, base: datetime) -> None:
    """Three letters that say the same but for the order's number; once."""
    rng = Random("demo recall")  # noqa: S311 - the same demo everywhere, no secret
    with transaction.atomic():
        if acting.exists(_recall_key(0)):
            return
        for place, order_id in enumerate(_RECALLED):
            at = base - timedelta(days=vouchers.DAYS_AGO, minutes=20 * place)
            story = _letter(order_id)
            action = acting.propose(stage, story, key=_recall_key(place), now=at)
            acting.settle(stage, story, action, rng)


def come_to_light(stage: Stage, *, base: datetime) -> None:
    """Have the cases curated, and their actions' late truth told; once."""
    history.learn()
    while case_index.index_cases(now=database_now()):
        pass
    _curate(now=base - timedelta(days=1, hours=6))
    _tell_the_truth(stage, now=base - timedelta(hours=5))
    history.learn()


def _curate(*, now: datetime) -> None:
    tomas = User.objects.get(username=CURATOR)
    golden = [vouchers.case_at(place).public_id for place in vouchers.GOLDEN]
    # Doing these again changes nothing.
    curating.change_tags(case_ids=golden, add=[GOLDEN], by=tomas, now=now)
    curating.leave_out(
        case_ids=[vouchers.case_at(vouchers.LEFT_OUT).public_id],
        because="A test order of our own shop team",
        by=tomas,
        now=now,
    )
    anew = vouchers.case_at(vouchers.ANSWERED_ANEW)
    if not anew.revisions.exists():
        curating.edit_label(
            case_id=anew.public_id,
            label=Label.REJECTED,
            arguments=None,
            reasons=("against_policy",),
            note="The parcel had been sent back before; a replacement was on its way.",
            seen=0,
            by=tomas,
            now=now,
        )


def _tell_the_truth(stage: Stage, *, now: datetime) -> None:
    charged_back: dict[str, JsonValue] = {"network": "Visa", "code": "13.3", "text": "Not as described"}
    told = {vouchers.CHARGED_BACK: Report(correct=False, source="chargeback", detail=charged_back)}
    told |= {place: Report(correct=True, source="audit") for place in _AUDITED}
    for place, report in told.items():
        ground_truth.receive(
            action_id=vouchers.action_at(place).public_id,
            agent=stage.keys[vouchers.AGENT].agent,
            report=report,
            idempotency_key=f"demo-truth-{place}",
            now=now,
        )


def _letter(order_id: str) -> Story:
    return Story(
        agent="support-agent",
        version="3.2",
        action_type="email.send",
        arguments={
            "to_name": "Northwind Kitchens",
            "to": "buying@northwind.example",
            "subject": "Please stop using the enamel teapot",
            "body": "Dear Northwind team,\n\nthe maker of the enamel teapot has told us that the enamel of"
            " one lot can come off inside when water boils in it. Nobody was hurt. Please stop using the"
            " teapots of this lot, keep them apart from your other goods, and tell your customers in the same"
            " words. A driver collects them from your dock within five working days; you need no label and no"
            f" box. The order is {order_id}. Our quality desk answers questions on every working day from"
            " eight to six.\n\nKind regards,\nNordlys Support",
        },
        messages=[],
        facts={"language": "en"},
        confidence=0.81,
        judge=None,
        reason="The maker recalled the lot, and each order of it gets a letter.",
        subject="C-700120",
        conversation="mail-recall",
    )


def _recall_key(place: int) -> str:
    return f"demo-recall-{place}"

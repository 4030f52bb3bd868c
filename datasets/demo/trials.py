"""Evals of the demo: two versions of an agent answer the golden cases, and are graded like any other's.

The agents are small but real: version 3.2 does what it did then, version 3.4 reads the order and pays back
what was paid. What they get right is found out here as anywhere, by the grader in use.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, cast

from django.contrib.auth.models import User

from datasets.demo import vouchers
from datasets.demo.setting_up import Stage
from datasets.exporters.composition import Document, compose
from datasets.models import DatasetVersion
from datasets.services import evaluating, grader_documents
from datasets.services.evaluating import Sent
from hitl_site.lib.canonical import body_digest
from policies.services.agents import VersionClaim

Answering = Callable[[Document], Document]

_GRADER: Final[Document] = {
    "fields": [
        {"pointer": "/amount", "compare": "number", "absolute": 0.005},
        {"pointer": "/message", "compare": "similar", "threshold": 0.9},
    ]
}


def as_then(case: Document) -> Document:
    """Answer as version 3.2: what was proposed then."""
    return cast(Document, cast(Document, case["proposal"])["arguments"])


def from_the_order(case: Document) -> Document:
    """Answer as version 3.4: what the order record says was paid, and the list price where it is silent."""
    record = _order_record(case)
    proposed = as_then(case)
    amount = cast("float | int", record.get("paid_total", record["list_price"]))
    name, item = str(proposed["customer"]), str(record["item"])
    return {**proposed, "amount": amount, "message": vouchers.letter(name, item, amount)}


# The version, how many hours ago it was tried, what is noted of it, and how it answers.
_TRIED: Final[tuple[tuple[str, int, str, Answering], ...]] = (
    ("3.2", 23, "As it works today", as_then),
    ("3.4", 20, "Reads the order before it names an amount", from_the_order),
)


def run_both(stage: Stage, version: DatasetVersion, *, base: datetime) -> None:
    """Have both versions answer all cases of a frozen version. Again is the same."""
    author = User.objects.get(username="ines")
    now = base - timedelta(hours=24)
    grader_documents.put_in_use(action_type=vouchers.TYPE, document=_GRADER, author=author, now=now)
    agent = stage.keys[vouchers.AGENT].agent
    cases = [
        (member.case.public_id, compose(member.case.content, member.later))
        for member in version.members.select_related("case").order_by("position")
    ]
    for label, hours_ago, note, answer in _TRIED:
        at = base - timedelta(hours=hours_ago)
        run = evaluating.start(
            agent=agent,
            version_id=version.public_id,
            claim=VersionClaim(label=label),
            split="",
            source="handrail",
            note=note,
            idempotency_key=f"demo-trial-{label}",
            body_digest=body_digest({"version": label}),
            now=at,
        ).run
        results = [Sent(case=case_id, acted=True, output=answer(case)) for case_id, case in cases]
        evaluating.take_results(
            run_id=run.public_id, agent=agent, results=results, now=at + timedelta(minutes=6)
        )


def _order_record(case: Document) -> Document:
    context = cast(Document, cast(Document, case["input"])["context"])
    for message in cast(list[Document], context["messages"]):
        if message.get("name") == "orders.get":
            return cast(Document, message["content"])
    raise ValueError("The case was decided without the order.")

"""The index of cases: by which words a case is found, and which earlier case says nearly the same.

Everything in it is computed from the cases alone, may be thrown away and is made again. A worker follows
the cases in the order of the ledger; the cursor and what it made move in one transaction. Near duplicates are
cases of one action type and kind whose similarities (``services.similarity``) differ in at most ``NEAR`` of
64 bits: of four blocks of 16 bits at least one is then the same, and by its blocks such a case is found in an
index (Manku, Jain, Das Sarma: Detecting near-duplicates for web crawling, 2007).
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

from django.contrib.postgres.search import SearchVector
from django.db import connection, transaction
from django.db.models import Value

from datasets.exporters.composition import Document
from datasets.models import CaseIndex, LabelledCase
from datasets.selectors.taking import labelled_up_to
from policies.services import ledger

READER: Final = "case_index"
NEAR: Final = 3
# Of a longer case the beginning can be searched: a tsvector holds a megabyte at most.
MOST_CHARACTERS: Final = 100_000

_FIRST_ALIKE: Final = """
    SELECT c.public_id, coalesce(nullif(i.near_group, ''), c.public_id)
    FROM datasets_labelledcase c LEFT JOIN datasets_caseindex i ON i.case_id = c.id
    WHERE c.action_type = %(type)s AND c.kind = %(kind)s AND c.id < %(id)s AND c.erased_at IS NULL
      AND ((c.similarity >> 0) & 65535 = %(block0)s OR (c.similarity >> 16) & 65535 = %(block1)s
           OR (c.similarity >> 32) & 65535 = %(block2)s OR (c.similarity >> 48) & 65535 = %(block3)s)
      AND bit_count((c.similarity # %(similarity)s)::bit(64)) <= %(near)s
    ORDER BY c.id LIMIT 1
"""
_SAME: Final = """
    SELECT c.public_id, coalesce(nullif(i.near_group, ''), c.public_id)
    FROM datasets_labelledcase c LEFT JOIN datasets_caseindex i ON i.case_id = c.id
    WHERE c.action_type = %(type)s AND c.kind = %(kind)s AND c.id < %(id)s AND c.erased_at IS NULL
      AND c.similarity = %(similarity)s
    ORDER BY c.id LIMIT 1
"""


@transaction.atomic
def index_cases(*, now: datetime, limit: int = 200) -> int:
    """Index the next cases and move the cursor behind them, or neither; return how many there were."""
    after = ledger.hold(reader=READER)  # two workers take turns
    up_to = labelled_up_to()
    cases = list(
        LabelledCase.objects.filter(ledger_seq__gt=after, ledger_seq__lte=up_to).order_by("ledger_seq")[
            :limit
        ]
    )
    for case in cases:
        index_case(case, now=now)
    reached = up_to if len(cases) < limit else cases[-1].ledger_seq
    if reached > after:
        ledger.advance(reader=READER, seq=reached)
    return len(cases)


def index_case(case: LabelledCase, *, now: datetime) -> CaseIndex:
    """Index one case, again if it was: after an erasure nothing of what was erased may be found."""
    group = "" if case.erased_at is not None else _near_group(case)
    words = "" if case.erased_at is not None else _words(case.content)
    index, _ = CaseIndex.objects.update_or_create(
        case=case,
        defaults={
            "words": SearchVector(Value(words), config="simple"),
            "near_group": group,
            "indexed_at": now,
        },
    )
    return index


def _near_group(case: LabelledCase) -> str:
    """Return the group of the first case that says nearly the same, "" where there is none.

    The group is named after its first case, which then belongs to it too.
    """
    if case.similarity is None:
        return ""
    unsigned = case.similarity & (2**64 - 1)
    values: dict[str, int | str] = {
        "type": case.action_type,
        "kind": case.kind,
        "id": case.pk,
        "similarity": case.similarity,
        "near": NEAR,
        **{f"block{number}": unsigned >> 16 * number & 65_535 for number in range(4)},
    }
    with connection.cursor() as cursor:
        for query in (_SAME, _FIRST_ALIKE):
            cursor.execute(query, values)
            found = cursor.fetchone()
            if found is not None:
                first, group = found
                CaseIndex.objects.filter(case__public_id=first, near_group="").update(near_group=group)
                return str(group)
    return ""


def _words(content: Document) -> str:
    """Return what a person may look for: who acted, what was proposed and decided, then what came in."""
    told = {name: content.get(name) for name in ("agent", "action", "proposal", "decision", "truth", "input")}
    return json.dumps(told, ensure_ascii=False)[:MOST_CHARACTERS]

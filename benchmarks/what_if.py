"""What-if: one step of a slider, on ten thousand, a hundred thousand and a million past actions.

Each history has scores, an amount, labels for a fifth of it and a policy with a rule about the amount. The
first step reads the columns into memory; the steps after it are what a person feels. Told are the longest and
the middle of twenty steps on the server, with the whole page of numbers and the curve drawn; how long this
process worked for the middle one, which other work on the machine does not change; and the memory it holds.
``BENCH_WHAT_IF`` names other sizes.
"""

from __future__ import annotations

import os
import resource
import statistics
import time
from dataclasses import replace
from datetime import timedelta
from typing import Final

import numpy as np
from django.db import transaction

from benchmarks.installation import ALLOWED, Installation
from hitl_site.lib.chart_drawing import draw
from hitl_site.lib.clock import database_now
from policies.choices import Risk
from policies.engine.policy import PolicyDocument
from policies.models import ActionType, AgentVersion, PastChunk
from policies.services import action_types
from policies.services.ledger import Actor
from policies.statistics import columns
from policies.statistics.columns import CHUNK, Columns, Flag, Label
from reviews.selectors import what_if_page

SIZES: Final = tuple(int(size) for size in os.environ.get("BENCH_WHAT_IF", "10000,100000,1000000").split(","))
STEPS: Final = 20


def measure(made: Installation) -> None:
    """Make the histories and move the slider."""
    version = AgentVersion.objects.filter(agent=made.agent).latest("id")
    print(f"\nWhat-if, {STEPS} steps of a slider\n")
    print(
        "| actions | first step | middle step | longest step | of it processor | of the smallest | memory |"
    )
    print("|---:|---:|---:|---:|---:|---:|---:|")
    smallest = 0.0
    for size in SIZES:
        action_type = _history(size, version)
        first, *steps = (_step(action_type, number) for number in range(STEPS + 1))
        middle, processor = (statistics.median(each) for each in zip(*steps, strict=True))
        smallest = smallest or middle
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"| {size:,} | {first[0]:.0f} ms | {middle:.0f} ms | {max(steps)[0]:.0f} ms |"
            f" {processor:.0f} ms | {middle / smallest:.1f} | {memory:.0f} MB |",
            flush=True,
        )


def _step(action_type: ActionType, number: int) -> tuple[float, float]:
    """Return how long one step took, and how much of it was this process at work, in milliseconds."""
    live = PolicyDocument.from_document(
        {
            "threshold": 0.9,
            "score": "agent",
            "rules": [{"code": "large", "title": "Large", "when": "args.amount > 300", "then": "review"}],
        }
    )
    draft = replace(
        live,
        threshold=0.6 + number / 100,
        rules=(replace(live.rules[0], when=f"args.amount > {200 + 10 * number}"),),
    )
    started, worked = time.perf_counter(), time.process_time()
    page = what_if_page.page(action_type=action_type, draft=draft, live=live, now=database_now())
    assert page.plot is not None
    draw(page.plot)
    return (time.perf_counter() - started) * 1000, (time.process_time() - worked) * 1000


def _history(size: int, version: AgentVersion) -> ActionType:
    name = f"{ALLOWED}.{size}"
    action_type = ActionType.objects.filter(name=name).first() or action_types.declare(
        name=name, title="Benchmark", risk=Risk.LOW, actor=Actor.system(), now=database_now()
    )
    if PastChunk.objects.filter(action_type=action_type).exists():
        return action_type
    random = np.random.default_rng(1)
    today = database_now().date()
    for number, start in enumerate(range(0, size, CHUNK), start=1):
        count = min(CHUNK, size - start)
        day = today - timedelta(days=int(80 * (1 - start / size)))
        held = _columns(random, count, first=start + 1, day=columns.day_number(day))
        with transaction.atomic():
            PastChunk.objects.create(
                action_type=action_type,
                agent_version=version,
                number=number,
                size=count,
                first_day=day,
                last_day=day,
                first_check=start + 1,
                last_check=start + count,
                fields=held.fields,
                columns=held.pack(),
                numbers=held.pack_numbers(),
            )
    return action_type


def _columns(random: np.random.Generator, count: int, *, first: int, day: int) -> Columns:
    score = random.beta(5, 1.2, count).astype("f4")
    alone = score >= 0.9
    seen = ~alone | (random.random(count) < 0.05)
    labelled = seen & (random.random(count) < 0.5)
    wrong = random.random(count) > score
    nothing = np.full(count, np.nan, dtype="f4")
    flags = np.where(alone, int(Flag.ALONE), 0) | np.where(seen, int(Flag.SAMPLED), 0)
    unanswered = np.where(seen, int(Label.MISSING), int(Label.NONE))
    return Columns(
        check=np.arange(first, first + count),
        matched=np.zeros(count, dtype="u8"),
        policy=np.ones(count, dtype="i4"),
        confidence=score,
        judge=nothing,
        samples=nothing,
        propensity=np.where(alone, 0.05, 1.0).astype("f4"),
        min_propensity=np.full(count, 0.05, dtype="f4"),
        day=np.full(count, day, dtype="u2"),
        flags=flags.astype("u1"),
        label=np.where(labelled, np.where(wrong, Label.WRONG, Label.RIGHT), unanswered).astype("u1"),
        numbers={"/amount": random.lognormal(4.5, 1.0, count)},
    )

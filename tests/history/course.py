"""One run: a stack, its clients, faults, then quiet, and the invariants."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from hitl_site.lib.supervision import wait_until
from tests.faults.installation import Person, operated
from tests.faults.proxy import FaultProxy
from tests.faults.stack import Stack, running
from tests.faults.wire import Agent
from tests.history import invariants
from tests.history.chaos import Chaos
from tests.history.clients import (
    AdminClient,
    AgentClient,
    ExecutorClient,
    ReviewerClient,
    Scene,
    limit_of,
    policy,
)
from tests.history.facts import Facts, load
from tests.history.journal import Journal
from tests.plugins.product import Product

AGENTS = 4
REVIEWERS = 4
LIMITS = (20, 50, 100)
LEAST_FAULTS = 3
TYPES = ("payment.send", "message.send")
NEEDED = frozenset({"propose", "follow", "decide", "consume", "outcome", "publish"})

Say = Callable[[str], None]


@dataclass(frozen=True)
class Result:
    """What a run came to."""

    seed: int
    seconds: float
    journal: Journal
    faults: Counter[str]
    facts: Facts
    violations: dict[str, list[str]]

    @property
    def hollow(self) -> str:
        """Say why this run proves little, "" where enough was decided and run while things failed."""
        permits = sum(permit.consumed_at is not None for permit in self.facts.permits)
        decided = len(self.facts.decisions)
        wanted = int(self.seconds / 60)
        if min(permits, decided) < wanted:
            return f"only {permits} permits used up and {decided} decisions, fewer than {wanted} of each"
        return ""

    @property
    def broken(self) -> list[str]:
        """Return every violation, with the invariant's number."""
        return [
            f"{name.partition('_')[0].upper()}: {what}"
            for name, found in self.violations.items()
            for what in found
        ]

    def summary(self) -> str:
        """Return the table that a person reads."""
        table = self.journal.table()
        verdicts = Counter(action.verdict for action in self.facts.actions)
        lines = [
            f"seed {self.seed}, {self.seconds:.0f} s of faults, {AGENTS} agents, {REVIEWERS} reviewers",
            "",
            f"{'operation':<12}{'ok':>8}{'fail':>8}{'info':>8}",
            *(f"{kind:<12}{ok:>8}{fail:>8}{info:>8}" for kind, ok, fail, info in table),
            f"{'all':<12}{sum(r[1] for r in table):>8}{sum(r[2] for r in table):>8}"
            f"{sum(r[3] for r in table):>8}",
            "",
            f"{'fault':<32}{'times':>6}",
            *(f"{name:<32}{count:>6}" for name, count in sorted(self.faults.items())),
            f"{'all':<32}{sum(self.faults.values()):>6}",
            "",
            "verdicts: " + ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items())),
            f"in the database: {len(self.facts.actions)} actions, {len(self.facts.decisions)} decisions, "
            f"{len(self.facts.permits)} permits, {len(self.facts.executions)} executions, "
            f"{len(self.facts.links)} links, {len(self.facts.exports)} exports",
            "",
            *(
                f"{name.partition('_')[0].upper():<5}{len(found)} violations"
                for name, found in self.violations.items()
            ),
        ]
        unknown = Counter(
            f"{op.kind}: {op.told.get('why') or op.told.get('status') or 'no answer'}"
            for op in self.journal.operations()
            if op.ending == "info"
        )
        lines += ["", "unknown endings, the most frequent ones"]
        lines += [f"{count:>6} x {why[:100]}" for why, count in unknown.most_common(12)]
        return "\n".join([*lines, "", *self.broken[:50]])


def run(*, seconds: float, seed: int, say: Say) -> Result:
    """Run one history against a stack of its own and check it. The seed is said first."""
    say(f"seed {seed}")
    with running() as stack, operated(stack) as hands, FaultProxy(("127.0.0.1", stack.port)) as proxy:
        return _run(stack, hands, proxy, seconds=seconds, seed=seed)


def _run(stack: Stack, hands: Product, proxy: FaultProxy, *, seconds: float, seed: int) -> Result:
    dice = random.Random(seed)
    over, quiet = threading.Event(), threading.Event()
    scene = Scene(Journal(), over, TYPES)
    for kind in TYPES:
        hands.declare(kind, runs_alone=True)
        hands.ask(act="publish", action_type=kind, document=policy(LIMITS[1]))
    people = [
        Person(name, hands.create_person(name, groups=["reviewer"]))
        for name in (f"reviewer-{number}" for number in range(REVIEWERS))
    ]
    keys = {name: hands.create_agent(name) for name in (f"agent-{number}" for number in range(AGENTS))}
    # One reviewer owns an agent, and must never decide for it.
    hands.ask(act="set_owner", agent="agent-0", person=people[0].name)
    agents = []
    for number, (name, key) in enumerate(keys.items()):
        # Half of them come through the wire that is cut now and then.
        port = proxy.port if number % 2 else stack.port
        agents.append(
            AgentClient(
                scene, name, Agent(port, key, timeout=15), (port, stack.stream_port), dice.randrange(2**32)
            )
        )
    executor = ExecutorClient(scene, dice.randrange(2**32))
    reviewers = [ReviewerClient(scene, person, stack.url, dice.randrange(2**32)) for person in people]
    admin = AdminClient(
        scene, hands, LIMITS, tuple(person.name for person in people[1:]), dice.randrange(2**32)
    )
    chaos = Chaos(stack, proxy, quiet, dice.randrange(2**32))
    for thread in (*agents, executor, *reviewers, admin):
        thread.start()
    # Faults begin when everything has happened once: a history of nothing proves nothing.
    assert wait_until(lambda: _everything_happened(scene.journal), seconds=120, every=0.2), (
        scene.journal.table()
    )
    chaos.start()
    time.sleep(seconds)  # the length of the run is its parameter, nothing is waited for
    # A slow machine takes long to stand up again after each: the run goes on until it has had some.
    wait_until(lambda: sum(chaos.faults.values()) >= LEAST_FAULTS, seconds=120, every=0.2)
    quiet.set()
    chaos.end()
    assert stack.becomes_whole(), stack.words()
    over.set()
    for client in (*agents, executor, *reviewers, admin):
        client.join(120)
        assert not client.is_alive(), f"{client.name} does not come to an end"
    admin.tidy_up()
    _settle(stack)
    for agent in agents:
        agent.look_at_all(Agent(stack.port, keys[agent.name]))
    facts = load(stack, limit_of=limit_of)
    found = invariants.violations(scene.journal.operations(), facts)
    return Result(seed, seconds, scene.journal, chaos.faults, facts, found)


def _everything_happened(journal: Journal) -> bool:
    return {kind for kind, ok, _, _ in journal.table() if ok} >= NEEDED


def _settle(stack: Stack) -> None:
    """Wait until nothing is under way: every decision released, every entry in its place, exports written."""
    under_way = (
        "SELECT (SELECT count(*) FROM reviews_decision"
        "         WHERE terminal AND released_at IS NULL AND undone_at IS NULL)"
        "     + (SELECT count(*) FROM datasets_export WHERE state IN ('requested', 'running'))"
        "     + (SELECT count(*) FROM reviews_actionrequest WHERE state = 'pending_review')"
        "     + (SELECT count(*) FROM policies_ledgerentry e"
        "         LEFT JOIN policies_ledgerlink l ON l.entry_id = e.id WHERE l.seq IS NULL)"
    )
    # Nobody decides any more: what still waits ends now, by its deadline.
    stack.change(
        "UPDATE reviews_actionrequest SET expires_at = clock_timestamp() WHERE state = 'pending_review'"
        " AND NOT EXISTS (SELECT 1 FROM reviews_decision d WHERE d.action_id = reviews_actionrequest.id"
        " AND d.undone_at IS NULL)"
    )
    assert wait_until(lambda: stack.number(under_way) == 0, seconds=150, every=0.3), stack.words()

"""I1 to I12: what must hold whatever fails. Each is a function of the journal and of the facts, and names
what breaks it. Pure: no clock, no database.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from tests.history.facts import Facts
from tests.history.journal import Operation

Operations = Sequence[Operation]
Invariant = Callable[[Operations, Facts], Iterator[str]]

RUNNABLE = frozenset({"allowed", "approved", "corrected"})
STOPPED = "kill_switch"
# A stop is in force everywhere within this time after its acknowledgement.
STOP_REACHES = timedelta(seconds=1)
DENY_ABOVE = 1000.0
_JUDGED = frozenset({"action.allowed", "action.held", "action.denied", "action.observed"})
_CLOSED_BY_A_PERSON = {"approved": "approve", "corrected": "correct", "rejected": "reject"}


def i1_nothing_runs_without_a_live_permit_of_its_digest(ops: Operations, facts: Facts) -> Iterator[str]:
    """I1: each execution has a permit that was live when it was used up, for what was decided."""
    permits = {permit.id: permit for permit in facts.permits}
    for execution in facts.executions:
        permit, action = permits.get(execution.permit), facts.by_action.get(execution.action)
        if permit is None or action is None or permit.action != execution.action:
            yield f"{execution.id} runs without a permit of its action"
        elif permit.consumed_at is None:
            yield f"{execution.id} runs on {permit.id}, which nobody has used up"
        elif permit.consumed_at >= permit.expires_at:
            yield f"{permit.id} was used up after it had expired"
        elif permit.revoked_at is not None and permit.consumed_at > permit.revoked_at:
            yield f"{permit.id} was used up after it was revoked"
        elif permit.digest != action.final_digest or action.state not in RUNNABLE:
            yield f"{execution.id} runs what was not decided ({action.state})"
    for op in ops:
        if op.kind == "consume" and op.ending == "ok":
            used = permits.get(op.subject)
            if used is None or used.digest != op.told["digest"]:
                yield f"{op.subject} was used up with another digest"


def i2_an_item_has_one_final_answer(ops: Operations, facts: Facts) -> Iterator[str]:
    """I2: one terminal decision an item, one decision a person, and the state that follows from it."""
    standing = [decision for decision in facts.decisions if decision.undone_at is None]
    for item, count in Counter(decision.item for decision in standing if decision.terminal).items():
        if count > 1:
            yield f"{item} has {count} terminal decisions"
    for (item, person), count in Counter((each.item, each.reviewer) for each in standing).items():
        if count > 1:
            yield f"{person} has decided {item} {count} times"
    released = defaultdict(list)
    for decision in standing:
        if decision.terminal and decision.released_at is not None:
            released[decision.action].append(decision.kind)
    for action in facts.actions:
        kind = _CLOSED_BY_A_PERSON.get(action.state)
        if kind is not None and kind not in released[action.id]:
            yield f"{action.id} is {action.state}, and nobody decided so"


def i3_a_permit_is_used_up_once(ops: Operations, facts: Facts) -> Iterator[str]:
    """I3: one execution a permit, in the database and in what executors were told."""
    for permit, count in Counter(execution.permit for execution in facts.executions).items():
        if count > 1:
            yield f"{permit} has {count} executions"
    told: dict[str, set[str]] = defaultdict(set)
    keys: dict[str, set[str]] = defaultdict(set)
    for op in ops:
        if op.kind == "consume" and op.ending == "ok":
            told[op.subject].add(op.told["execution"])
            keys[op.subject].add(op.told["key"])
    for permit in told:
        if len(told[permit]) > 1 or len(keys[permit]) > 1:
            yield f"{permit} was given to {len(keys[permit])} runs"


def i4_what_was_acknowledged_exists(ops: Operations, facts: Facts) -> Iterator[str]:
    """I4: each acknowledged action, decision, consume and outcome is in the database, as acknowledged."""
    decided = {(decision.item, decision.reviewer, decision.kind) for decision in facts.decisions}
    executions = {execution.id: execution for execution in facts.executions}
    for op in ops:
        if op.ending != "ok":
            continue
        if op.kind == "propose":
            action = facts.by_action.get(op.told["action"])
            if action is None:
                yield f"the acknowledged {op.told['action']} is gone"
            elif (action.digest, action.verdict) != (op.told["digest"], op.told["verdict"]):
                yield f"{action.id} is not what was acknowledged"
        elif op.kind == "decide" and (op.subject, op.client, op.told["decision"]) not in decided:
            yield f"the decision of {op.client} on {op.subject} is gone"
        elif op.kind == "consume" and op.told["execution"] not in executions:
            yield f"the acknowledged run {op.told['execution']} is gone"
        elif op.kind == "outcome":
            run = executions.get(op.subject)
            if run is None or run.outcome != op.told["outcome"]:
                yield f"the acknowledged outcome of {op.subject} is gone"


def i5_every_change_has_one_place_in_the_chain(ops: Operations, facts: Facts) -> Iterator[str]:
    """I5: one entry for each change, one link for each entry, no gap, each link on the one before."""
    by_action = Counter((entry.action, entry.verb) for entry in facts.entries)
    by_object = Counter((entry.object, entry.verb) for entry in facts.entries)
    for action in facts.actions:
        judged = sum(by_action[action.id, verb] for verb in _JUDGED)
        if judged != 1:
            yield f"{action.id} was judged by {judged} entries"
        if action.state in {"expired", "cancelled"} and by_action[action.id, f"action.{action.state}"] != 1:
            yield f"{action.id} has not one entry for {action.state}"
    for decision in facts.decisions:
        if by_object[decision.id, "decision.recorded"] != 1:
            yield f"{decision.id} has not one entry"
        released = by_object[decision.id, "decision.released"]
        if decision.terminal and released != (decision.released_at is not None):
            yield f"{decision.id} was released by {released} entries"
    for permit in facts.permits:
        if by_object[permit.id, "permit.issued"] != 1:
            yield f"{permit.id} has not one entry for its issue"
        if by_object[permit.id, "permit.consumed"] != (permit.consumed_at is not None):
            yield f"{permit.id} has not one entry for its use"
    linked = Counter(link.entry for link in facts.links)
    for entry in facts.entries:
        if linked[entry.id] != 1:
            yield f"entry {entry.id} ({entry.verb}) has {linked[entry.id]} places in the chain"
    for place, link in enumerate(facts.links, start=1):
        if link.seq != place:
            yield f"the chain has a gap before {link.seq}"
            break
    for before, link in zip(facts.links, facts.links[1:], strict=False):
        if link.previous_hash != before.hash:
            yield f"link {link.seq} does not hang on the one before"


def i6_only_those_with_the_right_decide(ops: Operations, facts: Facts) -> Iterator[str]:
    """I6: nobody decides while the right is taken away, and nobody for an agent of their own."""
    without = _intervals(ops, begins="take_right", ends="give_right")
    for decision in facts.decisions:
        if decision.owner == decision.reviewer:
            yield f"{decision.reviewer} decided {decision.id} for an agent of their own"
        for since, until in without.get(decision.reviewer, ()):
            if since < decision.decided_at < until:
                yield f"{decision.reviewer} decided {decision.id} without the right"


def i7_time_and_errors_never_allow(ops: Operations, facts: Facts) -> Iterator[str]:
    """I7: what was not allowed has no permit, nobody decides after the deadline, errors carry no verdict."""
    for permit in facts.permits:
        action = facts.by_action[permit.action]
        if action.state not in RUNNABLE:
            yield f"{permit.id} is for an action that is {action.state}"
        if action.state == "allowed" and action.verdict != "allow":
            yield f"{action.id} is allowed on the verdict {action.verdict}"
    for decision in facts.decisions:
        action = facts.by_action[decision.action]
        # A routine check of what has run already has no deadline.
        if action.state in _CLOSED_BY_A_PERSON and decision.decided_at > action.expires_at:
            yield f"{decision.id} came after the deadline"
    for op in ops:
        if op.ending != "ok" and op.told.get("verdict"):
            yield f"a refusal to {op.client} carried the verdict {op.told['verdict']}"


def i8_a_verdict_follows_from_the_text_and_the_policy(ops: Operations, facts: Facts) -> Iterator[str]:
    """I8: the verdict that the policy of that moment gives these arguments; a stop alone is stricter."""
    for action in facts.actions:
        if action.limit is None:
            continue
        expected = (
            "deny" if action.amount > DENY_ABOVE else "review" if action.amount > action.limit else "allow"
        )
        if any(STOPPED in reason for reason in action.reasons):
            expected = "deny"
        if action.verdict != expected:
            yield f"{action.id} ({action.amount} under {action.limit}) got {action.verdict}, not {expected}"


def i9_who_follows_sees_every_end_and_never_the_past(ops: Operations, facts: Facts) -> Iterator[str]:
    """I9: the versions that a follower of an action sees never go back, and the last one is the truth."""
    seen: dict[tuple[str, str], int] = {}
    last: dict[str, str] = {}
    for op in ops:
        if op.kind not in {"follow", "last look"} or op.ending != "ok":
            continue
        before = seen.get((op.client, op.subject), 0)
        if op.told["version"] < before:
            yield f"{op.client} saw {op.subject} go back from version {before} to {op.told['version']}"
        seen[op.client, op.subject] = max(before, op.told["version"])
        if op.kind == "last look":
            last[op.subject] = op.told["state"]
    for action_id, state in last.items():
        if facts.by_action[action_id].state != state:
            yield f"{action_id} is {facts.by_action[action_id].state}, and its agent sees {state}"


def i10_an_export_is_complete_or_absent(ops: Operations, facts: Facts) -> Iterator[str]:
    """I10: done means a file and a manifest of one digest; a manifest means a whole file."""
    for export in facts.exports:
        whole = export.file_sha256 == export.manifest_sha256 != ""
        if export.state == "done" and not (whole and export.sha256 == export.file_sha256):
            yield f"{export.id} is done and not whole"
        if export.manifest_sha256 and not whole:
            yield f"{export.id} has a manifest that its file does not match"


def i11_an_agent_never_sees_anothers(ops: Operations, facts: Facts) -> Iterator[str]:
    """I11: reading, cancelling or consuming what is another's is answered with 404, and nothing else."""
    for op in ops:
        if op.kind == "pry" and op.told["status"] not in {0, 404, 429, 503}:
            yield f"{op.client} got {op.told['status']} for {op.subject}, which is another's"
        if op.kind in {"follow", "last look", "propose"} and op.ending == "ok":
            action = facts.by_action.get(op.told.get("action", op.subject))
            if action is not None and action.agent != op.client:
                yield f"{op.client} was shown {action.id} of {action.agent}"


def i12_a_stop_holds_everywhere(ops: Operations, facts: Facts) -> Iterator[str]:
    """I12: from a second after a stop until it is lifted nothing of its scope is allowed or used up."""
    for scope, intervals in _intervals(ops, begins="stop", ends="lift").items():
        for since, until in intervals:
            for action in facts.actions:
                in_scope = scope in {"everything", action.action_type, action.agent}
                if (
                    in_scope
                    and action.verdict == "allow"
                    and since + STOP_REACHES < action.created_at < until
                ):
                    yield f"{action.id} was allowed while {scope} was stopped"
            for permit in facts.permits:
                action = facts.by_action[permit.action]
                in_scope = scope in {"everything", action.action_type, action.agent}
                used = permit.consumed_at
                if in_scope and used is not None and since + STOP_REACHES < used < until:
                    yield f"{permit.id} was used up while {scope} was stopped"


INVARIANTS: tuple[Invariant, ...] = (
    i1_nothing_runs_without_a_live_permit_of_its_digest,
    i2_an_item_has_one_final_answer,
    i3_a_permit_is_used_up_once,
    i4_what_was_acknowledged_exists,
    i5_every_change_has_one_place_in_the_chain,
    i6_only_those_with_the_right_decide,
    i7_time_and_errors_never_allow,
    i8_a_verdict_follows_from_the_text_and_the_policy,
    i9_who_follows_sees_every_end_and_never_the_past,
    i10_an_export_is_complete_or_absent,
    i11_an_agent_never_sees_anothers,
    i12_a_stop_holds_everywhere,
)


def violations(ops: Operations, facts: Facts) -> dict[str, list[str]]:
    """Return what breaks each invariant; empty lists where all is well."""
    return {invariant.__name__: list(invariant(ops, facts)) for invariant in INVARIANTS}


def _intervals(ops: Operations, *, begins: str, ends: str) -> Mapping[str, list[tuple[datetime, datetime]]]:
    """Return the times in which something surely held, by subject: from the acknowledgement of its beginning
    until its end was asked for. One whose beginning nobody acknowledged is not among them."""
    since: dict[str, datetime] = {}
    found: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for op in ops:
        if op.kind == begins and op.ending == "ok":
            since[op.subject] = op.told["at"]
        elif op.kind == begins:
            since.pop(op.subject, None)
        elif op.kind == ends and op.subject in since:
            found[op.subject].append((since.pop(op.subject), op.told["at"]))
    return found

"""Faults in time between people and agents: two at once, too late, changed meanwhile (F14 to F17, F27)."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from datasets.replay.browser import Browser, Shown
from datasets.replay.html_forms import Form
from tests.faults.installation import Installation
from tests.faults.stack import ROOT

pytestmark = pytest.mark.stack

DENY = {"code": "no_more", "title": "Not any more", "when": "true", "then": "deny"}
HOLD = {"code": "look", "title": "Somebody looks", "when": "true", "then": "review"}


def test_f14_of_reviewers_who_decide_at_once_exactly_one_decides(site: Installation) -> None:
    """F14: the others read who was first, and have what they wrote before them still."""
    ready = threading.Barrier(len(site.people))
    browsers = [site.browser(person) for person in site.people.values()]
    for turn in range(5):
        # A type of its own for each turn: an answer against what was decided on its like is asked for twice.
        action_id = site.held(action_type=site.another_type())
        item = site.item(action_id)

        def decide(number: int, item: str = item, note: str = f"note {turn}") -> Shown:
            browser = browsers[number]
            shown = browser.get(f"/review/{item}/")
            form = _form(shown)
            form.fill("note", f"{note} of {number}")
            kind = ("approve", "reject", "approve")[number]
            if kind == "reject":
                form.tick("reasons", "wrong_arguments")
            ready.wait(60)
            return browser.press(shown, form, form.button("kind", kind))

        with ThreadPoolExecutor(len(browsers)) as threads:
            shown = list(threads.map(decide, range(len(browsers))))
        assert sorted(each.status for each in shown) == [200, 409, 409]
        assert _decisions(site, action_id) == 1
        for number, each in enumerate(shown):
            if each.status == 409:
                assert "Your answer was not taken." in each.text
                assert f"note {turn} of {number}" in each.text


def test_f15_a_lapsed_lease_locks_nobody_out(site: Installation) -> None:
    """F15: who kept the page open past the lease still decides; who opened it since is told."""
    action_id = site.held(action_type=site.another_type())
    item = site.item(action_id)
    first, second = (site.browser(site.people[name]) for name in ("rosa", "ravi"))
    shown = first.get(f"/review/{item}/")
    site.stack.change(
        "UPDATE reviews_reviewitem SET lease_expires_at = clock_timestamp() - interval '1 second'"
        " WHERE public_id = %s AND claimed_by_id IS NOT NULL",
        item,
    )
    other = second.get(f"/review/{item}/")
    assert _press(first, shown, "approve").status == 200
    told = _press(second, other, "reject")
    assert told.status == 409
    assert "Rosa approved this at " in told.text
    assert site.becomes(action_id, "approved")


def test_f16_a_stricter_policy_counts_from_its_publication_and_a_looser_one_helps_nothing(
    site: Installation,
) -> None:
    """F16: while an item is open or a permit unused, the policy in force is asked again; stricter wins."""
    kind = site.another_type()
    action_id = site.held(action_type=kind)
    item = site.item(action_id)
    browser = site.browser(site.people["rosa"])
    shown = browser.get(f"/review/{item}/")
    site.hands.ask(act="publish", action_type=kind, document={"undo_seconds": 0, "rules": [DENY]})
    assert _press(browser, shown, "approve").status in {409, 422}
    assert site.state(action_id) == "pending_review"
    assert _decisions(site, action_id) == 0

    alone = site.another_type(runs_alone=True)
    permits = [site.allowed(action_type=alone) for _ in range(2)]
    for rule, permit in zip((HOLD, DENY), permits, strict=True):
        site.hands.ask(act="publish", action_type=alone, document={"threshold": 0.5, "rules": [rule]})
        refused = site.agent.consume(permit.permit_id, permit.digest, key="k")
        assert (refused.status, refused.slug) == (409, "policy-stricter"), refused

    looser = site.another_type()
    waiting = site.held(action_type=looser)
    site.hands.ask(act="publish", action_type=looser, document={"threshold": 0.0, "undo_seconds": 0})
    assert site.agent.get(waiting).document["state"] == "pending_review"
    assert "permit" not in {name for name, value in site.agent.get(waiting).document.items() if value}


def test_f17_whoever_lost_a_right_meanwhile_does_not_use_it(site: Installation) -> None:
    """F17: a paused agent consumes nothing; a reviewer without the right decides nothing; a stop holds."""
    name, agent = site.another_agent()
    permit = site.allowed(agent)
    site.hands.ask(act="set_agent_state", agent=name, state="paused")
    assert agent.consume(permit.permit_id, permit.digest, key="k").status in {401, 403, 409}
    site.hands.ask(act="set_agent_state", agent=name, state="active")
    assert agent.consume(permit.permit_id, permit.digest, key="k").status == 200

    kind = site.another_type(runs_alone=True)
    permit = site.allowed(action_type=kind)
    stop = site.hands.ask(act="stop", action_type=kind)
    refused = site.agent.consume(permit.permit_id, permit.digest, key="k")
    assert (refused.status, refused.slug) == (409, "kill-switch-active")
    site.hands.ask(act="lift", stop=stop["id"])

    action_id = site.held(action_type=site.another_type())
    browser = site.browser(site.people["ruth"])
    shown = browser.get(f"/review/{site.item(action_id)}/")
    site.hands.ask(act="set_groups", person="ruth", groups=[])
    try:
        assert _press(browser, shown, "approve").status in {403, 404}
        assert _decisions(site, action_id) == 0
        assert site.state(action_id) == "pending_review"
    finally:
        site.hands.ask(act="set_groups", person="ruth", groups=["reviewer"])


def test_f27_an_executor_that_dies_leaves_an_unknown_outcome_and_never_a_second_run(
    site: Installation,
) -> None:
    """F27: kill -9 between consume and outcome: unknown once the lease has passed, and used up for ever."""
    allowed = site.allowed()
    executor = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.faults.executor"),
            *(site.stack.url, site.agent_name, allowed.action_id),
        ],
        cwd=ROOT,
        env=site.stack.environment()
        | {"EXECUTOR_KEY": site.key, "PYTHONPATH": f"{ROOT}:{ROOT / 'sdk/python/src'}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert executor.stdout is not None
    with executor.stdout:
        assert executor.stdout.readline() == "running\n"
        executor.kill()
        executor.wait(10)
    site.stack.change(
        "UPDATE reviews_execution x SET lease_until = clock_timestamp() FROM reviews_actionrequest a"
        " WHERE a.id = x.action_id AND a.public_id = %s",
        allowed.action_id,
    )
    ((execution_id,),) = site.stack.ask(
        "SELECT x.public_id FROM reviews_execution x JOIN reviews_actionrequest a ON a.id = x.action_id"
        " WHERE a.public_id = %s",
        allowed.action_id,
    )
    assert site.becomes_unknown(str(execution_id))
    refused = site.agent.consume(allowed.permit_id, allowed.digest, key="another run")
    assert (refused.status, refused.slug) == (409, "already-consumed")
    assert site.stack.ask(
        "SELECT count(*) FROM policies_ledgerentry"
        " WHERE object_id = %s AND verb = 'execution.outcome_unknown'",
        execution_id,
    ) == [(1,)]
    # The agent that finds out later may still say so, once.
    assert site.agent.report(str(execution_id), "succeeded").status == 200
    assert site.agent.report(str(execution_id), "failed").status == 409


def _form(shown: Shown) -> Form:
    assert shown.status == 200, shown.status
    return shown.page.form(id="review-form")


def _press(browser: Browser, shown: Shown, kind: str) -> Shown:
    form = _form(shown)
    if kind == "reject":
        form.tick("reasons", "wrong_arguments")
    return browser.press(shown, form, form.button("kind", kind))


def _decisions(site: Installation, action_id: str) -> int:
    return site.stack.number(
        "SELECT count(*) FROM reviews_decision d JOIN reviews_actionrequest a ON a.id = d.action_id"
        " WHERE a.public_id = %s",
        action_id,
    )

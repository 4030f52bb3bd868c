"""The right side of the policy editor, asked by whoever writes a draft."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from html import unescape

import numpy as np
import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils.formats import date_format

from hitl_site.lib.clock import database_now
from policies.engine.policy import PolicyDocument
from policies.models import (
    AgentVersion,
    ConditionMatch,
    DrillResult,
    LedgerEntry,
    PastChunk,
    PolicyVersion,
    WhatIfRun,
)
from policies.selectors import calibration, past, what_if
from policies.selectors.evidence_limits import limits_of
from policies.services import past_chunks, policies
from policies.services.past_chunks import Place
from policies.statistics.columns import Flag, Label, PastAction
from policies.statistics.intervals import lower_limit, wilson
from policies.tests.people import text_of
from reviews.choices import DecisionKind
from reviews.services import replays
from reviews.tests.cast import Cast, propose
from reviews.tests.test_past_actions import follow, released

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def browser(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.olga)
    return client


def ask(browser: Client, **draft: Sequence[str]) -> str:
    answer = browser.get(reverse("reviews:what_if", args=["refund.issue"]), draft)
    assert answer.status_code == 200
    return text_of(answer)


def some_past(cast: Cast) -> None:
    """Ten refunds: five at 95% that run alone, five at 71% to 79% that are held."""
    for number in range(5):
        propose(cast, confidence=0.95, arguments={"order": f"A{number}", "amount": 10 * number})
    for number in range(5):
        propose(cast, confidence=0.71 + number / 50, arguments={"order": f"B{number}", "amount": 300})
    follow()


def test_a_lower_threshold_says_what_it_would_release(cast: Cast, browser: Client) -> None:
    some_past(cast)
    page = ask(browser, threshold="75")
    for words in ("20%", "now 50%", "−30 points"):
        assert words in page
    assert "Would be released by this draft" in page
    assert page.count("300 for B") == 3
    assert "too few checks" in page


def test_a_rule_of_a_number_moves_the_same_way(cast: Cast, browser: Client) -> None:
    some_past(cast)
    rule = {"rules": ["0"], "rule-0-code": "large", "rule-0-title": "Large", "rule-0-then": "review"}
    page = ask(
        browser,
        threshold="90",
        **rule,
        **{"rule-0-when": "args.amount > 25", "rule-0-trigger": "policy_edge"},
    )
    assert "70%" in page
    assert "Would be held by this draft" in page


def test_any_other_rule_is_asked_of_the_past_again(cast: Cast, browser: Client) -> None:
    some_past(cast)
    rule = {"rules": ["0"], "rule-0-code": "a", "rule-0-title": "A", "rule-0-then": "review"}
    when = 'args.order.startsWith("A") && args.amount < 15'
    page = ask(browser, threshold="90", **rule, **{"rule-0-when": when, "rule-0-trigger": "policy_edge"})
    assert "70%" in page
    assert ConditionMatch.objects.count() == 1
    propose(cast, confidence=0.95, arguments={"order": "A9", "amount": 1})
    follow()
    page = ask(browser, threshold="90", **rule, **{"rule-0-when": when, "rule-0-trigger": "policy_edge"})
    assert "73%" in page


def test_much_of_it_is_asked_by_a_worker_once(
    cast: Cast, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_past(cast)
    monkeypatch.setattr(replays, "AT_ONCE", 0)
    rule = {"rules": ["0"], "rule-0-code": "a", "rule-0-title": "A", "rule-0-then": "review"}
    draft = {
        "threshold": "90",
        **rule,
        "rule-0-when": "args.amount in [10, 20]",
        "rule-0-trigger": "policy_edge",
    }
    assert "Asking the rules of the past again" in ask(browser, **draft)
    ask(browser, **draft)
    run = WhatIfRun.objects.get()
    assert (run.total, run.done) == (10, 0)
    assert not replays.run(run_id=run.public_id, clock=database_now)
    assert not replays.run(run_id=run.public_id, clock=database_now)
    run.refresh_from_db()
    assert (run.state, run.done) == ("done", 10)
    page = ask(browser, **draft)
    assert "70%" in page
    assert "Asking the rules" not in page


def test_a_rule_of_the_policy_in_force_need_not_be_asked_again(cast: Cast, browser: Client) -> None:
    when = "args.amount > 5 && args.amount < 25"
    rules = [{"code": "a", "title": "A", "when": when, "then": "review"}]
    document = {"threshold": 0.9, "audit_rate": 0.01, "rules": rules}
    policies.put_in_force(
        action_type=cast.refund, document=document, author=cast.olga, reason="r", now=database_now()
    )
    some_past(cast)
    assert "70%" in ask(browser)
    assert not ConditionMatch.objects.exists()


def test_what_cannot_be_read_yet_is_said(cast: Cast, browser: Client) -> None:
    rule = {"rules": ["0"], "rule-0-code": "a", "rule-0-title": "A", "rule-0-then": "review"}
    page = ask(browser, **rule, **{"rule-0-when": "args.amount >", "rule-0-trigger": "policy_edge"})
    assert "The draft cannot be read as it stands" in page


def test_without_a_script_the_draft_is_posted_and_nothing_is_lost(cast: Cast, browser: Client) -> None:
    some_past(cast)
    edit = reverse("policies:policy_edit", args=["refund.issue"])
    form = browser.get(edit).context["editor"].data
    posted = {**{name: form.getlist(name) for name in form}, "threshold": "75"}
    answer = browser.post(reverse("reviews:what_if", args=["refund.issue"]), posted)
    assert "Would be released by this draft" in text_of(answer)
    assert '<input type="hidden" name="threshold" value="75">' in answer.content.decode()
    assert not PolicyVersion.objects.filter(state="draft").exists()


def test_who_may_not_manage_policies_may_not_ask(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.alice)
    assert client.get(reverse("reviews:what_if", args=["refund.issue"])).status_code == 403


def test_enough_labels_show_how_many_go_wrong_and_what_it_costs(cast: Cast, browser: Client) -> None:
    for number in range(36):
        kind = DecisionKind.REJECT if number % 9 == 0 else DecisionKind.APPROVE
        released(cast, kind, confidence=0.8, arguments={"order": f"{number}", "amount": 1})
    cast.refund.cost_of_error, cast.refund.cost_of_review_minute, cast.refund.currency = 50, 1, "EUR"
    cast.refund.save()
    follow()
    page = ask(browser, threshold="75")
    assert "+4, likely" in page
    assert "Cost a week" in page
    assert "€" in page
    assert "Not enough evidence to certify" in page


def labelled(
    cast: Cast, number: int, *, score: Callable[[int], float], wrong: Callable[[int], bool], long_ago: int = 0
) -> None:
    """Put held actions with their labels behind those that are kept, as the reader of the ledger does.

    The first ``long_ago`` of them are of a hundred days ago.
    """
    today = database_now().date()
    actions = [
        PastAction(
            check=1_000_000 + place,
            policy=0,
            day=today - timedelta(days=100) if place < long_ago else today,
            flags=Flag.SAMPLED,
            confidence=score(place),
            label=Label.WRONG if wrong(place) else Label.RIGHT,
        )
        for place in range(number)
    ]
    version = AgentVersion.objects.get(agent=cast.clerk)
    with transaction.atomic():
        past_chunks.append({Place(cast.refund.pk, version.pk): actions})


def test_a_certified_threshold_is_marked_with_what_it_says_and_what_it_rests_on(
    cast: Cast, browser: Client
) -> None:
    labelled(cast, 440, score=lambda place: 0.6 + place % 40 / 100, wrong=lambda place: False, long_ago=40)
    page = browser.get(reverse("reviews:what_if", args=["refund.issue"]), {"threshold": "75"})
    marks = re.findall(r'<g class="rule-mark.*?</g>', page.content.decode())
    assert marks
    assert "Certified 60%" in "".join(marks)
    text = text_of(page)
    said = "Certified from 60%: at most 5.0% wrong at 95.0% confidence, from 390 labels"
    assert said in text
    # Also of the labels from before the last ninety days, where they are of the same evidence.
    first = PastChunk.objects.get().first_day
    assert f"if traffic stays like {date_format(first, 'j M')} to" in text
    # The sentence of the draft stands with it, and what all of it rests on is one click away.
    assert "Letting refund.issue run alone at 75% and more handles 62% of 400 actions (counted)." in text
    assert "Estimated wrong 0.0% of those, 0.0% to 1.5%, from 250 reviewed (effective 250)." in text
    (rests,) = re.findall(r'<details class="twin"><summary>What this rests on</summary>.*?</details>', text)
    for words in ("future is like the past", "order in which people were asked", "average, not the worst"):
        assert words in rests
    assert "Show as a table" in text


def test_what_is_certified_with_drills_is_no_surer_than_without(cast: Cast, browser: Client) -> None:
    for number in range(60):
        DrillResult.objects.create(
            drill_id=f"drill-{number}",
            action_type=cast.refund,
            reviewer=cast.alice,
            error_kind="wrong_amount",
            caught=number < 58,
            decided_at=database_now(),
        )
    labelled(cast, 400, score=lambda place: 0.6 + place % 40 / 100, wrong=lambda place: False)
    limits = limits_of(cast.refund)
    # Half of the budget went into what reviewers miss: of the limit both halves together are said.
    assert (limits.delta, limits.budget) == (0.025, 0.05)
    assert limits.alpha == pytest.approx(0.05 * lower_limit(58, 60, 0.025))
    assert "at most 5.0% wrong at 95.0% confidence" in ask(browser, threshold="75")


def test_the_cheapest_certified_threshold_is_proposed_in_money_and_minutes(
    cast: Cast, browser: Client
) -> None:
    # Under 80% one in thirty is wrong: 5 euros an action, where a review costs 30 cents.
    labelled(
        cast,
        1200,
        score=lambda place: 0.6 + place % 40 / 100,
        wrong=lambda place: place % 40 < 20 and place // 40 == place % 40,
    )
    assert "Cheapest certified threshold" not in ask(browser, threshold="75")
    cast.refund.cost_of_error, cast.refund.cost_of_review_minute, cast.refund.currency = 150, 0.1, "EUR"
    cast.refund.save()
    found = what_if.ask(
        action_type=cast.refund,
        draft=PolicyDocument.from_document({"threshold": 0.75, "audit_rate": 0.01}),
        live=None,
        now=database_now(),
    )
    assert found.proposal is not None
    assert found.proposal.threshold == pytest.approx(0.8, abs=1e-6)
    costs = {}
    for point in found.certificate.certified:
        effect = what_if.ask(
            action_type=cast.refund,
            draft=PolicyDocument.from_document({"threshold": round(point.threshold, 6), "audit_rate": 0.01}),
            live=None,
            now=database_now(),
        ).draft
        assert effect.cost_a_week is not None
        costs[point.threshold] = (effect.cost_a_week, effect.hours_a_week * 60)
    # What it comes to is what the numbers on top say with it, and no other certified one costs less.
    assert (found.proposal.cost, found.proposal.minutes) == pytest.approx(costs[found.proposal.threshold])
    assert min(cost for cost, _ in costs.values()) == pytest.approx(found.proposal.cost)
    assert min(costs) < found.proposal.threshold
    page = ask(browser, threshold="75")
    assert 'Cheapest certified threshold: <b class="b num">80%</b>' in page
    assert 'data-sets="id_threshold" data-value="80"' in page
    assert "minutes of review a week" in page


def test_the_curve_is_grey_where_there_is_no_evidence(cast: Cast, browser: Client) -> None:
    # Twenty labels from 90% on are too few to draw a line through.
    labelled(cast, 120, score=lambda place: 0.95 if place < 20 else 0.7, wrong=lambda place: place % 30 == 0)
    page = browser.get(reverse("reviews:what_if", args=["refund.issue"]), {"threshold": "75"})
    assert "r-unknown" in page.content.decode()
    assert "Under 30 checks: no evidence" in text_of(page)
    assert "no evidence" in text_of(page)


def test_the_calibration_page_says_what_a_score_is_worth(cast: Cast, browser: Client) -> None:
    page = reverse("policies:calibration", args=["refund.issue"])
    assert "No label carries a score yet" in text_of(browser.get(page))
    for number in range(40):
        kind = DecisionKind.REJECT if number % 4 == 0 else DecisionKind.APPROVE
        released(cast, kind, confidence=0.85, arguments={"order": f"{number}", "amount": 1})
    follow()
    text = text_of(browser.get(page))
    assert "In 100 actions scored about 85%, 75 were right" in text
    assert "40 of 40 labels are of held items" in text
    refit = reverse("policies:calibration_refit", args=["refund.issue"])
    assert "too few labels to fit a map" in text_of(browser.get(refit))
    assert browser.post(refit).status_code == 409


def sure_of_too_much(cast: Cast) -> None:
    """Of what is scored 95% a quarter is wrong, of what is scored 60% a half."""
    labelled(
        cast,
        400,
        score=lambda place: 0.95 if place % 2 else 0.6,
        wrong=lambda place: place % 8 == 1 if place % 2 else place % 4 == 0,
    )


def row_of(page: str, name: str) -> list[str]:
    """Return the cells of the table's row of this name."""
    (row,) = re.findall(rf'<tr><th scope="row">{name}</th>(.*?)</tr>', page)
    return re.findall(r'<td class="num">(.*?)</td>', row)


def test_a_refit_shows_its_curves_and_what_it_changes_before_it_is_a_draft(
    cast: Cast, browser: Client
) -> None:
    sure_of_too_much(cast)
    page = browser.get(reverse("policies:calibration_refit", args=["refund.issue"]))
    text = text_of(page)
    refit = page.context["refit"]
    assert (refit.fitted_on, refit.shown_on) == (280, 120)
    assert refit.calibration.points == ((0.6, 0.5), (0.95, 0.75))
    # At 90% the half that is scored 95% runs alone; with the map nothing does.
    assert row_of(text, "Held for review") == ["50%", "100%"]
    assert row_of(text, "Wrong among the released") == ["25.0% (19.2% to 31.6%)", "nothing is released"]
    assert "Off on average: 15.0% before, under 0.1% with the map." in text
    # Hollow and full: as it is, and with the map.
    assert "As it is" in text
    assert "With the map, 95% range" in text
    assert not PolicyVersion.objects.filter(state="draft").exists()


def test_the_calibration_page_shows_bars_with_counts_drift_and_before_and_after(
    cast: Cast, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sure_of_too_much(cast)
    for number in range(6):
        released(cast, DecisionKind.APPROVE, confidence=0.85, arguments={"order": f"{number}", "amount": 1})
    follow()
    address = reverse("policies:calibration", args=["refund.issue"])
    page = browser.get(address)
    bars = {round(bar.score, 2): bar for bar in page.context["shown"].bars}
    assert {score: (bar.n, bar.right) for score, bar in bars.items()} == {
        0.6: (200, 0.5), 0.85: (6, 1.0), 0.95: (200, 0.75),
    }  # fmt: skip
    low, high = wilson(150, 200)
    assert (bars[0.95].low, bars[0.95].high) == pytest.approx((low, high))
    text = text_of(page)
    assert "In 100 actions scored about 95%, 75 were right (69 to 80)." in text
    assert "About 85%: 6 labels, too few to say." in text
    # The week's line is of what was kept as decisions came in: of two weeks, where one ended meanwhile.
    assert "Drift, by week" in text
    assert sum(week.labels for week in page.context["page"].weeks) == 6
    assert "406 of 406 labels are of held items" in text

    # An event that 39 labels tell of is one.
    monkeypatch.setattr(past, "repeats", lambda window: np.arange(1_000_001, 1_000_040))
    assert browser.get(address).context["page"].labels == 406 - 39
    monkeypatch.undo()

    live = {"threshold": 0.7, "audit_rate": 0.01, "score": "calibrated"}
    policies.put_in_force(
        action_type=cast.refund,
        document={**live, "calibration": {"of": "agent", "points": [[0.6, 0.5], [0.95, 0.75]]}},
        author=cast.olga,
        reason="A map",
        now=database_now(),
    )
    mapped = browser.get(address)
    assert [round(bar.score, 3) for bar in mapped.context["shown"].bars] == [0.5, 0.679, 0.75]
    after = text_of(mapped)
    assert "Raw score" in after
    assert "With the map, 95% range" in after


def test_a_new_map_of_enough_labels_becomes_a_draft_and_nothing_else_changes(
    cast: Cast, browser: Client
) -> None:
    for number in range(calibration.FEWEST_TO_FIT):
        # Said 60%: right half of the time. Said 85%: always right.
        kind = DecisionKind.REJECT if number % 4 == 0 else DecisionKind.APPROVE
        score = 0.85 if number % 2 else 0.6
        released(cast, kind, confidence=score, arguments={"order": f"{number}", "amount": 1})
    follow()
    address = reverse("policies:calibration_refit", args=["refund.issue"])
    assert address in text_of(browser.get(reverse("policies:calibration", args=["refund.issue"])))
    live = PolicyVersion.objects.get(action_type=cast.refund, state="live")
    entries = LedgerEntry.objects.count()
    page = text_of(browser.get(address))
    for words in ("fitted on the earlier", "Write it as a draft", "60.0%", "48.6%", "85.0%", "100.0%"):
        assert words in page, words
    # To look writes nothing.
    assert not PolicyVersion.objects.filter(state="draft").exists()
    assert LedgerEntry.objects.count() == entries

    answer = browser.post(address)
    assert (answer.status_code, answer["Location"]) == (
        302,
        reverse("policies:publish", args=["refund.issue"]),
    )
    draft = PolicyVersion.objects.get(state="draft")
    # Fitted on the earlier 70: of 35 at 60% 17 were right.
    fitted = {"of": "agent", "points": [[0.6, 0.4857], [0.85, 1.0]]}
    assert draft.document == {**live.document, "score": "calibrated", "calibration": fitted}
    assert (draft.author, draft.reason) == (cast.olga, "Calibrated by 70 labels (isotonic).")
    assert LedgerEntry.objects.order_by("-id")[0].verb == "policy.drafted"
    live.refresh_from_db()
    assert live.state == "live"
    assert propose(cast, confidence=0.85, idempotency_key="as ever").state == "pending_review"

    # What somebody has written into the draft stays in it.
    policies.save_draft(
        action_type=cast.refund,
        document={**live.document, "threshold": 0.8},
        author=cast.olga,
        now=database_now(),
    )
    assert f"Put it into draft {draft.number}" in text_of(browser.get(address))
    browser.post(address)
    draft.refresh_from_db()
    assert draft.document == {
        **live.document,
        "threshold": 0.8,
        "score": "calibrated",
        "calibration": fitted,
    }


def test_the_actions_behind_a_number_have_a_page_of_their_own(cast: Cast, browser: Client) -> None:
    for number in range(20):
        propose(cast, confidence=0.8, arguments={"order": f"C{number:02}", "amount": 7})
    for number in range(36):
        kind = DecisionKind.REJECT if number == 0 else DecisionKind.APPROVE
        released(cast, kind, confidence=0.85, arguments={"order": f"D{number:02}", "amount": 7})
    follow()
    url = reverse("reviews:what_if", args=["refund.issue"])
    page = browser.get(url, {"threshold": "75", "days": "30"}).content.decode()
    links = [unescape(link) for link in re.findall(r'href="([^"]+&amp;list=[a-z]+)"', page)]
    # Held, the time that takes, what is wrong; and the list below.
    assert [link.rpartition("=")[2] for link in links] == ["released", "released", "wrong", "released"]
    # Each asks the past what the page above it asked.
    assert links[0] == links[1] == links[3]
    released_list = text_of(browser.get(links[0]))
    assert released_list.count("7 for C") == 20
    assert released_list.count("7 for D") == 36
    wrong = text_of(browser.get(links[2]))
    assert (wrong.count("7 for C"), wrong.count("7 for D")) == (0, 1)
    assert "7 for D00" in wrong
    # Where no action changes side, what was held stands behind how much is held and how long that takes.
    same = browser.get(url, {"days": "30"}).content.decode()
    held = [unescape(link) for link in re.findall(r'class="kv num" href="(/trust/items/[^"]+)"', same)]
    assert held == ["/trust/items/?days=30&type=refund.issue&state=held"] * 2
    assert browser.get(held[0]).context["total"] == 56
    nothing = text_of(browser.get(url, {"threshold": "75", "list": "held"}))
    assert "With this draft no past action is on this list." in nothing

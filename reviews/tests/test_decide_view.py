"""Deciding through the pages: what is taken, what is refused, and that nothing typed is ever lost."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse

from hitl_site.lib.clock import database_now
from policies.choices import Risk
from policies.services import action_types, policies
from policies.services.ledger import Actor
from reviews.choices import DecisionKind, ItemStatus
from reviews.models import Decision, Draft, ItemView, ReviewItem
from reviews.services import attention, cancellations, claims, decisions
from reviews.tests.browsing import HTMX, at_noon, browser_of, fields_in, name_of, open_form, text_of, url
from reviews.tests.cast import REFUND, Cast, decide_as, held

TYPED = "Hi <Ana>, we refunded €148."


def _decide(
    client: Any, item: ReviewItem, fields: dict[str, Any], *, htmx: bool = False, **more: Any
) -> HttpResponse:
    headers = HTMX if htmx else {}
    response: HttpResponse = client.post(url("decide", item), {**fields, **more}, headers=headers)
    return response


def _correction(client: Any, item: ReviewItem) -> dict[str, Any]:
    fields = open_form(client, item)
    return {
        **fields,
        name_of("amount"): "148.00",
        name_of("message"): TYPED,
        "reasons": ["wrong_arguments"],
        "note": "Paid 148.",
    }


def _kept(page: str) -> bool:
    """Say whether everything of ``_correction`` is still in the form."""
    fields = fields_in(page)
    return bool(
        fields[name_of("amount")] == "148.00"
        and fields[name_of("message")] == TYPED
        and fields["reasons"] == ["wrong_arguments"]
        and fields["note"] == "Paid 148."
    )


def _says(response: HttpResponseBase, text: str) -> bool:
    return text in html.unescape(text_of(response))


def test_an_approval_runs_what_was_proposed_and_leads_to_the_next_item(cast: Cast) -> None:
    item, following = held(cast), held(cast)
    client = browser_of(cast.alice)
    answer = _decide(client, item, open_form(client, item), kind="approve")

    assert answer.status_code == 302
    assert answer["Location"] == url("review", following)
    decision = Decision.objects.get()
    assert (decision.kind, decision.reviewer, decision.final_digest) == (
        "approve",
        cast.alice,
        item.action.digest,
    )
    following.refresh_from_db()
    assert following.claimed_by == cast.alice
    page = client.get(answer["Location"])
    assert _says(page, "Approved “Refund 184 for SO-48213”.")
    assert _says(page, "Goes out in")


def test_with_htmx_the_answer_brings_the_next_item_its_address_and_the_way_back(cast: Cast) -> None:
    item, following = held(cast), held(cast, arguments={**REFUND, "amount": 99})
    client = browser_of(cast.alice)
    answer = _decide(client, item, open_form(client, item), htmx=True, kind="approve")

    assert answer.status_code == 200
    assert answer["HX-Push-Url"] == url("review", following)
    page = text_of(answer)
    assert page.lstrip().startswith("<title>Refund 99 for SO-48213 · Handrail</title>")
    assert f'data-arm="{following.public_id}"' in page
    assert "Goes out in" in page
    assert reverse("reviews:undo", args=[Decision.objects.get().public_id]) in page
    assert "<html" not in page


def test_a_correction_runs_what_was_typed(cast: Cast) -> None:
    item = held(cast)
    client = browser_of(cast.alice)
    answer = _decide(client, item, _correction(client, item), kind="correct")

    assert answer["Location"] == reverse("reviews:done")
    decision = Decision.objects.get()
    assert sorted(step["path"] for step in decision.patch) == ["/amount", "/message"]
    assert bytes(decision.final_arguments_canonical or b"").startswith(b'{"amount":148,')
    assert (decision.reasons, decision.note) == (["wrong_arguments"], "Paid 148.")


def test_a_rejection_needs_a_reason_and_keeps_what_was_typed(cast: Cast) -> None:
    item = held(cast)
    client = browser_of(cast.alice)
    fields = {**_correction(client, item), "reasons": []}
    answer = _decide(client, item, fields, kind="reject")

    assert answer.status_code == 422
    assert _says(answer, "Say why: choose at least one reason.")
    assert _says(answer, 'href="#reasons"')
    assert fields_in(text_of(answer))[name_of("message")] == TYPED
    assert Decision.objects.count() == 0


def test_a_field_that_does_not_fit_is_named_and_nothing_is_lost(cast: Cast) -> None:
    item = held(cast)
    client = browser_of(cast.alice)
    fields = {**_correction(client, item), name_of("amount"): "-5"}
    answer = _decide(client, item, fields, htmx=True, kind="correct")

    assert answer.status_code == 422
    assert _says(answer, "Amount: Must be at least 0.")
    page = text_of(answer)
    back = fields_in(page)
    assert (back[name_of("amount")], back[name_of("message")], back["note"]) == ("-5", TYPED, "Paid 148.")
    anchor = re.search(r'<a href="#([^"]+)">Amount', page)
    assert anchor is not None
    assert f'id="{anchor[1]}"' in page
    assert Decision.objects.count() == 0


def test_a_number_that_cannot_be_read_comes_back_as_it_was_typed(cast: Cast) -> None:
    item = held(cast)
    client = browser_of(cast.alice)
    fields = {**_correction(client, item), name_of("amount"): "12,5 €"}
    answer = _decide(client, item, fields, kind="correct")

    assert answer.status_code == 422
    assert fields_in(text_of(answer))[name_of("amount")] == "12,5 €"
    assert Decision.objects.count() == 0


def test_invalid_json_stays_in_its_tab_with_line_and_column(cast: Cast) -> None:
    item = held(cast)
    client = browser_of(cast.alice)
    text = '{\n  "order": "SO-1",,\n}'
    fields = {**open_form(client, item), "editor": "json", "json": text, "reasons": ["wrong_arguments"]}
    for name, value in (("kind", "correct"), ("op", "tab:form")):
        answer = _decide(client, item, {**fields, name: value})

        assert answer.status_code == 422
        assert _says(answer, "Line 2, column")
        back = fields_in(text_of(answer))
        assert (back["editor"], back["json"].replace("\r\n", "\n")) == ("json", text)
    assert Decision.objects.count() == 0


def test_valid_json_is_a_version_like_any_other(cast: Cast) -> None:
    item = held(cast)
    client = browser_of(cast.alice)
    fields = {
        **open_form(client, item),
        "editor": "json",
        "json": '{"order": "SO-1", "amount": 1}',
        "reasons": ["wrong_arguments"],
    }
    _decide(client, item, fields, kind="correct")
    assert bytes(Decision.objects.get().final_arguments_canonical or b"") == b'{"amount":1,"order":"SO-1"}'


def test_a_changed_form_is_not_approved(cast: Cast) -> None:
    item = held(cast)
    client = browser_of(cast.alice)
    answer = _decide(client, item, _correction(client, item), kind="approve")

    assert answer.status_code == 422
    assert _says(answer, "You changed 2 fields. Choose Correct to run your version, or reset it.")
    assert _kept(text_of(answer))
    assert Decision.objects.count() == 0


def test_a_correction_that_changes_nothing_is_refused(cast: Cast) -> None:
    item = held(cast)
    client = browser_of(cast.alice)
    fields = {**open_form(client, item), "reasons": ["wrong_arguments"]}
    answer = _decide(client, item, fields, kind="correct")

    assert answer.status_code == 422
    assert _says(answer, "You changed nothing.")
    assert Decision.objects.count() == 0


def test_where_somebody_was_first_one_reads_who_and_what_and_keeps_ones_text(cast: Cast) -> None:
    item = held(cast)
    client = at_noon(browser_of(cast.alice))
    fields = _correction(client, item)
    decide_as(cast.bob, item, DecisionKind.REJECT, reasons=("against_policy",), note="Not again.")
    for htmx in (False, True):
        answer = _decide(client, item, fields, htmx=htmx, kind="correct")

        assert answer.status_code == 409
        assert re.search(r"Bob rejected this at \d\d:\d\d:\d\d", text_of(answer))
        assert _says(answer, "Reasons: Against our policy")
        assert _says(answer, "Note: Not again.")
        assert _says(answer, TYPED)
        assert _says(answer, "Paid 148.")
        assert _says(answer, "Compare with yours")
        assert _says(answer, "Next item")
    assert Decision.objects.get().reviewer == cast.bob


def test_the_same_answer_sent_twice_is_one_decision(cast: Cast) -> None:
    item = held(cast)
    client = browser_of(cast.alice)
    fields = _correction(client, item)
    first = _decide(client, item, fields, kind="correct")
    second = _decide(client, item, fields, kind="correct")

    assert (first.status_code, second.status_code) == (302, 302)
    assert Decision.objects.count() == 1


def test_when_time_has_run_out_nothing_runs_and_the_text_can_be_copied(cast: Cast) -> None:
    item = held(cast)
    client = at_noon(browser_of(cast.alice))
    fields = _correction(client, item)
    ReviewItem.objects.filter(pk=item.pk).update(due_at=database_now() - timedelta(seconds=1))
    answer = _decide(client, item, fields, htmx=True, kind="correct")

    assert answer.status_code == 410
    assert re.search(r"Time ran out at \d\d:\d\d:\d\d; nothing will run", text_of(answer))
    assert _says(answer, TYPED)
    assert _says(answer, "Paid 148.")
    assert Decision.objects.count() == 0


def test_what_the_agent_took_back_is_not_decided(cast: Cast) -> None:
    item = held(cast)
    client = browser_of(cast.alice)
    fields = _correction(client, item)
    cancellations.cancel(agent=cast.clerk, action_id=item.action.public_id, now=database_now())
    answer = _decide(client, item, fields, kind="correct")

    assert answer.status_code == 410
    assert _says(answer, "The agent took this back at")
    assert _says(answer, TYPED)
    assert Decision.objects.count() == 0


def test_a_stale_page_says_what_changed_and_can_be_sent_again(cast: Cast) -> None:
    item = held(cast)
    ReviewItem.objects.filter(pk=item.pk).update(approvals_required=2)
    client = browser_of(cast.alice)
    fields = _correction(client, item)
    decide_as(cast.bob, item)
    answer = _decide(client, item, fields, kind="correct")

    assert answer.status_code == 409
    assert _says(answer, "This item has changed since you opened it")
    assert _says(answer, "Somebody gave one of the answers it needs.")
    assert _kept(text_of(answer))
    assert Decision.objects.count() == 1

    again = _decide(client, item, fields_in(text_of(answer)), kind="correct")
    assert again.status_code == 302
    assert set(Decision.objects.values_list("kind", "terminal")) == {("approve", False), ("correct", False)}


def test_what_the_policy_forbids_is_not_decided_whoever_approves(cast: Cast) -> None:
    item = held(cast)
    policies.put_in_force(
        action_type=cast.refund,
        document={
            "threshold": 0.9,
            "rules": [
                {
                    "code": "too_much",
                    "title": "Over 100 is never paid",
                    "when": "args.amount > 100",
                    "then": "deny",
                }
            ],
        },
        author=cast.olga,
        reason="A limit",
        now=database_now(),
    )
    client = browser_of(cast.alice)
    answer = _decide(client, item, _correction(client, item), kind="correct")

    assert answer.status_code == 422
    assert _says(answer, "Over 100 is never paid")
    assert _kept(text_of(answer))
    assert Decision.objects.count() == 0


def test_the_owner_of_the_agent_may_not_decide_and_reads_why(cast: Cast) -> None:
    item = held(cast)
    fields = _correction(browser_of(cast.alice), item)
    fields.pop("token")
    answer = _decide(browser_of(cast.carol), item, fields, kind="correct")

    assert answer.status_code == 403
    assert _says(answer, "You own this agent; somebody else decides for it.")
    assert Decision.objects.count() == 0


def test_an_unread_check_list_of_a_high_risk_type_holds_the_approval_back(cast: Cast) -> None:
    action_types.change(
        action_type=cast.refund,
        checklist=["Amount matches"],
        risk=Risk.HIGH,
        actor=Actor.person(cast.olga),
        now=database_now(),
    )
    item = held(cast)
    client = browser_of(cast.alice)
    fields = open_form(client, item)
    assert _decide(client, item, fields, kind="approve").status_code == 422
    assert Decision.objects.count() == 0

    assert _decide(client, item, fields, kind="approve", checks=["0"]).status_code == 422
    assert Decision.objects.count() == 0
    # Opened three seconds ago, and seen to its end.
    opened_at = database_now() - timedelta(seconds=3)
    token = attention.view_token(item=item, reviewer=cast.alice, now=opened_at)
    _decide(client, item, fields, kind="approve", checks=["0"], token=token, seen_end="1")
    assert Decision.objects.get().kind == "approve"


def test_how_it_was_read_is_kept_with_the_decision(cast: Cast) -> None:
    item = held(cast)
    client = browser_of(cast.alice)
    fields = {**open_form(client, item), "seen_end": "1", "opened": "timeline,diff"}
    _decide(client, item, fields, kind="approve")

    decision = Decision.objects.get()
    assert (decision.arguments_seen, decision.parts_opened) == (True, ["timeline", "diff"])
    assert decision.decision_ms is not None
    assert decision.opened_at is not None


def test_a_token_of_another_item_is_not_accepted(cast: Cast) -> None:
    item, other = held(cast), held(cast)
    client = browser_of(cast.alice)
    token = open_form(client, other)["token"]
    answer = _decide(client, item, open_form(client, item), kind="approve", token=token)

    assert answer.status_code == 409
    assert Decision.objects.count() == 0
    assert fields_in(text_of(answer))["token"] != token


def test_undoing_leads_back_to_the_item_with_everything_as_it_was_typed(cast: Cast) -> None:
    item = held(cast)
    client = browser_of(cast.alice)
    _decide(client, item, _correction(client, item), kind="correct")
    decision = Decision.objects.get()
    answer = client.post(reverse("reviews:undo", args=[decision.public_id]))

    assert answer["Location"] == url("review", item)
    assert _kept(text_of(client.get(answer["Location"])))
    item.refresh_from_db()
    assert item.status == ItemStatus.OPEN


def test_undoing_with_htmx_brings_the_item_at_once(cast: Cast) -> None:
    item = held(cast)
    client = browser_of(cast.alice)
    _decide(client, item, _correction(client, item), kind="correct")
    answer = client.post(reverse("reviews:undo", args=[Decision.objects.get().public_id]), headers=HTMX)

    assert (answer["HX-Retarget"], answer["HX-Push-Url"]) == ("#workspace", url("review", item))
    assert _says(answer, "Taken back")
    assert _kept(text_of(answer))
    item.refresh_from_db()
    assert item.claimed_by == cast.alice


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_too_late_to_undo_is_said_plainly(cast: Cast, headers: dict[str, str]) -> None:
    item = held(cast)
    decided = decide_as(cast.alice, item, now=database_now() - timedelta(seconds=30))
    answer = browser_of(cast.alice).post(
        reverse("reviews:undo", args=[decided.decision.public_id]), headers=headers
    )

    assert answer.status_code == 409
    assert _says(answer, "The undo window is over; this answer has gone out.")
    assert Decision.objects.get().undone_at is None


def test_nobody_takes_back_what_another_person_said(cast: Cast) -> None:
    item = held(cast)
    decided = decide_as(cast.bob, item)
    answer = browser_of(cast.alice).post(reverse("reviews:undo", args=[decided.decision.public_id]))

    assert answer.status_code == 403
    assert Decision.objects.get().undone_at is None


def test_without_the_first_of_two_approvals_the_second_does_not_stand(cast: Cast) -> None:
    item = held(cast)
    ReviewItem.objects.filter(pk=item.pk).update(approvals_required=2)
    first = decide_as(cast.alice, item)
    second = decide_as(cast.bob, item)
    assert second.decision.terminal
    decisions.undo(decision_id=first.decision.public_id, reviewer=cast.alice, now=database_now())

    item.refresh_from_db()
    assert item.status == ItemStatus.OPEN
    assert not Decision.objects.filter(undone_at=None).exists()


def test_when_nothing_is_left_the_page_says_so_and_keeps_the_way_back(cast: Cast) -> None:
    item = held(cast)
    client = browser_of(cast.alice)
    answer = _decide(client, item, open_form(client, item), htmx=True, kind="approve")

    assert answer["HX-Push-Url"] == reverse("reviews:done")
    assert _says(answer, "Nothing is waiting for you")
    assert _says(answer, "Goes out in")
    assert _says(client.get(reverse("reviews:done")), "Nothing is waiting for you")


def test_the_live_difference_is_shown_and_keeps_the_draft(cast: Cast) -> None:
    item = held(cast)
    client = browser_of(cast.alice)
    answer = client.post(url("diff", item), _correction(client, item), headers=HTMX)

    page = text_of(answer)
    assert page.lstrip().startswith('<details id="diff"')
    assert "2 fields changed" in page
    assert re.search(r'class="dl">.*?amount: 184</span>', page)
    assert re.search(r'class="in">.*?amount: 148</span>', page)
    assert Draft.objects.get().reviewer == cast.alice
    assert _kept(text_of(client.get(url("review", item))))
    assert _page_of_other_is_untouched(cast, item)


def _page_of_other_is_untouched(cast: Cast, item: ReviewItem) -> bool:
    page = text_of(browser_of(cast.bob).get(url("review", item)))
    return bool(fields_in(page)[name_of("amount")] == "184")


def test_without_a_script_a_button_shows_what_will_run(cast: Cast) -> None:
    item = held(cast)
    client = browser_of(cast.alice)
    answer = client.post(url("diff", item), _correction(client, item))

    assert answer["Location"] == url("review", item) + "#diff"
    assert _kept(text_of(client.get(url("review", item))))


def test_reset_brings_the_agents_version_back_and_keeps_reasons_and_note(cast: Cast) -> None:
    item = held(cast)
    client = browser_of(cast.alice)
    answer = _decide(client, item, _correction(client, item), htmx=True, op="reset:")

    assert (answer.status_code, answer["HX-Retarget"]) == (200, "#editor")
    back = fields_in(text_of(answer))
    assert (back[name_of("amount")], back[name_of("message")]) == ("184", "Sorry!")
    assert Draft.objects.get().form["note"] == ["Paid 148."]
    assert Decision.objects.count() == 0


def test_switching_to_json_takes_the_changes_along(cast: Cast) -> None:
    item = held(cast)
    client = browser_of(cast.alice)
    answer = _decide(client, item, _correction(client, item), op="tab:json")
    assert answer["Location"] == url("review", item) + "#editor"

    fields = open_form(client, item)
    assert fields["editor"] == "json"
    assert '"amount": 148' in fields["json"]
    back = _decide(client, item, fields, htmx=True, op="tab:form")
    assert fields_in(text_of(back))["editor"] == "form"
    assert fields_in(text_of(back))[name_of("message")] == TYPED


def test_entries_of_a_list_are_added_and_removed_without_a_script(cast: Cast) -> None:
    action_types.change(
        action_type=cast.refund,
        argument_schema={
            "type": "object",
            "properties": {
                "lines": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"sku": {"type": "string"}}},
                }
            },
        },
        actor=Actor.person(cast.olga),
        now=database_now(),
    )
    item = held(cast, arguments={"lines": [{"sku": "a"}]})
    client = browser_of(cast.alice)
    _decide(client, item, open_form(client, item), op="add:/lines")
    fields = open_form(client, item)
    fields[name_of("lines", "1", "sku")] = "b"
    _decide(client, item, {**fields, "reasons": ["wrong_arguments"]}, kind="correct")

    final = bytes(Decision.objects.get().final_arguments_canonical or b"")
    assert final == b'{"lines":[{"sku":"a"},{"sku":"b"}]}'


def test_a_reload_after_an_answer_with_errors_shows_the_page(cast: Cast) -> None:
    item = held(cast)
    answer = browser_of(cast.alice).get(url("decide", item))
    assert answer["Location"] == url("review", item)


def test_the_lease_is_asked_for_by_a_script_and_let_go(cast: Cast) -> None:
    item = held(cast)
    alice, bob = browser_of(cast.alice), browser_of(cast.bob)
    asked = {"Accept": "application/json"}
    answer = alice.post(url("claim", item), headers=asked)
    assert set(answer.json()) == {"lease_until"}

    refused = bob.post(url("claim", item), headers=asked)
    assert (refused.status_code, refused.json()) == (409, {"detail": "Alice is on this one."})
    assert alice.post(url("release", item), headers=asked).status_code == 204
    item.refresh_from_db()
    assert item.claimed_by is None
    decide_as(cast.bob, item)
    assert alice.post(url("claim", item), headers=asked).status_code == 410


def test_somebody_who_is_looking_is_seen_by_others(cast: Cast) -> None:
    item = held(cast)
    alice = browser_of(cast.alice)
    token = open_form(alice, item)["token"]
    asked = {"Accept": "application/json"}
    assert (
        alice.post(url("attention", item), {"token": token, "editing": "1"}, headers=asked).status_code == 204
    )
    assert alice.post(url("attention", item), {"token": "forged"}, headers=asked).status_code == 422

    assert ItemView.objects.count() == 1
    assert "Alice is editing too" in text_of(browser_of(cast.bob).get(url("review", item)))


def test_an_item_is_passed_on_with_a_note(cast: Cast) -> None:
    item = held(cast)
    client = browser_of(cast.alice)
    page = text_of(client.get(url("escalate", item)))
    assert "Bob" in page
    assert "Carol" not in page  # owns the agent
    # A word of its own: three letters stand by chance in a token of the page.
    assert re.search(r"\bDan\b", page) is None  # may not decide

    fields = {"item_version": item.version, "to_user": cast.bob.pk, "note": ""}
    refused = client.post(url("escalate", item), fields)
    assert refused.status_code == 422
    assert _says(refused, "Say why you pass it on.")
    assert client.post(url("escalate", item), {**fields, "note": "You know her."}).status_code == 302
    item.refresh_from_db()
    assert item.escalated_to == cast.bob


def test_an_item_is_skipped_with_a_reason(cast: Cast) -> None:
    item, following = held(cast), held(cast)
    client = browser_of(cast.alice)
    assert client.post(url("skip", item), {}).status_code == 422
    assert item.skips.count() == 0

    answer = client.post(url("skip", item), {"reason": "need_time"})
    assert answer["Location"] == url("review", following)
    assert item.skips.get().reason == "need_time"


def test_skip_and_escalate_come_as_dialogs_too(cast: Cast) -> None:
    item = held(cast)
    for name in ("skip", "escalate"):
        page = text_of(browser_of(cast.alice).get(url(name, item), headers=HTMX))
        assert "<html" not in page
        assert "data-closes" in page


def test_a_character_that_cannot_be_stored_is_an_error_of_its_field(cast: Cast) -> None:
    item = held(cast)
    client = browser_of(cast.alice)
    fields = {**_correction(client, item), "note": "a\0b", name_of("message"): "c\0d", "reasons": ["\0"]}
    assert client.post(url("diff", item), fields, headers=HTMX).status_code == 200
    assert _decide(client, item, {**fields, "to\0": "x"}, kind="correct").status_code == 422
    assert _decide(client, item, {**fields, "token": "\0"}, kind="reject").status_code == 422
    assert Decision.objects.count() == 0


POSTS = ("decide", "diff", "claim", "release", "attention", "escalate", "skip")


@pytest.mark.parametrize("name", POSTS)
def test_who_may_not_decide_is_refused_by_name_of_the_right_and_nothing_changes(
    cast: Cast, name: str
) -> None:
    item = held(cast)
    claims.claim(item_id=item.public_id, reviewer=cast.bob, now=database_now())
    before = ReviewItem.objects.values().get(pk=item.pk)
    fields = {"kind": "approve", "reason": "need_time", "note": "x", "item_version": 1, "take_over": "yes"}
    stranger = cast.alice.__class__.objects.create_user("nobody")
    assert browser_of(None).post(url(name, item), fields).status_code == 302
    for person in (stranger, cast.dan, cast.olga):
        for headers in ({}, HTMX, {"Accept": "application/json"}):
            answer = browser_of(person).post(url(name, item), fields, headers=headers)

            assert answer.status_code == 403
            assert _says(answer, "right to decide review items")
    assert ReviewItem.objects.values().get(pk=item.pk) == before
    assert (Decision.objects.count(), Draft.objects.count(), ItemView.objects.count()) == (0, 0, 0)
    assert item.skips.count() == 0


def test_who_may_not_look_is_refused_and_strangers_sign_in_first(cast: Cast) -> None:
    item = held(cast)
    stranger = cast.alice.__class__.objects.create_user("nobody")
    answer = browser_of(stranger).get(url("review", item))
    assert answer.status_code == 403
    assert _says(answer, "You need the right to see review items.")
    assert "Refund" not in text_of(answer)
    assert browser_of(None).get(url("review", item))["Location"].startswith(reverse("login"))
    assert browser_of(cast.dan).get(url("review", item)).status_code == 200
    assert (
        browser_of(None).post(url("claim", item), headers={"Accept": "application/json"}).status_code == 401
    )


def test_the_next_item_is_of_the_view_that_one_works_through(cast: Cast) -> None:
    item = held(cast, arguments={**REFUND, "order": "first lamp"})
    held(cast, arguments={**REFUND, "order": "chair"})
    wanted = held(cast, arguments={**REFUND, "order": "second lamp"})
    client = browser_of(cast.alice)
    page = text_of(client.get(url("review", item), {"q": "lamp"}))
    assert re.search(r'<b class="b num">1</b> of <span class="num">2</span>', page)
    assert url("decide", item) + "?q=lamp" in page

    fields = open_form(client, item)
    answer = client.post(url("decide", item) + "?q=lamp", {**fields, "kind": "approve"}, headers=HTMX)
    assert answer["HX-Push-Url"] == url("review", wanted) + "?q=lamp"

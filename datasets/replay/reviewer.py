"""The scripted reviewer: decides on the pages that people use, by the recording's ground truth."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from typing import Final

from datasets.replay.agent_side import Roll
from datasets.replay.browser import Browser, Shown, Unreachable
from datasets.replay.ground_truth import Judgement, judge
from datasets.replay.html_forms import Form, NoSuchControl
from datasets.replay.plan import Account
from datasets.replay.recording import Record
from reviews.choices import DecisionKind
from reviews.schema_form import pretty

_STORY: Final = re.compile(r"/actions/(act_[0-9a-f]{32})/")
_ITEM: Final = re.compile(r"/review/(itm_[0-9a-f]{32})/")
_START: Final = "/review/next/"
_PAUSE: Final = 0.2
# The agent has its answer in hand a moment after the inbox knows of the action.
_ROLL_PATIENCE: Final = 5.0
_MOST_OUTAGES: Final = 20


class CannotSignIn(Exception):
    """The site did not let the reviewer in."""


@dataclass(slots=True)
class Tally:
    """What a reviewer did. ``busy_seconds`` leaves out the time in which nothing was waiting."""

    decisions: int = 0
    skipped: int = 0
    busy_seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


class ScriptedReviewer:
    """One reviewer with a browser of their own."""

    def __init__(self, url: str, account: Account, roll: Roll) -> None:
        self._browser = Browser(url)
        self._account = account
        self._roll = roll
        self.tally = Tally()

    def sign_in(self) -> None:
        """Sign in through the page, with the token it holds against forged requests."""
        shown = self._browser.get("/login/?next=/inbox/")
        form = shown.page.form(action="/login/")
        form.fill("username", self._account.username)
        form.fill("password", self._account.password)
        shown = self._browser.press(shown, form)
        if shown.status != 200 or shown.path != "/inbox/":
            raise CannotSignIn(f"{self._account.username} ended at {shown.path} ({shown.status}).")

    def work(self, nothing_more_comes: threading.Event) -> None:
        """Decide whatever waits, until nothing does and nothing more comes."""
        outages = 0
        while True:
            last_look = nothing_more_comes.is_set()
            began = time.monotonic()
            done = self.tally.decisions
            try:
                self._decide_all()
                outages = 0
            except Unreachable as outage:
                outages += 1
                if outages >= _MOST_OUTAGES:
                    self.tally.problems.append(str(outage))
                    return
            except NoSuchControl as missing:
                self.tally.problems.append(str(missing))
                if last_look:
                    return
            if self.tally.decisions > done:
                self.tally.busy_seconds += time.monotonic() - began
            elif last_look:
                return
            else:
                nothing_more_comes.wait(_PAUSE)

    def _decide_all(self) -> None:
        shown = self._browser.get("/inbox/")
        shown = self._browser.press(shown, shown.page.form(action=_START))
        while found := _ITEM.match(shown.path):
            self._check_markup(shown)
            record = self._record(shown)
            if record is None:
                shown = self._skip(shown, found[1])
                continue
            answered = self._answer(shown, judge(record))
            if answered.status == 200:
                self.tally.decisions += 1
                shown = answered
            else:
                self.tally.problems.append(
                    f"{record.event_id}: the page answered {answered.status} to {judge(record).kind}"
                )
                shown = self._skip(shown, found[1])

    def _record(self, shown: Shown) -> Record | None:
        """Return the record that the page is about, by its link to the action's own story.

        Earlier decisions on the page have stories too; only this link has the id.
        """
        found = _STORY.fullmatch(shown.page.links.get("own-story", ""))
        if not found:
            raise NoSuchControl(f"no link to the action's own story on {shown.path}")
        return self._roll.find(found[1], patience=_ROLL_PATIENCE)

    def _answer(self, shown: Shown, judgement: Judgement) -> Shown:
        form = shown.page.form(id="review-form")
        if judgement.kind == DecisionKind.CORRECT:
            shown = self._browser.press(shown, form, form.button("op", "tab:json"))
            form = shown.page.form(id="review-form")
            form.fill("json", pretty(judgement.runs))
        if judgement.reason:
            form.tick("reasons", judgement.reason)
        return give(self._browser, shown, form, judgement.kind)

    def _skip(self, shown: Shown, item_id: str) -> Shown:
        """Leave an item that is not ours, or that would not take the answer, to others."""
        asked = self._browser.get(f"/review/{item_id}/skip/")
        form = asked.page.form(action=f"/review/{item_id}/skip/")
        form.tick("reason", "not_my_field")
        self.tally.skipped += 1
        return self._browser.press(asked, form)

    def _check_markup(self, shown: Shown) -> None:
        self.tally.problems.extend(f"{shown.path} holds {what}" for what in shown.page.intruders)


def give(browser: Browser, shown: Shown, form: Form, kind: str) -> Shown:
    """Press a verdict, and once more where the page asks because it contradicts earlier ones."""
    answered = browser.press(shown, form, form.button("kind", kind))
    if answered.status == 409 and any(each.id == form.id for each in answered.page.forms):
        again = answered.page.form(id=form.id)
        if any(each.name == "against" for each in again.controls):
            return browser.press(answered, again, again.button("kind", kind))
    return answered

"""Who acts in a run: agents, executors, reviewers and an admin, each a thread with a die of its own."""

from __future__ import annotations

import json
import queue
import random
import re
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from datasets.replay.browser import Browser, Shown, Unreachable
from datasets.replay.html_forms import NoSuchControl
from tests.faults.installation import Person, signed_in
from tests.faults.wire import Agent, Answer
from tests.history.journal import Ending, Journal
from tests.plugins.product import Product

_ITEM = re.compile(r"/review/(itm_[0-9a-f]{32})/")
_FIRM = frozenset({400, 401, 403, 404, 409, 410, 412, 413, 415, 422})
_TRIES = 40


@dataclass
class Scene:
    """What the clients of one run share."""

    journal: Journal
    over: threading.Event
    types: tuple[str, ...]
    permits: queue.Queue[tuple[str, Agent, dict[str, Any]]] = field(default_factory=queue.Queue)
    # Items that somebody has had before them, so that others can come between.
    items: list[str] = field(default_factory=list)
    # Actions by their agent, for those who pry.
    actions: dict[str, list[str]] = field(default_factory=dict)

    def pause(self, seconds: float) -> None:
        """Wait, or wake at once when the run is over."""
        self.over.wait(seconds)


def ending_of(answer: Answer) -> Ending:
    """Say what an answer means for what was asked."""
    if 200 <= answer.status < 300:
        return "ok"
    return "fail" if answer.status in _FIRM else "info"


class AgentClient(threading.Thread):
    """Proposes, follows what it proposed, takes some of it back, and pries into what is another's."""

    def __init__(self, scene: Scene, name: str, api: Agent, ports: tuple[int, int], seed: int) -> None:
        super().__init__(name=name, daemon=True)
        self._scene, self._api, self._ports = scene, api, ports
        self._die = random.Random(seed)
        self.proposed: list[str] = []

    def run(self) -> None:
        self._scene.actions[self.name] = self.proposed
        while not self._scene.over.is_set():
            answer = self._propose()
            if answer is None:
                continue
            document = answer.document
            self.proposed.append(document["id"])
            if document["state"] == "pending_review":
                self._follow(document["id"])
            else:
                self._hand_over(document)
            if self._die.random() < 0.3:
                self._pry()
            self._scene.pause(self._die.random() * 0.2)

    def _propose(self) -> Answer | None:
        """Ask until there is an answer, always with the same key, as a client does."""
        key = uuid.uuid4().hex
        arguments = {
            "amount": self._die.choice((1, 20, 49, 50, 51, 99, 150, 999, 1500)),
            "to": uuid.uuid4().hex,
        }
        timeout = self._die.choice(("3s", "30s", "10m"))
        kind = self._die.choice(self._scene.types)
        for _ in range(_TRIES):
            began = time.monotonic()
            answer = self._api.propose(kind, arguments, key=key, confidence=1, timeout=timeout)
            ending = ending_of(answer)
            if ending == "ok":
                told = answer.document
                self._scene.journal.write(
                    self.name, "propose", key, "ok", began=began,
                    action=told["id"], digest=told["digest"], verdict=told["verdict"],
                )  # fmt: skip
                return answer
            self._scene.journal.write(
                self.name, "propose", key, ending, began=began, status=answer.status, verdict=_verdict(answer)
            )
            if ending == "fail" and answer.slug != "idempotency-in-progress":
                return None
            self._scene.pause(0.1 + self._die.random() * 0.2)
            if self._scene.over.is_set():
                return None
        return None

    def _follow(self, action_id: str) -> None:
        if self._die.random() < 0.1:
            began = time.monotonic()
            answer = self._api.post(f"/actions/{action_id}/cancel", {})
            self._scene.journal.write(
                self.name, "cancel", action_id, ending_of(answer), began=began, status=answer.status
            )
        for _ in range(6):
            seen = self._look(action_id, "follow", wait=1)
            if seen is not None and seen.document["state"] != "pending_review":
                self._hand_over(seen.document)
                return
            if self._scene.over.is_set():
                return

    def _look(self, action_id: str, kind: str, *, wait: int = 0) -> Answer | None:
        began = time.monotonic()
        api = self._api.through(self._die.choice(self._ports)) if wait else self._api
        answer = api.get(action_id, wait=wait)
        ending = ending_of(answer)
        if ending != "ok":
            self._scene.journal.write(
                self.name,
                kind,
                action_id,
                ending,
                began=began,
                status=answer.status,
                verdict=_verdict(answer),
            )
            return None
        self._scene.journal.write(
            self.name, kind, action_id, "ok", began=began,
            version=int(answer.headers["etag"].strip('"')), state=answer.document["state"],
        )  # fmt: skip
        return answer

    def look_at_all(self, api: Agent) -> None:
        """Read every action once more, when all is quiet."""
        self._api = api
        for action_id in self.proposed:
            self._look(action_id, "last look")

    def _hand_over(self, document: dict[str, Any]) -> None:
        if document.get("permit"):
            self._scene.permits.put((self.name, self._api, document))

    def _pry(self) -> None:
        others = [ids for name, ids in self._scene.actions.items() if name != self.name and ids]
        if not others:
            return
        action_id = self._die.choice(self._die.choice(others))
        began = time.monotonic()
        answer = (
            self._api.get(action_id)
            if self._die.random() < 0.5
            else self._api.post(f"/actions/{action_id}/cancel", {})
        )
        ending: Ending = "fail" if answer.status == 404 else "info"
        self._scene.journal.write(
            self.name, "pry", action_id, ending, began=began, status=answer.status, verdict=_verdict(answer)
        )


class ExecutorClient(threading.Thread):
    """Uses permits up: in order, twice, with another digest, or dies in between."""

    def __init__(self, scene: Scene, seed: int) -> None:
        super().__init__(name="executor", daemon=True)
        self._scene, self._die = scene, random.Random(seed)

    def run(self) -> None:
        while not (self._scene.over.is_set() and self._scene.permits.empty()):
            try:
                agent, api, document = self._scene.permits.get(timeout=0.2)
            except queue.Empty:
                continue
            self._execute(agent, api, document)

    def _execute(self, agent: str, api: Agent, document: dict[str, Any]) -> None:
        permit, digest = document["permit"]["id"], _runs(document)
        if self._die.random() < 0.15:
            self._consume(agent, api, permit, "sha256:" + "0" * 64, key="wrong")
        key = uuid.uuid4().hex
        told = self._consume(agent, api, permit, digest, key=key)
        for _ in range(_TRIES):
            if ending_of(told) != "info":
                break
            time.sleep(0.2)
            told = self._consume(agent, api, permit, digest, key=key)
        if self._die.random() < 0.3:
            self._consume(agent, api, permit, digest, key=uuid.uuid4().hex)
        if told.status != 200 or self._die.random() < 0.1:
            return  # refused, or the executor dies here
        execution = told.document["execution_id"]
        outcome = self._die.choice(("succeeded", "failed", "partial"))
        for _ in range(_TRIES):
            began = time.monotonic()
            answer = api.report(execution, outcome)
            self._scene.journal.write(
                agent, "outcome", execution, ending_of(answer), began=began, outcome=outcome,
                status=answer.status,
            )  # fmt: skip
            if ending_of(answer) != "info":
                return
            self._scene.pause(0.2)

    def _consume(self, agent: str, api: Agent, permit: str, digest: str, *, key: str) -> Answer:
        began = time.monotonic()
        answer = api.consume(permit, digest, key=key)
        ending = ending_of(answer)
        told: dict[str, Any] = {"digest": digest, "key": key, "status": answer.status}
        if ending == "ok":
            told["execution"] = answer.document["execution_id"]
        self._scene.journal.write(agent, "consume", permit, ending, began=began, **told)
        return answer


class ReviewerClient(threading.Thread):
    """Decides on the pages that people use."""

    def __init__(self, scene: Scene, person: Person, url: str, seed: int) -> None:
        super().__init__(name=person.name, daemon=True)
        self._scene, self._person, self._url = scene, person, url
        self._die = random.Random(seed)
        self._browser: Browser | None = None

    def run(self) -> None:
        while not self._scene.over.is_set():
            try:
                if self._browser is None:
                    self._browser = signed_in(self._url, self._person)
                if not self._turn(self._browser):
                    self._scene.pause(0.2)
            except NoSuchControl:
                # Somebody was first, or the right is gone: there is nothing to press.
                self._scene.pause(0.2)
            except (Unreachable, AssertionError):
                # Not there, or not signed in any more: begin again at the door.
                self._browser = None
                self._scene.pause(0.3)

    def _turn(self, browser: Browser) -> bool:
        if self._scene.items and self._die.random() < 0.25:
            shown = browser.get(f"/review/{self._die.choice(self._scene.items[-8:])}/")
        else:
            inbox = browser.get("/inbox/")
            assert not inbox.path.startswith("/login"), "signed out"
            shown = browser.press(inbox, inbox.page.form(action="/review/next/"))
        found = _ITEM.fullmatch(shown.path)
        if found is None or shown.status != 200:
            return False
        self._scene.items.append(found[1])
        self._scene.pause(self._die.random() * 0.3)
        self._decide(browser, shown, found[1])
        return True

    def _decide(self, browser: Browser, shown: Shown, item: str) -> None:
        kind = self._die.choices(("approve", "correct", "reject"), (5, 2, 3))[0]
        form = shown.page.form(id="review-form")
        if kind == "correct":
            shown = browser.press(shown, form, form.button("op", "tab:json"))
            form = shown.page.form(id="review-form")
            written = form.values("json")
            if not written:
                return  # the page says why it cannot be edited
            arguments = json.loads(written[0])
            form.fill("json", json.dumps(arguments | {"amount": arguments["amount"] + 1}))
        reasons = form.values("reasons")
        if kind != "approve" and reasons:
            form.tick("reasons", self._die.choice(reasons))
        button = form.button("kind", kind)
        began = time.monotonic()
        try:
            answered = browser.press(shown, form, button)
        except Unreachable:
            self._scene.journal.write(self.name, "decide", item, "info", began=began, decision=kind)
            raise
        # A page of signing in is no answer to a decision.
        ending: Ending = "info"
        if answered.status == 200 and not answered.path.startswith("/login"):
            ending = "ok"
        elif answered.status in _FIRM:
            ending = "fail"
        self._scene.journal.write(
            self.name, "decide", item, ending, began=began, decision=kind, status=answered.status
        )
        if answered.path.startswith("/login"):
            self._browser = None


class AdminClient(threading.Thread):
    """Publishes policies, engages and lifts stops, takes rights and gives them back, asks for exports."""

    def __init__(
        self, scene: Scene, hands: Product, limits: tuple[int, ...], people: tuple[str, ...], seed: int
    ) -> None:
        super().__init__(name="admin", daemon=True)
        self._scene, self._hands, self._limits, self._people = scene, hands, limits, people
        self._die = random.Random(seed)
        self.stopped: dict[str, str] = {}
        self.without: set[str] = set()

    def run(self) -> None:
        while not self._scene.over.is_set():
            self._die.choice(
                (self._publish, self._publish, self._stop_for_a_while, self._rights, self._export)
            )()
            self._scene.pause(0.3 + self._die.random())

    def tidy_up(self) -> None:
        """Lift what is stopped and give back what was taken, until it is done."""
        for _ in range(_TRIES):
            for scope in list(self.stopped):
                self._lift(scope)
            for person in list(self.without):
                self._give(person)
            if not self.stopped and not self.without:
                return
            time.sleep(0.3)

    def _publish(self) -> None:
        kind = self._die.choice(self._scene.types)
        self._ask(
            "publish", kind, act="publish", action_type=kind, document=policy(self._die.choice(self._limits))
        )

    def _stop_for_a_while(self) -> None:
        scope = self._die.choice((*self._scene.types, "everything"))
        # One that nobody acknowledged may be in force: asked again, it is found and then known.
        told = self._engage(scope)
        if told is not None:
            self.stopped[scope] = told["id"]
            self._scene.pause(1.2 + self._die.random())
            self._lift(scope)

    def _engage(self, scope: str) -> dict[str, Any] | None:
        named = "" if scope == "everything" else scope
        for _ in range(_TRIES):
            told: dict[str, Any] | None = self._ask("stop", scope, act="stop", action_type=named)
            if told is not None:
                return told
            time.sleep(0.2)
        return None

    def _lift(self, scope: str) -> None:
        asked = self._now()
        if asked is None:
            return
        if self._ask("lift", scope, act="lift", stop=self.stopped[scope], before=asked) is not None:
            del self.stopped[scope]

    def _rights(self) -> None:
        person = self._die.choice(self._people)
        self.without.add(person)
        self._ask("take_right", person, act="set_groups", person=person, groups=[])
        self._scene.pause(0.5 + self._die.random())
        self._give(person)

    def _give(self, person: str) -> None:
        asked = self._now()
        if asked is None:
            return
        told = self._ask(
            "give_right", person, act="set_groups", person=person, groups=["reviewer"], before=asked
        )
        if told is not None:
            self.without.discard(person)

    def _export(self) -> None:
        self._ask("export", "all", act="export")

    def _now(self) -> datetime | None:
        """Return the database's time, from before whatever is asked next."""
        try:
            return datetime.fromisoformat(self._hands.ask(act="now"))
        except RuntimeError:
            return None

    def _ask(self, kind: str, subject: str, *, before: datetime | None = None, **act: Any) -> Any:
        """Have an act done and note it, with its time: ``before`` it, or after its acknowledgement."""
        began = time.monotonic()
        try:
            result = self._hands.ask(**act)
            at = before or datetime.fromisoformat(self._hands.ask(act="now"))
        except RuntimeError as error:
            ending: Ending = "fail" if "NothingToFreeze" in str(error) else "info"
            self._scene.journal.write(
                self.name, kind, subject, ending, began=began, why=str(error)[:200],
                **({"at": before} if before else {}),
            )  # fmt: skip
            return None
        self._scene.journal.write(self.name, kind, subject, "ok", began=began, at=at)
        return result if result is not None else {}


def policy(limit: int) -> dict[str, Any]:
    """Return a policy that denies what is far too much, holds what is above the limit, lets the rest run."""
    return {
        "threshold": 0.0,
        "undo_seconds": 0,
        "audit_rate": 0.05,
        "denial_memory_seconds": 0,
        "rules": [
            {"code": "far", "title": "Far too much", "when": "args.amount > 1000.0", "then": "deny"},
            {"code": "above", "title": "Above", "when": f"args.amount > {limit}.0", "then": "review"},
        ],
    }


def limit_of(document: Any) -> float | None:
    """Return the limit that a policy of this run has, None for any other policy."""
    for rule in (document or {}).get("rules", ()):
        if rule["code"] == "above":
            return float(rule["when"].rpartition("> ")[2])
    return None


def _verdict(answer: Answer) -> str:
    """Return the verdict that a refusal must not carry."""
    try:
        return str(answer.document.get("verdict", "") or answer.document.get("permit", "") or "")
    except (ValueError, AssertionError):
        return ""


def _runs(document: dict[str, Any]) -> str:
    """Return the digest of what was decided, another than the proposal's where a person corrected it."""
    return str(document.get("final_digest") or document["digest"])

"""Hostile text in every field an agent controls: it is read on every page, and never does anything.

One agent sends every payload as name and value of an argument, in the context, as name and output of
tools, as samples, reason and judge's words of one action, and each payload once more as subject,
conversation, version, idempotency key and title of an action of its own. Then the pages are opened in a
real browser, and all of them are read for markup that the templates did not write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from datasets.models import LabelledCase
from datasets.tests.base import label
from hitl_site.groups import make_groups
from hitl_site.lib.clock import database_now
from policies.models import LABEL_PATTERN
from policies.services import action_types
from policies.services.ledger import Actor
from reviews.choices import DecisionKind
from reviews.models import ReviewItem
from reviews.tests.browsing import browser_of, text_of, url
from reviews.tests.cast import Cast, decide_as, held, make_cast
from tests.hostile.payloads import PAYLOADS
from tests.windows import Window, chromium

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Elements that no page of ours holds where agents' texts stand, or at all.
FOREIGN = frozenset(
    {"img", "iframe", "object", "embed", "base", "video", "audio", "source", "style", "portal", "math"}
    | {"marquee", "animate", "frame", "frameset", "applet", "x"}
)
ADDRESSES = frozenset(
    {"href", "src", "action", "formaction", "hx-get", "hx-post", "data", "poster", "xlink:href"}
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    make_groups()
    return make_cast()


def everything(cast: Cast) -> ReviewItem:
    """Return an item with every payload in every field that has room for all of them."""
    turned = (*PAYLOADS[1:], PAYLOADS[0])
    calls = [
        {"id": f"c{number}", "function": {"name": text, "arguments": {text: text}}}
        for number, text in enumerate(PAYLOADS)
    ]
    results = [
        {"role": "tool", "tool_call_id": f"c{number}", "name": text, "content": text}
        for number, text in enumerate(PAYLOADS)
    ]
    return held(
        cast,
        arguments={
            "order": PAYLOADS[0],
            "amount": 1,
            **dict(zip(PAYLOADS, turned, strict=True)),
            "list": list(PAYLOADS),
        },
        reason="\n".join(PAYLOADS),
        samples=[{text: text} for text in PAYLOADS[:50]],
        judge={"name": "<b>judge</b>", "score": 0.5, "rationale": "\n".join(PAYLOADS)},
        context={
            "input": PAYLOADS[3],
            "messages": [
                *({"role": "user", "content": text} for text in PAYLOADS),
                {"role": "assistant", "tool_calls": calls},
                *results,
                *({"role": text, "content": text, text: text} for text in PAYLOADS),
            ],
            "steps": [{"tool": text, "title": text, "output": {text: text}} for text in PAYLOADS],
            "links": list(PAYLOADS),
            **{text: text for text in PAYLOADS},
        },
    )


def one_each(cast: Cast) -> list[ReviewItem]:
    """Return items that carry one payload each, in every short field."""
    action_types.change(
        action_type=cast.note, title_template="{text}", actor=Actor.person(cast.olga), now=database_now()
    )
    return [
        held(
            cast,
            action_type="note.add",
            confidence=0.1,
            arguments={"text": text},
            subject=text,
            conversation_id=text,
            idempotency_key=f"{number} {text}"[:255],
            agent_version=text[:120] if re.match(LABEL_PATTERN, text[:120]) and text.strip() else "1",
        )
        for number, text in enumerate(PAYLOADS)
    ]


def as_markdown(cast: Cast) -> ReviewItem:
    """Return an item whose schema says of every payload that it is Markdown."""
    texts = {f"p{number}": f"{text}\n\n# *So* [it is]({text})\n" for number, text in enumerate(PAYLOADS)}
    links = (
        "![chart](https://evil.example/p.png) [your bank](https://evil.example/) [now](javascript:alert(1))"
    )
    action_types.change(
        action_type=cast.note,
        argument_schema={
            "type": "object",
            "properties": {
                name: {"type": "string", "contentMediaType": "text/markdown"} for name in (*texts, "links")
            },
        },
        actor=Actor.person(cast.olga),
        now=database_now(),
    )
    return held(cast, action_type="note.add", confidence=0.1, arguments={**texts, "links": links})


class Markup(HTMLParser):
    """Collects what no template of ours writes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.foreign: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag in FOREIGN or (tag == "script" and not given.get("src", "").startswith("/static/")):
            self.foreign.append(self.get_starttag_text() or tag)
        for name, value in given.items():
            strange = name.startswith("on") or name in {
                "style",
                "srcdoc",
                "hx-on",
                "hx-vals:js",
                "http-equiv",
            }
            # A link in Markdown leads out when somebody follows it: its address stands behind its words.
            followed = tag == "a" and given.get("rel") == "noopener noreferrer nofollow"
            own = re.match(r"(https://|mailto:)" if followed else r"[/#?]|$", value)
            if strange or (name in ADDRESSES and not own):
                self.foreign.append(f"{tag} {name}={value}")


def foreign_in(page: str) -> list[str]:
    markup = Markup()
    markup.feed(page)
    return markup.foreign


def test_no_page_turns_a_text_of_an_agent_into_markup(cast: Cast) -> None:
    whole, each = everything(cast), one_each(cast)
    client = browser_of(cast.alice)
    # Some on the review page, which is slow to draw; all of them on the pages of lists and of actions.
    pages = [url("review", whole), url("review", whole) + "?steps=all", "/inbox/", "/inbox/?q=script"]
    pages += [url("review", item) for item in each[::15]]
    pages += [reverse("reviews:action", args=[item.action.public_id]) for item in (whole, *each)]
    assert {path: found for path in pages if (found := foreign_in(_read(client, path)))} == {}


def _read(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return text_of(answer)


def test_in_a_browser_nothing_runs_nothing_asks_and_nothing_leaves(
    browser: Browser, live_server: LiveServer, cast: Cast
) -> None:
    decided, whole = everything(cast), everything(cast)
    each = one_each(cast)
    decide_as(cast.alice, decided, DecisionKind.REJECT, reasons=("other",), note="\n".join(PAYLOADS))
    label()
    case = LabelledCase.objects.get()
    window = Window(browser, live_server.url, cast.alice)

    page = window.open(url("review", whole))
    page.locator(".allsteps summary").click()
    page.locator("#all-steps li").nth(100).wait_for()
    page.locator('[data-tab="json"]').click()
    page.locator("#json").wait_for()
    page.locator('[data-tab="form"]').click()
    page.locator(".cmp-r").nth(50).wait_for()
    shown = page.locator(".cmp-r .val").all_inner_texts()
    assert any("U+202E" in text for text in shown)
    assert any("U+E0041" in text for text in shown)
    assert any(text.startswith("x" * 180 + "END") for text in shown)
    assert not any("\u202e" in text or "\u200b" in text for text in shown)

    paths = ["/inbox/", "/history/", url("review", decided)]
    paths += [reverse("reviews:action", args=[item.action.public_id]) for item in (decided, each[0])]
    for path in paths:
        window.open(path)
        _did_nothing(window, path)
    window.context.close()

    # Cases and the record are for others to read.
    for person, path in (
        ("lead", reverse("datasets:case", args=[case.public_id])),
        ("auditor", reverse("policies:ledger")),
    ):
        viewer = _member(person)
        other = Window(browser, live_server.url, viewer)
        other.open(path)
        assert other.page.locator("h1").count() == 1, path
        _did_nothing(other, path)
        other.context.close()


def test_markdown_is_drawn_and_nothing_in_it_runs_loads_or_passes_for_ours(
    browser: Browser, live_server: LiveServer, cast: Cast
) -> None:
    item = as_markdown(cast)
    assert foreign_in(_read(browser_of(cast.alice), url("review", item))) == []
    window = Window(browser, live_server.url, cast.alice)
    page = window.open(url("review", item))
    drawn = page.locator('[data-pointer="/links"] .md')
    expect(drawn).to_have_text(
        "image: https://evil.example/p.png (chart) your bank (https://evil.example/)"
        " [now](javascript:alert(1))"
    )
    assert page.locator(".md").count() == len(PAYLOADS) + 1
    assert page.locator(".md :is(h1, h2, h3, img, [class], [id], [style])").count() == 0
    # What is written stands by: a reference that is never used shows in no rendering.
    page.locator('[data-pointer="/links"] summary').click()
    expect(page.locator('[data-pointer="/links"] .old')).to_contain_text("[your bank](https://evil.example/)")
    _did_nothing(window, url("review", item))
    window.context.close()


def _member(group: str) -> Any:
    from django.contrib.auth.models import Group, User

    person = User.objects.create_user(group)
    person.groups.set(Group.objects.filter(name=group))
    return person


def _did_nothing(window: Window, path: str) -> None:
    assert window.page.evaluate("window.pwned") is None, path
    assert (window.problems, window.dialogs, window.strays) == ([], [], []), path
    assert window.page.url == window.site + path

"""HTML as a browser without scripts takes it: the forms of a page, what pressing a button sends. Pure.

Reads with the standard library. Besides forms it notes what our pages never hold (inline scripts and styles,
event handlers): if text of an agent ever became markup, a replay of hostile recordings finds it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

_BUTTONS: Final = frozenset({"submit", "button", "reset", "image"})
_ONE_LINE: Final = re.compile(r"[\r\n]")
_NEW_LINE: Final = re.compile(r"\r\n|\r|\n")


class NoSuchControl(LookupError):
    """The page does not have what was looked for."""


@dataclass(slots=True)
class Control:
    """One control of a form. ``options`` are a select's values; the chosen one is ``value``."""

    name: str
    kind: str
    value: str = ""
    checked: bool = False
    disabled: bool = False
    options: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Form:
    """One form: where it goes, and its controls in the order of the page."""

    id: str
    action: str
    method: str
    controls: list[Control] = field(default_factory=list)

    def button(self, name: str, value: str) -> Control:
        """Return the button of this name and value, or raise ``NoSuchControl``."""
        for control in self.controls:
            if control.kind == "submit" and (control.name, control.value) == (name, value):
                return control
        raise NoSuchControl(f"no button {name}={value} in the form {self.id or self.action}")

    def fill(self, name: str, text: str) -> None:
        """Type into the one text control of this name."""
        found = [each for each in self.controls if each.name == name and each.kind in ("text", "textarea")]
        if len(found) != 1:
            raise NoSuchControl(f"{len(found)} places to type {name} in the form {self.id or self.action}")
        found[0].value = text

    def tick(self, name: str, value: str) -> None:
        """Tick the box, or choose the radio button, of this name and value."""
        for control in self.controls:
            is_box = control.name == name and control.kind in ("checkbox", "radio")
            if is_box and control.value == value:
                control.checked = True
                break
        else:
            raise NoSuchControl(f"no box {name}={value} in the form {self.id or self.action}")

    def values(self, name: str) -> list[str]:
        """Return the values of all controls of this name."""
        return [control.value for control in self.controls if control.name == name]

    def sent(self, pressed: Control | None = None) -> list[tuple[str, str]]:
        """Return what the browser sends when ``pressed`` is pressed, in the order of the page."""
        fields: list[tuple[str, str]] = []
        for control in self.controls:
            if not control.name or control.disabled:
                continue
            if control.kind == "submit":
                if control is pressed:
                    fields.append((control.name, control.value))
            elif control.kind in ("checkbox", "radio"):
                if control.checked:
                    fields.append((control.name, control.value))
            else:
                fields.append((control.name, _as_sent(control)))
        return fields


@dataclass(slots=True)
class Page:
    """One page: its forms, its links by their ids, and what does not belong on a page of ours."""

    forms: list[Form] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    intruders: list[str] = field(default_factory=list)

    def form(self, *, id: str = "", action: str = "") -> Form:
        """Return the one form of this id, or of this address; raise ``NoSuchControl`` where there is none."""
        for form in self.forms:
            if (id and form.id == id) or (action and form.action == action):
                return form
        raise NoSuchControl(f"no form {id or action} on the page")


def read(html: str) -> Page:
    """Return the page that the text spells out."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.page


def _as_sent(control: Control) -> str:
    """Return a value as browsers send it: inputs give one line, text areas CR LF (HTML, form submission)."""
    if control.kind == "textarea":
        return _NEW_LINE.sub("\r\n", control.value)
    return control.value if control.kind == "select" else _ONE_LINE.sub("", control.value)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self._open: Form | None = None
        self._area: Control | None = None
        self._select: Control | None = None
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._look_for_intruders(tag, given)
        if tag == "form":
            self._open = Form(
                given.get("id", ""), given.get("action", ""), given.get("method", "get").lower()
            )
            self.page.forms.append(self._open)
        elif tag == "a" and "href" in given:
            self.page.links.setdefault(given.get("id", ""), given["href"])
        elif tag == "input":
            kind = given.get("type", "text").lower()
            if kind in ("checkbox", "radio"):
                self._add(
                    given, Control(given.get("name", ""), kind, given.get("value", "on"), "checked" in given)
                )
            elif kind in _BUTTONS:
                self._add(given, Control(given.get("name", ""), "submit", given.get("value", "")))
            else:
                self._add(
                    given,
                    Control(
                        given.get("name", ""),
                        "hidden" if kind == "hidden" else "text",
                        given.get("value", ""),
                    ),
                )
        elif tag == "button" and given.get("type", "submit").lower() == "submit":
            self._add(given, Control(given.get("name", ""), "submit", given.get("value", "")))
        elif tag == "textarea":
            self._area = Control(given.get("name", ""), "textarea")
            self._add(given, self._area)
        elif tag == "select":
            self._select = Control(given.get("name", ""), "select")
            self._add(given, self._select)
        elif tag == "option" and self._select is not None:
            if "selected" in given or not self._select.options:
                self._select.value = given.get("value", "")
            self._select.options.append(given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "textarea" and self._area is not None:
            # The first line feed of a text area is the markup's, not the text's.
            self._area.value = self._area.value.removeprefix("\r\n" if self._area.value[:1] == "\r" else "\n")
            self._area = None
        elif tag == "select":
            self._select = None
        elif tag == "script":
            self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._area.value += data
        elif self._in_script and data.strip():
            self.page.intruders.append(f"an inline script: {data.strip()[:60]}")

    def _add(self, given: dict[str, str], control: Control) -> None:
        control.disabled = "disabled" in given
        form = self._open
        if "form" in given:
            form = next((each for each in self.page.forms if each.id == given["form"]), None)
        if form is not None:
            form.controls.append(control)

    def _look_for_intruders(self, tag: str, given: dict[str, str]) -> None:
        if self._area is not None:
            self.page.intruders.append(f"<{tag}> inside a text area")
        if tag == "style" or "style" in given:
            self.page.intruders.append(f"a style on <{tag}>")
        self.page.intruders.extend(f"{name} on <{tag}>" for name in given if name.startswith("on"))
        if given.get("href", "").strip().lower().startswith("javascript:"):
            self.page.intruders.append("a javascript: address")
        self._in_script = (
            tag == "script" and "src" not in given and given.get("type", "") != "application/json"
        )

"""Template tags and filters of the console. They know nothing of the apps.

Everything here that returns markup builds it with ``format_html``: what comes from an agent is always an
argument, never part of the format.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache

import lucide as lucide_icons
from django import template
from django.http import HttpRequest
from django.template import Context
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from hitl_site.lib import chart_drawing, visible_text, wording
from hitl_site.lib.charts import Plot
from hitl_site.lib.navigation import MOST_COUNTED

register = template.Library()

_TIME_FORMATS = {"datetime": "j M Y, H:i", "date": "j M Y", "time": "H:i:s", "short": "j M, H:i"}
# DIN 5008: "23. Nov. 2026, 14:10".
_GERMAN_TIME_FORMATS = {"datetime": "j. N Y, H:i", "date": "j. N Y", "time": "H:i:s", "short": "j. N, H:i"}
# Lucide renamed it; the old name is the one people look for.
ICON_ALIASES = {"circle-help": "circle-question-mark"}
_UNKNOWN_ICON = "circle-dot"
_WIDTHS = (chart_drawing.WIDE, chart_drawing.NARROW)
_CURSOR_PARAMETERS = ("after", "before", "page")


# --- pictures ---------------------------------------------------------------------------------------


@register.simple_tag
def icon(name: str, classes: str = "") -> SafeString:
    """Return a Lucide icon as inline SVG, hidden from screen readers: the words beside it say the same.

    A name that does not exist shows a dot: names also come from stored action types.
    """
    return _svg(str(name), f"i {classes}".strip())


@lru_cache(maxsize=512)
def _svg(name: str, classes: str) -> SafeString:
    wanted = ICON_ALIASES.get(name, name)
    try:
        svg = _drawing(wanted, classes)
    except lucide_icons.IconDoesNotExist:
        svg = _drawing(_UNKNOWN_ICON, classes)
    return mark_safe(svg)  # noqa: S308 - of the pinned package and literals of ours, never of data


def _drawing(name: str, classes: str) -> str:
    attributes = {"class": classes, "aria-hidden": "true", "focusable": "false"}
    return str(lucide_icons._render_icon(name, None, **attributes))


@register.inclusion_tag("components/_meter.html")
def meter(value: float | None, threshold: float | None = None, blind: bool = False) -> dict[str, object]:
    """Draw the small bar of a list row: the calibrated chance, and a tick where the threshold is."""
    return {
        "value": value,
        "threshold": threshold,
        "blind": blind,
        "below": value is not None and threshold is not None and value < threshold,
        "fill_x": None if value is None else _coordinate(4 + 92 * value),
        "tick_x": None if threshold is None else _coordinate(4 + 92 * threshold),
    }


@register.inclusion_tag("components/_big_meter.html")
def big_meter(value: float | None, threshold: float | None = None, note: str = "") -> dict[str, object]:
    """Draw the bar of the "Why it is held" card. ``note`` stands under it (the raw score)."""
    label_x = 0.0 if threshold is None else min(max(340 * threshold, 14), 326)
    return {
        "value": value,
        "threshold": threshold,
        "note": note,
        "below": value is not None and threshold is not None and value < threshold,
        "width": None if value is None else _coordinate(339 * value),
        "tick_x": None if threshold is None else _coordinate(340 * threshold),
        "label_x": _coordinate(label_x),
    }


@register.inclusion_tag("components/_plot.html")
def plot(chart: Plot, items_url: str = "", query: str = "") -> dict[str, object]:
    """Draw a chart with its legend, its read-out and its numbers as a table; the page loads charts.css.

    With ``items_url`` each number of the table leads to what is behind it, where the chart says how to ask;
    ``query`` narrows that.
    """
    table = chart.table
    rows: list[tuple[str, ...]] = list(table.rows)
    if items_url and table.asks:
        rows = [
            tuple(to_items(cell, items_url, query, asks) if cell else cell for cell in row)
            for row, asks in zip(table.rows, table.asks, strict=True)
        ]
    wide, narrow = (mark_safe(chart_drawing.draw(chart, width=each)) for each in _WIDTHS)  # noqa: S308 - escaped words and numbers alone
    return {"chart": chart, "table": table, "rows": rows, "wide": wide, "narrow": narrow}


@register.simple_tag
def sparkline(values: Sequence[float | None], title: str) -> SafeString:
    """Draw a small curve that ``title`` says in words."""
    return mark_safe(chart_drawing.sparkline(values, title=title))  # noqa: S308 - escaped words and numbers alone


def _coordinate(value: float) -> str:
    # Not through Django's localization: an SVG attribute never has a decimal comma.
    return f"{value:.1f}"


@register.inclusion_tag("components/_avatar.html")
def avatar(name: str, label: str = "", away: bool = False) -> dict[str, object]:
    """Draw a person's initials. The tone follows from the name, so it is the same on every page."""
    return {
        "name": name,
        "label": label or name,
        "letters": wording.initials(name),
        "tone": sum(map(ord, name)) % 3 + 1,
        "away": away,
    }


# --- numbers ----------------------------------------------------------------------------------------


@register.filter
def percent(value: float | Decimal | None, digits: int = 0) -> str:
    """0.71 is "71%"."""
    return wording.percent(value, digits)


@register.filter
def number(value: float | Decimal | None, digits: int | None = None) -> str:
    """1840 is "1,840"."""
    return wording.number(value, digits)


@register.filter
def compact_json(value: dict[str, str]) -> str:
    """Return JSON for a data attribute; the template escapes it."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


@register.filter
def counted(value: int) -> str:
    """24 is "24"; what was counted up to the most that is counted is "500+"."""
    return f"{MOST_COUNTED}+" if value > MOST_COUNTED else wording.number(value)


@register.filter
def money(value: float | Decimal | str | None, currency: str = "EUR") -> str:
    """184 is "€184.00"."""
    return wording.money(value, currency)


@register.filter
def duration(value: float | dt.timedelta | None) -> str:
    """4200 seconds, or as much of a timedelta, is "1 h 10 min"."""
    if value is None:
        return wording.MISSING
    return wording.duration(value.total_seconds() if isinstance(value, dt.timedelta) else value)


@register.filter
def initials(name: str) -> str:
    """ "Jonas Trautner" is "JT"."""
    return wording.initials(name)


@register.filter
def pretty_json(value: object) -> str:
    """Return a document as indented JSON, as text: autoescaped, or passed on to ``visible``."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


@register.filter
def plain(value: object) -> str:
    """Return a value as people read it: a text as it is, nothing as a dash, anything else as JSON."""
    if value is None:
        return wording.MISSING
    return value if isinstance(value, str) else pretty_json(value)


@register.filter
def member(values: Mapping[str, str], name: str) -> str:
    """Return what a mapping holds under a name, "" where it holds nothing."""
    return values.get(name, "")


# --- time -------------------------------------------------------------------------------------------


@register.simple_tag
def local_time(moment: dt.datetime | None, style: str = "datetime") -> SafeString | str:
    """Return a moment in the viewer's zone, with UTC on hover. Styles: datetime, date, time, short."""
    if moment is None:
        return wording.MISSING
    utc = moment.astimezone(dt.UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC" class="num">{}</time>',
        _iso(utc),
        utc.strftime("%Y-%m-%d %H:%M:%S"),
        date_format(timezone.localtime(moment), _formats()[style]),
    )


def _formats() -> dict[str, str]:
    return _GERMAN_TIME_FORMATS if get_language() == "de" else _TIME_FORMATS


@register.filter
def day(moment: dt.date, style: str = "short") -> str:
    """Return a date, or the day of a moment as it is given, in the words of the language: "23 Nov".

    Styles: short, date.
    """
    wanted = _formats()["date"]
    return date_format(moment, wanted if style == "date" else wanted.removesuffix(" Y"))


@register.simple_tag
def time_units() -> str:
    """Return the units of time for static/js/time.js, in its order."""
    return " ".join(wording.units())


@register.simple_tag
def late_words() -> str:
    """Return what that script says of a deadline that is over, with "{}" for how long."""
    return wording.late("{}")


@register.simple_tag
def server_time() -> str:
    """Return the server's clock for the countdowns (static/js/time.js)."""
    return _iso(timezone.now())


@register.simple_tag
def to_items(words: str, items_url: str, *asked: str, days: int | None = None) -> SafeString | str:
    """Return a number as a link to the items behind it; the words alone where nothing leads on."""
    if not items_url:
        return words
    parts = (f"days={days}" if days else "", *asked)
    return format_html('<a href="{}?{}">{}</a>', items_url, "&".join(filter(None, parts)), words)


@register.filter
def iso(moment: dt.datetime | None) -> str:
    """Return a moment as the ``datetime`` attribute of ``<time>``, in UTC with milliseconds."""
    return "" if moment is None else _iso(moment)


def _iso(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@register.filter
def due(due_at: dt.datetime, opened_at: dt.datetime | None = None) -> wording.DueTime:
    """Return text and state of a deadline, for a template that draws it itself."""
    return wording.due_time(due_at=due_at, opened_at=opened_at, now=timezone.now())


@register.inclusion_tag("components/_due.html")
def due_in(
    due_at: dt.datetime | None, opened_at: dt.datetime | None = None, prefix: str = "", chip: bool = False
) -> dict[str, object]:
    """Draw a deadline that counts down. ``prefix`` and ``chip`` are for the bar of the review page."""
    shown = None if due_at is None else due(due_at, opened_at)
    return {"due": shown, "opened_at": opened_at, "prefix": prefix, "chip": chip}


# --- text of others ---------------------------------------------------------------------------------


@register.filter
def visible(text: object) -> SafeString:
    """Return text of an agent, escaped, with each hidden character shown as a chip that names it.

    This is the one way for hostile text into a page besides plain autoescaping.
    """
    return format_html_join("", "{}", ((_piece(piece),) for piece in visible_text.segments(str(text))))


def _piece(piece: visible_text.Piece) -> SafeString:
    if not piece.hidden:
        return format_html("{}", piece.text)
    code = piece.label.partition(" ")[0]
    times = f" ×{len(piece.text)}" if len(piece.text) > 1 else ""
    return format_html('<span class="hid" title="{}">{}{}</span>', piece.label, code, times)


# --- addresses --------------------------------------------------------------------------------------


@register.simple_tag(takes_context=True)
def filter_url(context: Context, **changes: object) -> str:
    """Return the query of this page with some filters changed, and back on the first page.

    ``None`` or "" takes a filter out. The answer is "?" when no filter is left: a link to "" would keep them.
    """
    request: HttpRequest = context["request"]
    query = request.GET.copy()
    for name in _CURSOR_PARAMETERS:
        query.pop(name, None)
    for name, value in changes.items():
        if value is None or value == "":
            query.pop(name, None)
        else:
            query[name] = str(value)
    return "?" + query.urlencode()


@register.simple_tag(takes_context=True)
def page_url(context: Context, name: str, value: object) -> str:
    """Return the query of this page with its cursor replaced: filters stay."""
    request: HttpRequest = context["request"]
    query = request.GET.copy()
    for parameter in _CURSOR_PARAMETERS:
        query.pop(parameter, None)
    query[name] = str(value)
    return "?" + query.urlencode()

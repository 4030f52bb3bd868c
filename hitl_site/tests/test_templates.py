"""Lints over templates, styles and scripts: what the security policy would break, and the house rules."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import lucide as lucide_icons
import pytest
from django.conf import settings
from django.template.loader import get_template

from hitl_site.templatetags import handrail

ROOT = Path(settings.BASE_DIR)
APPS = ("hitl_site", "policies", "reviews", "datasets")

TEMPLATES = sorted(
    path
    for folder in (ROOT / "templates", *(ROOT / app / "templates" for app in APPS))
    for path in folder.rglob("*")
    if path.suffix in {".html", ".txt", ".svg"}
)
PAGES = [path for path in TEMPLATES if path.suffix == ".html"]
STYLES = sorted((ROOT / "static" / "css").glob("*.css"))
SCRIPTS = sorted((ROOT / "static" / "js").glob("*.js"))

_COMMENT = re.compile(r"\{#.*?#\}|\{% comment %\}.*?\{% endcomment %\}|<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"<[a-zA-Z][^>]*>", re.DOTALL)
_COLOUR = re.compile(
    r"#[0-9a-fA-F]{3,8}\b|\b(?:rgba?|hsla?|oklch|oklab|lab|lch|hwb)\(|:\s*(?:white|black|red|green|blue)\b"
)

# What may not stand in a template, and why.
FORBIDDEN = {
    "a style attribute (style-src 'self')": re.compile(r"\sstyle\s*=", re.IGNORECASE),
    "an event attribute (script-src 'self')": re.compile(r"\son[a-z]+\s*=", re.IGNORECASE),
    "hx-on (needs eval)": re.compile(r"\bhx-on\b", re.IGNORECASE),
    "a script value in hx-vals or hx-headers (needs eval)": re.compile(
        r"""["']\s*(?:js|javascript):""", re.IGNORECASE
    ),
    "a filter in hx-trigger (needs eval)": re.compile(r"""\bhx-trigger\s*=\s*["'][^"']*\[""", re.IGNORECASE),
    "an inline script": re.compile(r"<script(?![^>]*\bsrc=)[^>]*>", re.IGNORECASE),
    "an inline style sheet": re.compile(r"<style\b", re.IGNORECASE),
    "|safe": re.compile(r"\|\s*safe(?:seq)?\b"),
    "autoescape off": re.compile(r"\{%\s*autoescape\s+off"),
    "an attribute of htmx 2": re.compile(r"\bhx-(?:ext|disabled-elt|ws|sse)\s*="),
}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _markup(path: Path) -> str:
    """Return the template without its comments, which may speak of what is forbidden."""
    return _COMMENT.sub("", path.read_text(encoding="utf-8"))


def _tags(path: Path) -> Iterator[str]:
    # Template tags inside of an HTML tag may hold ">" in a comparison.
    for match in _TAG.finditer(re.sub(r"\{%.*?%\}", " ", _markup(path), flags=re.DOTALL)):
        yield match[0]


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_a_template_compiles(path: Path) -> None:
    folder = next(parent for parent in path.parents if parent.name == "templates")
    assert get_template(str(path.relative_to(folder)))


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_a_template_holds_nothing_that_the_policy_forbids(path: Path) -> None:
    markup = _markup(path)
    assert [reason for reason, pattern in FORBIDDEN.items() if pattern.search(markup)] == []


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_every_htmx_request_names_its_target(path: Path) -> None:
    requests = re.compile(r"\bhx-(?:get|post|put|patch|delete)\s*=")
    assert [tag for tag in _tags(path) if requests.search(tag) and "hx-target" not in tag] == []


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_a_template_has_no_colour_of_its_own(path: Path) -> None:
    attributes = re.compile(
        r"""\b(?:fill|stroke|color|bgcolor|stop-color)\s*=\s*["'](?!none|currentColor)[^"']"""
    )
    assert [tag for tag in _tags(path) if attributes.search(tag)] == []


@pytest.mark.parametrize("path", [path for path in PAGES if path.name.startswith("_")], ids=_name)
def test_a_fragment_begins_by_naming_its_inputs(path: Path) -> None:
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    assert re.match(r"\{# .+? #\}", first), f"{_name(path)} begins with {first[:60]!r}"


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_an_icon_named_in_a_template_exists(path: Path) -> None:
    names = re.findall(r"""\{%\s*icon\s+["']([^"']+)["']""", _markup(path))
    missing = []
    for name in names:
        try:
            lucide_icons._load_icon(handrail.ICON_ALIASES.get(name, name))
        except lucide_icons.IconDoesNotExist:
            missing.append(name)
    assert missing == []


@pytest.mark.parametrize("path", [path for path in STYLES if path.name != "tokens.css"], ids=_name)
def test_colours_are_written_down_in_the_tokens_alone(path: Path) -> None:
    css = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert _COLOUR.findall(css) == []


@pytest.mark.parametrize("path", STYLES, ids=_name)
def test_a_style_sheet_uses_only_tokens_that_exist(path: Path) -> None:
    known = set(
        re.findall(r"(--[a-z0-9-]+)\s*:", (ROOT / "static/css/tokens.css").read_text(encoding="utf-8"))
    )
    used = set(re.findall(r"var\((--[a-z0-9-]+)", path.read_text(encoding="utf-8")))
    assert used - known == set()


@pytest.mark.parametrize("path", SCRIPTS, ids=_name)
def test_a_script_never_turns_text_into_markup_or_code(path: Path) -> None:
    code = re.sub(r"^\s*//.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    sinks = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|parseHTMLUnsafe|setHTML"
        r"|eval\(|new Function|\.style"
    )
    assert re.findall(sinks, code) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=_name)
def test_a_script_begins_by_saying_what_it_is_for(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("// ")


def test_python_marks_no_text_as_safe_but_icons_and_what_nh3_has_cleaned() -> None:
    sources = [path for app in APPS for path in (ROOT / app).rglob("*.py") if "tests" not in path.parts]
    marking = {
        _name(path)
        for path in sources
        if re.search(r"\bmark_safe\(|\bSafeString\(", path.read_text(encoding="utf-8"))
    }
    assert marking <= {"hitl_site/templatetags/handrail.py", "hitl_site/lib/safe_markdown.py"}


def _gzipped(paths: list[Path]) -> int:
    return sum(len(gzip.compress(path.read_bytes())) for path in paths)


def _used(page: str) -> list[Path]:
    """Return the style sheets of the inbox or of the review page."""
    shared = {"tokens.css", "base.css", "controls.css", "shell.css", "inbox.css"}
    return [path for path in STYLES if path.name in shared | {page}]


@pytest.mark.parametrize("page", ["pages.css", "review.css"])
def test_the_styles_of_a_page_stay_small(page: str) -> None:
    assert _gzipped(_used(page)) <= 14_000


def test_the_scripts_of_a_page_stay_small() -> None:
    htmx = Path(str(pytest.importorskip("django_htmx").__file__)).parent / "static" / "django_htmx"
    theirs = [htmx / "htmx-4.min.js"]
    # Of pages that do not load those of the review page.
    elsewhere = {"choosing.js", "inbox.js", "plot.js", "several.js", "what_if.js"}
    elsewhere |= {"palette.js", "sheet.js"}  # loaded when somebody presses Ctrl+K or ?
    ours = [path for path in SCRIPTS if path.name not in elsewhere]
    assert _gzipped(theirs + ours) <= 30_000

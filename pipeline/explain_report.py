"""An ``Explanation`` -> what people look at: the marked article with its reasons, in a terminal or as a page.

In: explanations. Out: lines on a rich ``Console`` (colours on a terminal, brackets elsewhere; 80 columns are enough),
or one page of HTML that holds everything it needs. Texts are shown as text whatever they hold.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from pipeline.explain_records import CompanyReason, Cue, DealReason, Explanation, LevelReason, PlaceReason, Scored
from pipeline.page import page, printable

Kind = Literal["company", "level", "place", "evidence"]
STYLES: dict[Kind, str] = {
    "company": "bold cyan",
    "level": "bold magenta",
    "place": "bold green",
    "evidence": "underline",
}
BRACKETS: dict[Kind, tuple[str, str]] = {"company": ("[", "]"), "level": ("{", "}"), "place": ("<", ">")}
_MANY_SURFACES = 3


@dataclass(frozen=True, slots=True)
class Mark:
    """A mention in a piece of text; ``about``: what it stands for, in a few words."""

    start: int
    end: int
    kind: Kind
    about: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the text, all of it inside the same marks. ``deals``: numbers of those that it is evidence of.

    ``opens``, ``closes``: deals whose evidence begins with it or ends with it.
    """

    text: str
    mark: Mark | None
    deals: tuple[int, ...]
    opens: tuple[int, ...]
    closes: tuple[int, ...]


def print_legend(console: Console) -> None:
    """What the colours, or the brackets, mean."""
    legend = Text()
    for kind in ("company", "level", "place"):
        legend.append_text(_marked(kind, kind, console)).append("  ")
    legend.append("«1 ").append("evidence of deal 1", "underline" if _in_colour(console) else "").append(" 1»")
    console.print(legend)


def print_explanation(explanation: Explanation, console: Console) -> None:
    """The marked text of one article, what was read out of it, and why."""
    document = explanation.document
    console.print()
    console.print(Rule(Text(printable(document.title or document.source_uri), "bold"), align="left", style="dim"))
    told = [document.source_uri, document.publisher, document.published_at and f"{document.published_at:%Y-%m-%d}"]
    facts = [printable(str(each)) for each in told if each]
    console.print(Text(" · ".join([*facts, f"relevance {explanation.relevance:.2f}"]), "dim"))
    console.print()
    console.print(_text(explanation, console))
    for heading, lines in (
        ("Companies", [_company_lines(each) for each in explanation.companies]),
        ("Levels", [_level_lines(each) for each in explanation.levels]),
        ("Places", [_place_lines(each) for each in explanation.places]),
        ("Deals", [_deal_lines(n, each, explanation) for n, each in enumerate(explanation.deals, 1)]),
        ("Nearly", list(_near_lines(explanation))),
    ):
        console.print()
        console.print(Text(heading, "bold"))
        if not lines:
            console.print(Padding(Text("none", "dim"), (0, 2)))
        for first, *rest in lines:
            console.print(Padding(first, (0, 0, 0, 2), expand=False))
            for line in rest:
                console.print(Padding(line, (0, 0, 0, 6), expand=False))


def as_html(explanations: Sequence[Explanation]) -> str:
    """All explanations as one page without scripts or anything to load."""
    articles = [
        {
            "explanation": each,
            "pieces": list(pieces(each)),
            "companies": [_plain(_company_lines(reason)) for reason in each.companies],
            "levels": [_plain(_level_lines(reason)) for reason in each.levels],
            "places": [_plain(_place_lines(reason)) for reason in each.places],
            "deals": [_plain(_deal_lines(n, reason, each)) for n, reason in enumerate(each.deals, 1)],
            "near": [_plain(lines) for lines in _near_lines(each)],
        }
        for each in explanations
    ]
    return page("explain.html", articles=articles, printable=printable)


def pieces(explanation: Explanation) -> Iterator[Piece]:
    """The text cut at the borders of marks and of evidence; joined, the pieces are the text, letter for letter."""
    text, marks = explanation.document.text, _marks(explanation)
    evidence = _evidence(explanation)
    cuts = {
        0,
        len(text),
        *(at for mark in marks for at in (mark.start, mark.end)),
        *(at for span in evidence for at in span),
    }
    borders = sorted(cuts)
    at = 0
    for start, end in itertools.pairwise(borders):
        while at < len(marks) and marks[at].end <= start:
            at += 1
        mark = marks[at] if at < len(marks) and marks[at].start <= start else None
        numbered = list(enumerate(evidence, 1))
        yield Piece(
            text[start:end],
            mark,
            tuple(n for n, span in numbered if span[0] <= start < span[1]),
            tuple(n for n, span in numbered if span[0] == start),
            tuple(n for n, span in numbered if span[1] == end),
        )


def _evidence(explanation: Explanation) -> list[tuple[int, int]]:
    return [(reason.deal.evidence_start, reason.deal.evidence_end) for reason in explanation.deals]


def _marks(explanation: Explanation) -> list[Mark]:
    """All mentions in text order, none overlapping: where two do, the one that begins first stays."""
    found = [
        Mark(*span, "company", f"{company.name} {company.confidence:.2f}")
        for company in explanation.companies
        for span in company.spans
    ]
    found += [
        Mark(
            level.mention.start, level.mention.end, "level", f"{_level_name(level)} {level.mention.company_name or ''}"
        )
        for level in explanation.levels
    ]
    found += [
        Mark(*span, "place", f"{place.mention.name} {place.mention.country_code or ''}")
        for place in explanation.places
        for span in place.spans
    ]
    kept: list[Mark] = []
    for mark in sorted(found, key=lambda m: (m.start, -m.end)):
        if not kept or mark.start >= kept[-1].end:
            kept.append(mark)
    return kept


def _text(explanation: Explanation, console: Console) -> Text:
    marked = Text()
    for piece in pieces(explanation):
        lines = "\n".join(printable(line) for line in piece.text.split("\n"))
        if piece.opens:
            marked.append(f"«{','.join(map(str, piece.opens))} ", "yellow")
        part = _marked(lines, piece.mark.kind, console) if piece.mark else Text(lines)
        if piece.deals and _in_colour(console):
            part.stylize(STYLES["evidence"])
        marked.append_text(part)
        if piece.closes:
            marked.append(f" {','.join(map(str, piece.closes))}»", "yellow")
    return marked


def _marked(text: str, kind: Kind, console: Console) -> Text:
    if _in_colour(console):
        return Text(text, STYLES[kind])
    return Text(f"{BRACKETS[kind][0]}{text}{BRACKETS[kind][1]}")


def _in_colour(console: Console) -> bool:
    return console.is_terminal and console.color_system is not None


def _company_lines(reason: CompanyReason) -> list[Text]:
    facts = [reason.company_id, *filter(None, (reason.kind, reason.hq_country, reason.ticker))]
    surfaces = [surface for surface in reason.surfaces if surface != reason.name][:_MANY_SURFACES]
    first = _line((reason.name, "bold cyan"), (f" ×{len(reason.spans)}" if len(reason.spans) > 1 else "", ""))
    first.append(printable("  " + " · ".join(facts)))
    first.append_text(_score(reason.confidence, reason.threshold))
    lines = [first]
    if surfaces:
        lines.append(_line(("also written ", "dim"), (", ".join(surfaces), "")))
    lines.append(_line((reason.link, "dim")))
    if reason.seen_by:
        lines.append(_line(("read as ", "dim"), (", ".join(reason.seen_by[:4]), "dim")))
    if reason.cues:
        lines.append(_cues(reason.cues))
    return lines


def _level_lines(reason: LevelReason) -> list[Text]:
    mention = reason.mention
    notes = [_level_name(reason), "stated" if mention.explicit else "implied by the wording"]
    notes += ["denied"] if mention.negated else []
    lines = [
        _line((mention.surface, "bold magenta"), (f"  {', '.join(notes)}  ", ""), (f"{mention.confidence:.2f}", "dim"))
    ]
    if reason.owners:
        told = [f"{name or 'nobody in particular'} {share:.2f}" for name, share in reason.owners]
        lines.append(_line(("whose: ", "dim"), (told[0], ""), ("".join(f", {each}" for each in told[1:]), "dim")))
    else:
        lines.append(_line(("whose: nobody's, the article names no company", "dim")))
    if reason.cues:
        lines.append(_cues(reason.cues))
    return lines


def _level_name(reason: LevelReason) -> str:
    low, high = reason.mention.level_min, reason.mention.level_max
    return f"level {low}{'' if low == high else f' to {high}'}{'+' if reason.mention.plus else ''}"


def _place_lines(reason: PlaceReason) -> list[Text]:
    mention = reason.mention
    within = [mention.kind, *filter(None, (mention.admin1, mention.country_code))]
    record = f"GeoNames {mention.geoname_id}" if mention.geoname_id else "in no gazetteer"
    first = _line((mention.name, "bold green"), (f" ×{len(reason.spans)}" if len(reason.spans) > 1 else "", ""))
    first.append(printable(f"  {' · '.join(within)} · {record}"))
    first.append(f"  {mention.confidence:.2f}", "dim")
    if reason.namesakes < 2:
        return [first]
    others = "; ".join(reason.others)
    return [first, _line((f"one of {reason.namesakes} places of that name; the largest others: {others}", "dim"))]


def _deal_lines(number: int, reason: DealReason, explanation: Explanation) -> list[Text]:
    deal, text = reason.deal, explanation.document.text
    first = _line((f"{number} ", "yellow"), (deal.deal_type, "bold yellow"), (f", {deal.status}", "bold"))
    first.append_text(_score(deal.confidence, reason.threshold))
    lines = [first, _line(("“" + deal.evidence + "”", "italic"))]
    lines.append(_row("status", [each for each in reason.statuses if each.taken], reason.statuses))
    for role in dict.fromkeys(party.role or "" for party in reason.parties if party.taken):
        lines.append(_row(role, [p for p in reason.parties if p.taken and p.role == role], ()))
    for note in dict.fromkeys(party.note for party in reason.parties if not party.taken):
        told = _listed([party for party in reason.parties if not party.taken and party.note == note])
        lines.append(_line((f"{'left out':<10}{told}, {note}", "dim")))
    if reason.places:
        lines.append(_row("place", [each for each in reason.places if each.taken], reason.places))
    if deal.level_min is not None:
        levels = f"{deal.level_min}" if deal.level_min == deal.level_max else f"{deal.level_min} to {deal.level_max}"
        lines.append(_line((f"{'level':<10}", "dim"), (levels, "")))
    for value in reason.values:
        use = value.use.replace("_", " ").removesuffix(" on") if value.use else "not used"
        lines.append(
            _line(
                (f"{use:<10}", "dim"), (f"{value.meaning}", "" if value.use else "dim"), (f"  “{value.surface}”", "dim")
            )
        )
    for start, end, probability in reason.also_told:
        lines.append(_line((f"also told, {probability:.2f}: “{text[start:end]}”", "dim")))
    return lines


def _row(label: str, taken: Sequence[Scored], scored: Sequence[Scored]) -> Text:
    others = [each for each in scored if not each.taken]
    note = f" ({others[0].note})" if others and others[0].note and not taken else ""
    line = _line((f"{label:<10}", "dim"), (_listed(taken) or "none", ""))
    if others:
        line.append(printable(f"  rather than {_listed(others)}{note}"), "dim")
    return line


def _listed(scored: Sequence[Scored]) -> str:
    return ", ".join(f"{each.name} {each.probability:.2f}" for each in scored)


def _near_lines(explanation: Explanation) -> Iterator[list[Text]]:
    for deal in explanation.near_deals:
        first = _line((deal.deal_type, "bold"), (f", {deal.status}: {', '.join(deal.parties)}", ""))
        first.append_text(_score(deal.probability, deal.threshold))
        told = [n for n, span in enumerate(_evidence(explanation), 1) if span == (deal.start, deal.end)]
        quote = "“" + explanation.document.text[deal.start : deal.end] + "”"
        yield [first, _line((f"in the evidence of deal {told[0]}" if told else quote, "italic dim"))]
    for company in explanation.near_companies:
        first = _line((f"company {company.name}", "bold"))
        first.append_text(_score(company.confidence, company.threshold))
        link = _line((company.link, "dim"))
        read = [_line((f"read as {', '.join(company.seen_by[:4])}", "dim"))] if company.seen_by else []
        yield [first, link, *read, *([_cues(company.cues)] if company.cues else [])]


def _score(value: float, threshold: float) -> Text:
    sign = "≥" if value >= threshold else "<"
    return Text(f"  {value:.2f} {sign} {threshold:.2f}", "dim" if value >= threshold else "yellow")


def _cues(cues: Sequence[Cue]) -> Text:
    return _line((", ".join(f"{name} {value:+.1f}" for name, value in cues), "dim"))


def _line(*parts: tuple[str, str]) -> Text:
    return Text.assemble(*((printable(text), style) for text, style in parts))


def _plain(lines: Sequence[Text]) -> list[str]:
    return [line.plain for line in lines]

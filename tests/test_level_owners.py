"""Whose system has a stated level: the nearest subject, a possessive, a pronoun that points back, or nobody."""

import re
import time

import pytest
import spacy

from pipeline.extract.level_owners import attribute_levels
from pipeline.extract.levels import find_levels
from pipeline.records import CompanyMention

NLP = spacy.blank("en")
NLP.add_pipe("sentencizer")
FIRMS = ("Rollo", "Bolder Motors", "Citybus", "Lumalens")


def mentions(text):
    out = []
    for name in FIRMS:
        start = text.find(name)
        while start >= 0:
            end = start + len(name)
            out.append(CompanyMention(start, end, name, name.lower(), name, None, None, None, True, 0, 0.9))
            start = text.find(name, end)
    return out


def owners(text):
    levels = attribute_levels(find_levels(text), mentions(text), NLP(text))
    return [m.company_name for m in levels if m.explicit]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Rollo's Level 4 shuttle carries guests in Bonn.", ["Rollo"]),
        ("Bolder Motors will buy Rollo's Level-4 software for its vans.", ["Rollo"]),
        ("Bolder Motors said it would sell a Level 3 car from 2027.", ["Bolder Motors"]),
        ("Rollo runs robotaxis in Bonn. Its Level 4 system needs no driver.", ["Rollo"]),
        ("Rollo runs robotaxis in Bonn. The company rates its system as Level 4.", ["Rollo"]),
        ("Bolder Motors describes its assistant as L2+, while Rollo claims Level 4.", ["Bolder Motors", "Rollo"]),
        ("Citybus ordered 40 vans. They carry a Level 4 driving system by Rollo.", ["Rollo"]),
        ("Rollo says its car is not a Level 3 system.", ["Rollo"]),
    ],
)
def test_whose_level(text, names):
    assert owners(text) == names


@pytest.mark.parametrize(
    "text",
    [
        "Bolder Motors grew.\nThe ministry defines six levels. Level 4 means that no driver is needed.",
        "Rollo grew.\nAnalysts expect that Level 3 cars will stay rare until 2030.",
    ],
)
def test_a_general_remark_has_no_owner(text):
    assert owners(text) == [None]


def test_without_companies_nothing_is_attributed():
    assert owners("A Level 4 shuttle runs in Bonn.") == [None]


def test_levels_keep_their_order_and_everything_else():
    text = "Rollo sells Level 2 and Level 4 cars, and driverless vans."
    before = find_levels(text)
    after = attribute_levels(before, mentions(text), NLP(text))
    assert [(m.start, m.level_min, m.explicit) for m in after] == [(m.start, m.level_min, m.explicit) for m in before]


def test_a_long_list_of_firms_is_read_in_reasonable_time_and_each_level_keeps_its_firm():
    lines = [f"Firm{i} sells a Level {i % 4 + 1} self-driving van." for i in range(300)]
    text = "\n".join(lines)
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    firms = [
        CompanyMention(start, start + len(f"Firm{i}"), f"Firm{i}", f"f{i}", f"Firm{i}", None, None, None, False, i, 0.9)
        for i, start in enumerate(starts)
    ]
    begun = time.process_time()
    found = attribute_levels(find_levels(text), firms, NLP(text))
    assert time.process_time() - begun < 10.0
    assert [m.company_name for m in found if m.explicit] == [f"Firm{i}" for i in range(300)]

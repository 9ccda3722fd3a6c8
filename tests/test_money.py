"""Sums of money, and which of them is the amount of a deal."""

import csv
import math
import time
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extract.deal_amounts import deal_amount
from pipeline.extract.money import find_amounts


def sums(text):
    return [(a.surface, a.amount, a.currency) for a in find_amounts(text)]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("It raised $1.5 billion.", [("$1.5 billion", 1.5e9, "USD")]),
        ("A €300m plant.", [("€300m", 3e8, "EUR")]),
        ("It paid 2.1bn yuan.", [("2.1bn yuan", 2.1e9, "CNY")]),
        ("RMB 500 million were spent.", [("RMB 500 million", 5e8, "CNY")]),
        ("The plant costs 40 crore rupees.", [("40 crore rupees", 4e8, "INR")]),
        ("Rs 200 crore and Rs. 1,20,000", [("Rs 200 crore", 2e9, "INR"), ("Rs. 1,20,000", 120000, "INR")]),
        (
            "A$25m, C$80 million and HK$1.9 billion",
            [("A$25m", 25e6, "AUD"), ("C$80 million", 8e7, "CAD"), ("HK$1.9 billion", 1.9e9, "HKD")],
        ),
        (
            "US$120M or S$5.2 million or NT$3 billion",
            [("US$120M", 12e7, "USD"), ("S$5.2 million", 5.2e6, "SGD"), ("NT$3 billion", 3e9, "TWD")],
        ),
        (
            "CHF 20 million and 500 million dirhams",
            [("CHF 20 million", 2e7, "CHF"), ("500 million dirhams", 5e8, "AED")],
        ),
        ("An order of 1.5 trillion won.", [("1.5 trillion won", 1.5e12, "KRW")]),
        ("46 million euros", [("46 million euros", 46e6, "EUR")]),
        ("A 200 million-euro loan", [("200 million-euro", 2e8, "EUR")]),
        ("34 million EUR or EUR 34 million", [("34 million EUR", 34e6, "EUR"), ("EUR 34 million", 34e6, "EUR")]),
        ("275 mln dlrs in cash", [("275 mln dlrs", 275e6, "USD")]),
        ("It costs $850,000.", [("$850,000", 850000, "USD")]),
        ("a quarter of a billion dollars", [("a quarter of a billion dollars", 2.5e8, "USD")]),
        ("fourteen million euros", [("fourteen million euros", 14e6, "EUR")]),
        ("15 million Canadian dollars", [("15 million Canadian dollars", 15e6, "CAD")]),
        ("4.1 billion Swedish crowns", [("4.1 billion Swedish crowns", 4.1e9, "SEK")]),
        # a conversion in brackets is an amount of its own
        ("35 billion yen ($343 million)", [("35 billion yen", 3.5e10, "JPY"), ("$343 million", 3.43e8, "USD")]),
        # the scale of a range stands at its end
        ("$5-$7 million", [("$5", 5e6, "USD"), ("$7 million", 7e6, "USD")]),
        ("5 to 7 million euros", [("5", 5e6, "EUR"), ("7 million euros", 7e6, "EUR")]),
        ("$1.2 to $1.4 billion", [("$1.2", 1.2e9, "USD"), ("$1.4 billion", 1.4e9, "USD")]),
        ("It costs $12 a share.", [("$12", 12, "USD")]),
        # the second end of a range without its sign
        ("It takes $1.2 billion to 1.5 billion.", [("$1.2 billion", 1.2e9, "USD"), ("1.5 billion", 1.5e9, "USD")]),
        ("It takes $2 billion and 3 million hours.", [("$2 billion", 2e9, "USD")]),
        # thousands in points, as written on the continent; annual reports put the scale before the code
        ("It got €1.250.000 and MSEK 45.", [("€1.250.000", 1250000, "EUR"), ("MSEK 45", 45e6, "SEK")]),
        ("It raised two point five million dollars.", [("two point five million dollars", 2.5e6, "USD")]),
        ("A grant of one hundred and twenty million yen.", [("one hundred and twenty million yen", 12e7, "JPY")]),
        ("It raised 120 crore from two banks.", [("120 crore", 1.2e9, "INR")]),
    ],
)
def test_sums(text, rows):
    assert sums(text) == rows


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("Visitors got a $30 T-shirt.", 30),
        ("Visitors got a $30 T shirt, or two $25T-shirts.", 30),
        ("The $400 B-pillar trim", 400),
        ("It sells $3 b/w prints.", 3),
        ("The toy is a €5 M-class.", 5),
        ("The bank took a $25 M&A fee.", 25),
        ("The bank took a $25M&A fee.", 25),
        ("A $12 K\u2011pop ticket", 12),
        ("between $20 and 30 T-shirts", 20),
        # measures behind a scale
        ("A $5M-a-year contract", 5e6),
        ("A $5 M-a-year contract", 5e6),
        ("A $90m-plus round", 9e7),
        ("A $90 m-plus round", 9e7),
        ("A $90M-odd round", 9e7),
        ("The $1.5B-valued firm", 1.5e9),
        ("The $1.5 B-valued firm", 1.5e9),
        ("A $20K/vehicle kit", 2e4),
        ("A fee of $5 M/year", 5e6),
        ("A 200 M-euro loan", 2e8),
        ("Rollo raised $5 M - its first round.", 5e6),
        ("Rollo raised $5 M & more.", 5e6),
        ("A $2T market", 2e12),
        ("$5M-$7M", 5e6),
    ],
)
def test_a_letter_that_begins_a_word_is_no_scale(text, amount):
    assert find_amounts(text)[0].amount == amount


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("Copenhagen: the bus line costs 20 million kroner.", "DKK"),
        ("Oslo: the bus line costs 20 million kroner.", "NOK"),
        ("Stockholm: the bus line costs 20 million kronor.", "SEK"),
        ("Prague pays 20 million crowns for the tram.", "CZK"),
        ("Doha lends 20 million riyals.", "QAR"),
        ("Riyadh lends 20 million riyals.", "SAR"),
        ("The Tokyo firm lent ¥20 million.", "JPY"),
        ("The Shenzhen firm lent ¥20 million.", "CNY"),
        ("A Zurich fund gave 20 million francs.", "CHF"),
        ("The line in Manila costs 20 million pesos.", "PHP"),
    ],
)
def test_shared_names_are_settled_by_the_countries_the_text_names(text, currency):
    assert [a.currency for a in find_amounts(text)] == [currency]


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("Rollo of Toronto raised $12 million.", "USD"),
        ("Rollo raised $12 million Canadian.", "CAD"),
        ("Rollo raised $12 million. All figures are in Australian dollars.", "AUD"),
        ("Rollo prices Hong Kong offering at $12 million.", "USD"),
        ("The Ontario government will give Rollo $12 million.", "CAD"),
        ("The Canadian government approved the sale for $12 million.", "USD"),
    ],
)
def test_a_bare_dollar_is_american_unless_the_text_says_otherwise(text, currency):
    assert [a.currency for a in find_amounts(text)] == [currency]


def test_a_dollar_sum_that_is_converted_into_us_dollars_is_the_local_one():
    found = find_amounts("Perth-based Rollo pays $45 million (US$29 million).")
    assert [(a.amount, a.currency) for a in found] == [(45e6, "AUD"), (29e6, "USD")]


@pytest.mark.parametrize(
    "text",
    [
        "It sold 5 million cars.",
        "The 2021 saloon, the M5 and the Model 3 were shown.",
        "The team that 5 won is happy.",
        "A load of 5,000 pounds broke the axle.",
        "At COP 26 ministers spoke about buses.",
        "They marched 20 million times.",
        "Sales rose 12% in 40 countries.",
        "It took in 40 million.",
        "It has 3 crore riders.",
        "A billion-dollar bet.",
        "The RS 3, or Rs 3 in headlines, is a car.",
        "Several million dollars and a six-figure sum.",
    ],
)
def test_no_sum(text):
    assert sums(text) == []


@pytest.mark.parametrize(
    ("deal_type", "evidence", "surface"),
    [
        ("investment", "Rollo raised $40 million at a valuation of $1.2 billion.", "$40 million"),
        ("investment", "The round of $40 million values the start-up at $1.2 billion.", "$40 million"),
        ("investment", "Rollo, which had revenue of $90 million, raised $40 million.", "$40 million"),
        ("investment", "Rollo closed a $40 million round, bringing its total funding to $200 million.", "$40 million"),
        ("investment", "Rollo raised 40 million euros ($45 million).", "40 million euros"),
        ("investment", "Rollo sold shares at $12 a share and raised $40 million.", "$40 million"),
        ("investment", "Backers will put $500 million to $1 billion into Rollo.", "$1 billion"),
        ("acquisition", "Bolder Motors will buy Rollo for about $300 million.", "$300 million"),
        ("acquisition", "Bolder, with a market value of $9 billion, buys Rollo for $300 million.", "$300 million"),
        ("order", "Citybus ordered 60 shuttles worth 30 million euros.", "30 million euros"),
        ("order", "Citybus ordered 60 shuttles at $250,000 each.", None),
        ("expansion", "Bolder will spend 2 billion yuan on a plant.", "2 billion yuan"),
        ("investment", "Rollo is now valued at $1.2 billion, its backers said.", None),
        ("testing", "Bolder tests the van, which earned it $3 million.", None),
        ("partnership", "Bolder and Rollo will work together.", None),
        # asides about a party, and what was raised before
        ("acquisition", "Bolder, which lent Rollo $9 million in 2023, bought it for $300 million.", "$300 million"),
        ("acquisition", "Bolder, which manages $9 billion, bought Rollo.", None),
        ("investment", "A $9 billion unicorn, Bolder put $40 million into Rollo.", "$40 million"),
        ("investment", "Bolder put $5 million into the $40 million round of Rollo.", "$40 million"),
        ("investment", "Having raised $90 million to date, Rollo added $40 million.", "$40 million"),
        ("expansion", "Rollo, fresh from a $40 million round, opens an office.", None),
        ("acquisition", "The merger should bring Bolder synergies of $40 million.", None),
    ],
)  # fmt: skip
def test_the_amount_of_the_deal(deal_type, evidence, surface):
    text = f"Some words before. {evidence} Then $77 million went elsewhere."
    start = text.index(evidence)
    amount = deal_amount(text, find_amounts(text), deal_type, (start, start + len(evidence)))
    assert (amount.surface if amount else None) == surface


@pytest.mark.parametrize(
    ("deal_type", "sequel", "surface"),
    [
        ("investment", "The $40 million round was led by Bolder.", "$40 million"),
        ("order", "The contract is worth $40 million.", "$40 million"),
        ("acquisition", "The price: $40 million in cash.", "$40 million"),
        ("expansion", "It plans to invest $40 million there.", "$40 million"),
        ("order", "Its rival Petrel won a $40 million contract.", None),
        ("acquisition", "Rollo had sales of $40 million.", None),
        ("acquisition", "The deal values the firm at $40 million in all.", None),
        ("permit", "The permit costs $40 million.", None),
    ],
)
def test_the_sentence_after_the_evidence_may_state_the_amount(deal_type, sequel, surface):
    evidence = "Bolder and Rollo signed a contract on Monday."
    text = f"{evidence} {sequel}"
    amount = deal_amount(text, find_amounts(text), deal_type, (0, len(evidence)))
    assert (amount.surface if amount else None) == surface


def test_every_currency_row_is_an_iso_code_with_a_unique_default():
    rows = csv.DictReader(
        resources.files("corpora").joinpath("gazetteers/currencies.csv").read_text(encoding="utf-8").splitlines()
    )
    defaults = [row["text"] for row in rows if row["kind"] == "symbol" and not row["context"]]
    assert len(defaults) == len(set(defaults))


@pytest.mark.parametrize(
    "text",
    ["A fee of $1,23,45 fell due.", "It paid $12,50.75.", "1,23,45 euros", "$" + "9" * 400, "¥" + "9" * 300 + "tn"],
)
def test_figures_that_spell_no_number_are_no_sum(text):
    assert sums(text) == []


PIECES = st.sampled_from(
    [
        "$",
        "€",
        "5",
        "1.5",
        ",000",
        ",50",
        " million",
        "bn",
        " euros",
        " yen",
        "-",
        " to ",
        "US",
        "RMB ",
        "a ",
        "\n",
        " crore",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join))
def test_spans_stand_in_the_text(text):
    for amount in find_amounts(text):
        assert text[amount.start : amount.end] == amount.surface
        assert 0 <= amount.amount < math.inf
        assert len(amount.currency) == 3


@pytest.mark.parametrize("text", ["$1,000" * 4000, "1 000 " * 6000, "a quarter of " * 3000, "5 to " * 5000])
def test_time_grows_with_the_text_only(text):
    start = time.perf_counter()
    find_amounts(text)
    assert time.perf_counter() - start < 3.0

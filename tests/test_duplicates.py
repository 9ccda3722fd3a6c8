"""Near copies point to the first one, whatever else is around them."""

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipeline import settings as settings_module
from pipeline.duplicates import MAX_NAMES, CopyIndex, band_rows, names, shared_names, signature
from pipeline.records import Document

SETTINGS = settings_module.load()
NEAR = SETTINGS.near_duplicates
VOCABULARY = (
    "northgate motors said on tuesday that its robotaxi fleet would start work in the harbour district before winter "
    "while rival haulage groups asked the ministry for clearer rules on remote drivers and insurance of empty cabs"
)


def story(seed: int, words: int = 200) -> list[str]:
    """Words in an order that no other seed has."""
    return random.Random(seed).choices(VOCABULARY.split(), k=words)


def document(article_id: str, words: list[str]) -> Document:
    return Document(article_id, f"{article_id}.txt", " ".join(words))


def copies(*documents: Document) -> list[str | None]:
    index = CopyIndex(NEAR)
    return [index.add(each.article_id, signature(each.text, NEAR)) for each in documents]


def test_a_copy_with_another_first_and_last_line_points_to_the_first() -> None:
    wire = story(1)
    assert copies(
        document("a1", wire),
        document("a2", story(2)),
        document("a3", ["from", "our", "newsroom", *wire, "all", "rights", "reserved"]),
        document("a4", [*wire, "subscribe"]),
    ) == [None, None, "a1", "a1"]


def test_half_of_the_text_is_no_copy() -> None:
    wire = story(1)
    assert copies(document("a1", wire), document("a2", wire[:100] + story(3)[:100])) == [None, None]


def test_case_and_punctuation_do_not_count() -> None:
    wire = story(1)
    upper = Document("a2", "a2.txt", ", ".join(word.upper() for word in wire) + ".")
    assert copies(document("a1", wire), upper) == [None, "a1"]


def test_a_copy_of_a_copy_points_to_the_original_it_resembles() -> None:
    """Chains of small changes: each either resembles an original, or is one."""
    wire = story(1)
    found = copies(*[document(f"a{step}", wire[: 200 - 20 * step] + story(9)[: 20 * step]) for step in range(8)])
    assert found[0] is None
    originals = {None} | {f"a{step}" for step, original in enumerate(found) if original is None}
    assert set(found) <= originals


def test_short_headlines_that_differ_by_a_number_are_two() -> None:
    assert copies(
        Document("a1", "a1.txt", "Northgate February sales up 12 percent on fleet orders"),
        Document("a2", "a2.txt", "Northgate February sales up 18 percent on fleet orders"),
    ) == [None, None]


REPORT = (
    "Hanbit Motors delivered {0} cars in {1}, {2} percent more than a year before, it said on Tuesday. Exports to {3} "
    "rose most. The carmaker, which builds its electric models in {4}, keeps its forecast for the year. Chief "
    "executive {5} spoke of a good start and of hard months to come. Analysts had expected a little less, and the "
    "shares rose."
)


def test_the_same_words_about_other_names_and_numbers_are_no_copy() -> None:
    january = REPORT.format("41,200", "January", "4.1", "Brazil", "Ulsan", "Park Min-seo")
    april = REPORT.format("38,950", "April", "7.7", "Poland", "Gwangju", "Lee Dong-wook").replace("Hanbit", "Saebyeok")
    edited = january.replace("it said on Tuesday", "it announced").replace("percent", "pct") + " (Agencies)"
    assert copies(*[Document(f"a{n}", "", text) for n, text in enumerate([january, april, edited])]) == [
        None,
        None,
        "a0",
    ]


BRIEF = (
    "{0} starts Level 4 tests in {1}\n{0} said it has started testing Level 4 vehicles in {1} with {2}. The company "
    "raised ${3} million in {4}. It plans to open an office in {5} in 2026, where {6} vehicles will carry passengers. "
    "Safety drivers stay on board until the authority has seen the results."
)
FIRST = ("Waymo", "Austin", "Nuro", 35, "May", "Leeds", 28)


@pytest.mark.parametrize(
    ("slots", "is_copy"),
    [
        (("Aurora", "Abu Dhabi", "Einride", 20, "March", "Dallas", 13), False),
        (("Aurora", "Austin", "Einride", 20, "May", "Leeds", 13), False),  # the towns and the month agree
        (("Aurora", "Austin", "Nuro", 20, "May", "Leeds", 13), False),  # all names but one firm's agree
        (("Waymo", "Austin", "Nuro", 20, "March", "Dallas", 13), False),  # another item on the same two firms
        (("Waymo", "Austin", "Nuro", 40, "May", "Leeds", 28), True),  # one figure is brought up to date
    ],
)
def test_items_on_one_template_are_copies_only_where_nearly_all_slots_agree(
    slots: tuple[object, ...], is_copy: bool
) -> None:
    found = copies(Document("a1", "", BRIEF.format(*FIRST)), Document("a2", "", BRIEF.format(*slots)))
    assert found[1] == ("a1" if is_copy else None)


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.partition("\n")[2],  # the headline cut
        lambda text: "Driverless Vans Come To Austin\n" + text.partition("\n")[2],
        lambda text: text.replace("\n", "\nLEEDS, Oct 3 (Harbour Wire) - "),
        lambda text: text + " Shares of Northgate were little changed.",
        lambda text: text.rpartition(". ")[0] + ".",
        lambda text: text.replace("35", "36"),
    ],
)
def test_an_edited_copy_of_a_short_item_stays_a_copy(edit: Callable[[str], str]) -> None:
    text = BRIEF.format(*FIRST)
    assert copies(Document("a1", "", text), Document("a2", "", edit(text))) == [None, "a1"]
    assert copies(Document("a1", "", edit(text)), Document("a2", "", text)) == [None, "a1"]


def test_headlines_of_one_template_that_differ_by_the_firm_are_two() -> None:
    lines = ["Waymo starts testing driverless cars in Austin", "Zoox starts testing driverless cars in Austin"]
    assert copies(*[Document(f"a{n}", "", line) for n, line in enumerate(lines)]) == [None, None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("On Monday the town of Leeds paid $1.5 million to Northgate.", {"leeds", "1.5", "northgate"}),
        ("It grew. Analysts had met Park in May, who may return.", {"park"}),  # the text has "may" in small letters
        ("Officials met. Officials of Ulsan left again", {"ulsan", "officials"}),  # repeated: may be a firm
        ("Kestrel tests vans in Oslo", {"kestrel", "oslo"}),  # first word of a short text
        ("Ministry Opens Depot In Leeds\nthe depot of Leeds is open", {"ministry", "leeds"}),  # capitals of title case
        ("KUALA LUMPUR, March 11 (Wire) - the firm Kereta hired 40", {"kereta", "40"}),  # the dateline is the desk's
        ("a fleet of 41,200 cars, Q3 in 2025", {"41,200", "q3", "2025"}),
        ("no names at all", set()),
        ("", set()),
    ],
)
def test_names_are_what_tells_stories_apart(text: str, expected: set[str]) -> None:
    assert names(text) == expected


def test_the_notice_of_a_publisher_is_no_copy_but_a_reprint_elsewhere_is() -> None:
    wire = story(1)
    index = CopyIndex(NEAR)
    changed = [*wire[:150], *story(2, 50)]
    assert index.add("a1", signature(" ".join(wire), NEAR), "The Kerb") is None
    assert index.add("a2", signature(" ".join(changed), NEAR), "The Kerb") is None
    assert index.add("a3", signature(" ".join([*wire[:155], *story(3, 45)]), NEAR), "Port Herald") == "a1"


def test_of_long_texts_samples_of_the_names_are_compared() -> None:
    firms = [f"they met Firm{number}" for number in range(400)]
    left, right = (signature(" ".join(part), NEAR).names for part in (firms[:300], firms[100:]))
    assert len(left) == MAX_NAMES
    assert shared_names(left, right) == pytest.approx(200 / 300, abs=0.15)
    assert shared_names(left, left) == 1


def test_the_result_does_not_depend_on_where_signatures_are_computed() -> None:
    documents = [document(f"a{n}", [*story(n % 7), str(n)]) for n in range(30)]
    index = CopyIndex(NEAR)
    shuffled = sorted(documents, key=lambda each: each.article_id[::-1])
    signed = {each.article_id: signature(each.text, NEAR) for each in shuffled}
    assert [index.add(each.article_id, signed[each.article_id]) for each in documents] == copies(*documents)


def test_an_original_seen_again_is_no_copy_of_itself() -> None:
    index = CopyIndex(NEAR)
    signed = signature(" ".join(story(1)), NEAR)
    assert index.add("a1", signed) is None
    assert index.add("a1", signed) is None
    assert index.add("a2", signed) == "a1"


def test_signatures_are_frozen() -> None:
    """They must equal those of earlier versions, or old and new articles cannot be compared."""
    assert signature("Northgate Motors opens a depot in Leeds", replace(NEAR, shingle_words=5)).shingles[
        :3
    ].tolist() == [
        1947953258,
        2436396623,
        3190639231,
    ]


@pytest.mark.parametrize("text", ["", "one", "one two three", "…"])
def test_texts_shorter_than_a_shingle_have_a_signature(text: str) -> None:
    assert signature(text, NEAR).shingles.shape == (NEAR.permutations,)


def test_the_signature_estimates_the_similarity() -> None:
    wire = story(1, 400)
    other = wire[:300] + story(5, 100)
    estimated = float(np.mean(signature(" ".join(wire), NEAR).shingles == signature(" ".join(other), NEAR).shingles))
    assert estimated == pytest.approx(296 / (396 + 396 - 296), abs=0.13)  # three standard deviations of 128


def test_bands_find_pairs_at_the_threshold() -> None:
    rows = band_rows(128, NEAR.threshold)
    assert (1 - NEAR.threshold**rows) ** (128 // rows) <= 0.02

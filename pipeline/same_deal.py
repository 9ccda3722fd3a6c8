"""When are two tellings the same deal? The rules by which ``pipeline.events`` joins articles.

In: a ``Telling`` (one deal as one article tells it) and an ``Event`` (what earlier tellings of one deal said).
Out: how well they agree, or None where they contradict each other. The rules read the values of rows only (type,
parties, places, amount, round, status, day), no text, and they are the same for every company.
The windows were set on half of the events of corpora/gold/events.jsonl; re-run ``benchmarks.events`` after a change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from pipeline.records import DEAL_STATUSES, DealStatus, DealType

Relation = Literal["same", "holds", "inside", "open", "none", "apart", "clash"]
#: How the first of two places, given by their numbers, lies to the second: same, holds it, lies inside it, open (it
#: may: a continent, a street), apart (elsewhere in the country), clash (another country).
PlaceRelation = Callable[[int, int], Relation]

#: Types that outlets take for one another. A deal keeps its id where another article calls it by a sibling's name.
GROUPS: Mapping[DealType, str] = {
    "partnership": "cooperation",
    "supply": "cooperation",
    "licensing": "cooperation",
    "joint_venture": "cooperation",
    "order": "cooperation",
    "investment": "capital",
    "acquisition": "capital",
    "testing": "operation",
    "deployment": "operation",
    "expansion": "operation",
    "permit": "operation",
}
#: Neither side acts, or outlets differ in which does.
MUTUAL = frozenset({"partnership", "joint_venture", "order", "supply", "licensing"})
#: Two places are two deals.
LOCAL = frozenset({"testing", "deployment", "expansion", "permit"})
#: The price tells one deal from the next.
PRICED = frozenset({"investment", "order"})

STAGE: Mapping[DealStatus, int] = {status: stage for stage, status in enumerate(DEAL_STATUSES)}
CANCELLED = STAGE["cancelled"]

#: Days that a follow-up may come after the last telling, by type, where the parties are the same two or more.
PAIR_DAYS: Mapping[DealType, int] = {
    "acquisition": 1100,
    "joint_venture": 1100,
    "licensing": 720,
    "partnership": 540,
    "supply": 540,
    "order": 365,
    "investment": 200,
    "testing": 400,
    "deployment": 400,
    "expansion": 400,
    "permit": 300,
}
#: Days between tellings of which one or both name a single company, by what else agrees.
SAME_PLACE_DAYS = 365  # "Waymo in Miami"
INSIDE_DAYS = 90  # one says Florida, the other Miami
NO_PLACE_DAYS = 30  # both name no place
OPEN_DAYS = 12  # one names a place, a partner, a price, and the other does not
SAME_PRICE_DAYS = 400  # the same round, or the same sum
SIBLING_DAYS = 14  # another type of the same group
CLASH_DAYS = 10  # of a round that two outlets tell with other investors
# A next step (agreed, running, closed), an end, or a mention without a date of its own may come later.
LATER = 3
# A fresh announcement so long after the deal had gone further is another deal.
RENEWED_DAYS = 60
RETOLD_DAYS = 30  # the same status again: the same news
# Beyond so many, an event is a mixture: further values would only cost time.
MAX_VALUES, MAX_COMPANIES = 12, 30
# Sums within 2 % are one sum, rounded; beyond 30 % they are two. Between lies what outlets convert and extend.
SAME_SUM, OTHER_SUM = 0.02, 0.30


@dataclass(frozen=True, slots=True)
class Telling:
    """One deal as one article tells it. Companies and places are numbers; ``day`` counts from 1970."""

    row: int
    deal_type: DealType
    status: DealStatus
    acting: int
    companies: frozenset[int]
    places: frozenset[int]
    amount: float | None
    currency: str | None
    round: str | None
    day: int | None  # announced, or published
    dated: bool  # False for a mention as background


@dataclass(slots=True)
class Event:
    """What the tellings so far say of one deal."""

    number: int
    deal_type: DealType
    acting: set[int]
    companies: set[int]
    places: set[int]
    sums: list[tuple[float, str]]
    rounds: set[str]
    stage: int
    first_day: int | None
    last_day: int | None

    @classmethod
    def of(cls, number: int, telling: Telling, relation: PlaceRelation) -> Event:
        """A new event, known from one telling."""
        event = cls(number, telling.deal_type, set(), set(), set(), [], set(), STAGE[telling.status], None, None)
        event.add(telling, relation)
        return event

    def add(self, telling: Telling, relation: PlaceRelation) -> None:
        """Take in what one more telling says."""
        self.acting.add(telling.acting)
        if len(self.companies) < MAX_COMPANIES:
            self.companies |= telling.companies
        if not telling.places <= self.places and len(self.places) < MAX_VALUES:
            named = self.places | telling.places  # once a town is named, its country tells nothing more
            self.places = {place for place in named if not any(relation(place, other) == "holds" for other in named)}
        if telling.round:
            self.rounds.add(telling.round)
        if telling.amount is not None and telling.currency is not None:
            said = (telling.amount, telling.currency)
            if said not in self.sums and len(self.sums) < MAX_VALUES:
                self.sums.append(said)
        stage = STAGE[telling.status]
        self.stage = stage if self.stage == CANCELLED and stage > STAGE["agreed"] else max(self.stage, stage)
        if telling.day is not None and (telling.dated or self.last_day is None):
            self.first_day = telling.day if self.first_day is None else min(self.first_day, telling.day)
            self.last_day = telling.day if self.last_day is None else max(self.last_day, telling.day)


#: How well a telling fits, in the order in which it counts: same type, same parties, companies shared, price, place,
#: the same news or the next step, days apart.
Fit = tuple[bool, bool, int, int, int, int, int]


def fit(telling: Telling, event: Event, place_relation: PlaceRelation) -> Fit | None:
    """How well the telling fits an event of its group; None where it is another deal. Larger is better."""
    shared = len(telling.companies & event.companies)
    if shared < 2 and telling.deal_type != "investment" and len(telling.companies) > 1 and len(event.companies) > 1:
        return None  # other partners; most candidates end here
    parties = _parties(telling, event, shared)
    if parties == "none":
        return None
    where = _places(telling.places, event.places, place_relation)
    price = _price(telling, event)
    gap = _gap(telling, event)
    if _contradicts(telling, event, where, price, gap):
        return None
    goes_on = STAGE[telling.status] > event.stage
    days = _window(telling, event, parties, where, price)
    if gap > days * (LATER if goes_on or not telling.dated else 1):
        return None
    same_type = telling.deal_type == event.deal_type
    retold = STAGE[telling.status] == event.stage and gap <= RETOLD_DAYS
    rank = {"same": 3, "inside": 2, "none": 1, "open": 1, "apart": 0, "clash": 0}
    return same_type, parties == "same", shared, rank[price], rank[where], 2 * retold + goes_on, -gap


def _parties(telling: Telling, event: Event, shared: int) -> Relation:
    """same: two or more shared, or all of one; open: one side names fewer; clash: other partners; none: strangers."""
    if shared == 0:
        return "none"
    if shared == 1 or telling.deal_type == "investment":
        # Who raises, tests or asks must be the same; of a contract, outlets name either side first.
        mutual = telling.deal_type in MUTUAL or event.deal_type in MUTUAL
        other_side = shared > 1 and telling.deal_type != event.deal_type  # a stake bought, told as a purchase
        if not mutual and not other_side and telling.acting not in event.acting:
            return "none"
    if shared > 1 or len(telling.companies) == len(event.companies) == 1:
        return "same"
    return "open" if min(len(telling.companies), len(event.companies)) == 1 else "clash"


def _places(left: frozenset[int], right: set[int], relation: PlaceRelation) -> Relation:
    if not left and not right:
        return "none"
    if not left or not right:
        return "open"
    if left & right:
        return "same"
    found = {relation(a, b) for a in left for b in right}
    if found & {"inside", "holds"}:
        return "inside"
    return "open" if "open" in found else "apart" if "apart" in found else "clash"


def _price(telling: Telling, event: Event) -> Relation:
    """same: the same sum or the same round; clash: other ones; open: nothing to compare."""
    if telling.round and event.rounds:
        return "same" if telling.round in event.rounds else "clash"
    if telling.amount is None or not event.sums:
        return "open"
    sums = [amount for amount, currency in event.sums if currency == telling.currency]
    if not sums:
        return "open"  # another currency: no rates here
    apart = min(abs(telling.amount - amount) / max(telling.amount, amount, 1e-9) for amount in sums)
    return "same" if apart <= SAME_SUM else "clash" if apart > OTHER_SUM else "open"


def _gap(telling: Telling, event: Event) -> int:
    """Days between the telling and the time over which the event was told; 0 where unknown."""
    if telling.day is None or event.first_day is None or event.last_day is None:
        return 0
    return max(event.first_day - telling.day, telling.day - event.last_day, 0)


def _contradicts(telling: Telling, event: Event, where: Relation, price: Relation, gap: int) -> bool:
    if where == "clash" and GROUPS[telling.deal_type] != "capital":
        return True  # another market
    if where == "apart" and telling.deal_type in LOCAL:
        return True
    rumoured = event.stage <= STAGE["planned"] or telling.status in ("in_talks", "planned", "cancelled")
    if price == "clash" and telling.deal_type in PRICED and not (rumoured and not _other_round(telling, event)):
        return True
    if price == "same" and telling.deal_type in PRICED:
        return False
    stage = STAGE[telling.status]
    if event.stage == CANCELLED:  # what ended may run again; a new agreement is a new deal
        return stage <= STAGE["agreed"] and gap > RENEWED_DAYS / 2 and telling.dated
    return stage <= STAGE["agreed"] and stage < event.stage and gap > RENEWED_DAYS and telling.dated


def _other_round(telling: Telling, event: Event) -> bool:
    return bool(telling.round and event.rounds and telling.round not in event.rounds)


def _window(telling: Telling, event: Event, parties: Relation, where: Relation, price: Relation) -> int:
    """Days that may lie between; -1 where the parties forbid it."""
    if telling.deal_type != event.deal_type:
        told_together = parties == "same" or (parties == "open" and where == "same")
        return SIBLING_DAYS if told_together else -1
    if telling.deal_type == "investment" and price == "same":
        return SAME_PRICE_DAYS
    if telling.deal_type == "investment" and event.stage <= STAGE["planned"] < STAGE[telling.status]:
        return PAIR_DAYS["investment"]  # a firm that looks for money closes one round at a time
    if parties == "clash":
        return CLASH_DAYS
    if telling.deal_type in LOCAL:
        return _local_window(telling, parties, where)
    if parties == "same" and len(telling.companies) > 1:
        return PAIR_DAYS[telling.deal_type]
    if price == "same":
        return SAME_PRICE_DAYS
    return NO_PLACE_DAYS if parties == "same" else OPEN_DAYS


def _local_window(telling: Telling, parties: Relation, where: Relation) -> int:
    pair = parties == "same" and len(telling.companies) > 1
    if where == "same":
        return PAIR_DAYS[telling.deal_type] if pair else SAME_PLACE_DAYS
    if where == "inside":
        return PAIR_DAYS[telling.deal_type] if pair else INSIDE_DAYS
    if pair:
        return PAIR_DAYS[telling.deal_type] // 3
    return NO_PLACE_DAYS if where == "none" and parties == "same" else OPEN_DAYS

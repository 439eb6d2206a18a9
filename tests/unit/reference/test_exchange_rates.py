"""Exchange rates: published days of the European Central Bank, and what is carried and what is not, on rates made up."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.reference.exchange_rates import EuroRates, ExchangeRate, exchange_rates, load_rates


def by_key(rates: list[ExchangeRate]) -> dict[tuple[str, date], ExchangeRate]:
    found = {(rate.from_currency, rate.day): rate for rate in rates}
    assert len(found) == len(rates)
    return found


# Euro foreign exchange reference rates as the bank published them: units for one euro.
@pytest.mark.parametrize(
    ("day", "currency", "published"),
    [
        (date(1999, 1, 4), "USD", "1.1789"),
        (date(1999, 1, 4), "JPY", "133.73"),
        (date(2000, 10, 26), "USD", "0.8252"),  # the euro's lowest
        (date(2008, 7, 15), "USD", "1.5990"),  # and highest
        (date(2014, 3, 28), "USD", "1.3759"),
        (date(2014, 3, 28), "JPY", "140.9"),
    ],
)
def test_rates_are_those_the_bank_published(day: date, currency: str, published: str) -> None:
    (rate,) = [rate for rate in exchange_rates(load_rates(day, day), currency, day, day) if rate.from_currency == "EUR"]
    assert rate.rate == Decimal(published)
    assert (rate.day, rate.published_on, rate.is_carried) == (day, day, False)


def test_cross_rates_go_through_the_euro() -> None:
    day = date(2014, 3, 28)
    rates = by_key(exchange_rates(load_rates(day, day), "JPY", day, day))
    assert rates["USD", day].rate == Decimal("102.40569809")  # 140.9 / 1.3759
    assert rates["JPY", day].rate == 1


def test_the_last_day_that_is_known_ends_the_table() -> None:
    known_until = load_rates(date(2024, 1, 1), date.max).known_until
    assert known_until >= date(2026, 10, 30)
    first = known_until - timedelta(days=3)
    days = {rate.day for rate in exchange_rates(load_rates(first, date.max), "CNY", first, date.max)}
    assert max(days) == known_until


def test_a_currency_the_bank_does_not_quote_has_no_rates() -> None:
    day = date(2024, 11, 11)
    assert exchange_rates(load_rates(day, day), "VND", day, day) == []


def test_the_yuan_has_rates_since_april_2005() -> None:
    first = date(2005, 3, 25)
    days = {rate.day for rate in exchange_rates(load_rates(first, date(2005, 4, 8)), "CNY", first, date(2005, 4, 8))}
    assert min(days) == date(2005, 4, 1)


# ---- rates made up -----------------------------------------------------------------------------------------------

FRIDAY = date(2024, 3, 1)


def days_after(*days: int) -> list[date]:
    return [FRIDAY + timedelta(days=n) for n in days]


def made_up(**published: dict[int, str]) -> EuroRates:
    """Rates by currency and days after FRIDAY; the euro is published whenever anything is. Known for 30 days."""
    rates = {c: {FRIDAY + timedelta(days=n): Decimal(v) for n, v in days.items()} for c, days in published.items()}
    every = {day: Decimal(1) for days in rates.values() for day in days}
    until = FRIDAY + timedelta(days=30)
    return EuroRates(rates | {"EUR": every}, dict.fromkeys([*rates, "EUR"], until), until)


def test_a_weekend_carries_fridays_rate_and_says_so() -> None:
    rates = made_up(USD={0: "1.10", 3: "1.20"})
    found = by_key(exchange_rates(rates, "USD", FRIDAY, FRIDAY + timedelta(days=3)))
    assert [found["EUR", day].rate for day in days_after(0, 1, 2, 3)] == [
        Decimal(r) for r in ("1.1", "1.1", "1.1", "1.2")
    ]
    assert [found["EUR", day].is_carried for day in days_after(0, 1, 2, 3)] == [False, True, True, False]
    assert found["EUR", FRIDAY + timedelta(days=2)].published_on == FRIDAY


def test_a_table_that_begins_on_a_weekend_carries_the_rate_of_before() -> None:
    rates = made_up(USD={0: "1.10", 3: "1.20"})
    saturday = FRIDAY + timedelta(days=1)
    found = by_key(exchange_rates(rates, "USD", saturday, saturday))
    assert found["EUR", saturday].published_on == FRIDAY


def test_a_gap_longer_than_a_week_is_left_open() -> None:
    rates = made_up(USD={0: "1.10", 20: "1.20"}, CNY=dict.fromkeys(range(31), "7.0"))
    found = by_key(exchange_rates(rates, "CNY", FRIDAY, FRIDAY + timedelta(days=20)))
    assert [n for n in range(21) if ("USD", FRIDAY + timedelta(days=n)) in found] == [*range(8), 20]


def test_a_currency_that_is_quoted_no_longer_ends_with_its_last_day() -> None:
    rates = made_up(HRK={0: "7.5", 1: "7.5"}, USD=dict.fromkeys(range(31), "1.1"))
    ended = EuroRates(rates.published, {**rates.quoted_until, "HRK": FRIDAY + timedelta(days=1)}, rates.known_until)
    found = by_key(exchange_rates(ended, "USD", FRIDAY, FRIDAY + timedelta(days=5)))
    assert [n for n in range(6) if ("HRK", FRIDAY + timedelta(days=n)) in found] == [0, 1]


def test_a_rate_is_as_old_as_the_older_of_the_two_behind_it() -> None:
    rates = made_up(USD={0: "1.10"}, CNY={1: "7.7"})
    (found,) = [r for r in exchange_rates(rates, "CNY", *days_after(1, 1)) if r.from_currency == "USD"]
    assert (found.rate, found.published_on, found.is_carried) == (Decimal(7), FRIDAY, True)


def test_no_day_is_no_rate() -> None:
    assert exchange_rates(made_up(USD={0: "1.1"}), "USD", FRIDAY, FRIDAY - timedelta(days=1)) == []


positive = st.decimals(Decimal("0.5"), Decimal(2000), places=4)


@given(positive, positive)
def test_there_and_back_is_one_within_rounding(usd: Decimal, cny: Decimal) -> None:
    rates = made_up(USD={0: str(usd)}, CNY={0: str(cny)})
    there = by_key(exchange_rates(rates, "CNY", FRIDAY, FRIDAY))["USD", FRIDAY].rate
    back = by_key(exchange_rates(rates, "USD", FRIDAY, FRIDAY))["CNY", FRIDAY].rate
    # Each is off by half of the eighth decimal at most.
    assert abs(there * back - 1) <= Decimal("0.000000005") * (there + back + 1)

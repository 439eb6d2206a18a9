"""Daily exchange rates into one currency: the European Central Bank's reference rates that CurrencyConverter carries.

A day without a published rate (weekend, bank holiday) carries the last one; beyond what was published nothing is made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from currency_converter import CurrencyConverter, RateNotFoundError

# Days a rate may be carried. The longest closure (Christmas, Easter) is five days; a longer gap is a currency that was not
# quoted, such as the Icelandic krona from 2008 to 2018.
MAX_CARRIED_DAYS = 7

SCALE = Decimal("0.00000001")
_PIVOT = "EUR"


@dataclass(frozen=True)
class EuroRates:
    """What the bank published: units of a currency for one euro, by currency and day of publication.

    `known_until` is the last day of which anything is known, `quoted_until` the last one of each currency.
    """

    published: Mapping[str, Mapping[date, Decimal]]
    quoted_until: Mapping[str, date]
    known_until: date


class ExchangeRate(NamedTuple):
    """One unit of `from_currency` is worth `rate` of `to_currency` on `day`, as published on `published_on`."""

    from_currency: str
    to_currency: str
    day: date
    rate: Decimal
    published_on: date

    @property
    def is_carried(self) -> bool:
        return self.published_on != self.day


def load_rates(first: date, last: date) -> EuroRates:
    """The rates in the library's wheel from a carry before `first` to `last`, as exact decimals; asks no network."""
    converter = CurrencyConverter(decimal=True)
    bounds: Mapping[str, tuple[date, date]] = converter.bounds or {}
    quoted_until = {currency: bound[1] for currency, bound in bounds.items()}
    known_until = quoted_until[_PIVOT]
    start, end = first - timedelta(days=MAX_CARRIED_DAYS), min(last, known_until)
    days = [start + timedelta(days=n) for n in range((end - start).days + 1)]
    # The dollar is quoted whenever the bank publishes anything; on these days the euro itself has a rate: 1.
    days = [day for day in days if _published(converter, "USD", day) is not None]
    published = {
        currency: {day: rate for day in days if (rate := _published(converter, currency, day)) is not None}
        for currency in sorted(quoted_until)
    }
    return EuroRates(published, quoted_until, known_until)


def _published(converter: CurrencyConverter, currency: str, day: date) -> Decimal | None:
    try:
        return Decimal(converter.convert(1, _PIVOT, currency, date=day))
    except RateNotFoundError:
        return None


def exchange_rates(rates: EuroRates, to_currency: str, first: date, last: date) -> list[ExchangeRate]:
    """Rates of every currency into `to_currency` for the days `first` to `last`, ordered by currency and day.

    Ends where the rates do. A currency's own rate is 1. Empty when the bank does not quote `to_currency`.
    """
    days = [first + timedelta(days=n) for n in range((min(last, rates.known_until) - first).days + 1)]
    into = _carried(rates, to_currency, days)
    found = []
    for currency in sorted(rates.published):
        for day, (from_rate, published_on) in _carried(rates, currency, days).items():
            if day in into:
                to_rate, to_published_on = into[day]
                rate = (to_rate / from_rate).quantize(SCALE, ROUND_HALF_EVEN)
                found.append(ExchangeRate(currency, to_currency, day, rate, min(published_on, to_published_on)))
    return found


def _carried(rates: EuroRates, currency: str, days: list[date]) -> dict[date, tuple[Decimal, date]]:
    """Units of a currency for one euro by day, with the day of publication; without days that have nothing near."""
    if currency not in rates.published or not days:
        return {}
    published, until = rates.published[currency], rates.quoted_until[currency]
    before = [days[0] - timedelta(days=n) for n in range(MAX_CARRIED_DAYS, 0, -1)]
    latest: tuple[Decimal, date] | None = None
    carried = {}
    for day in [*before, *days]:
        # A currency that is quoted no longer has no rate of today; the bank's own last day is carried by nobody.
        if day > until:
            break
        if day in published:
            latest = published[day], day
        if latest is not None and day >= days[0] and (day - latest[1]).days <= MAX_CARRIED_DAYS:
            carried[day] = latest
    return carried

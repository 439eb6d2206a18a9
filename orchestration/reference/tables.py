"""The reference tables as Arrow tables.

What the rows say belongs in the modules beside this one, the columns in `orchestration.reference.columns`, where the tables
stand in `orchestration.reference_tables`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from orchestration.reference import exchange_rates, festivals, regions
from orchestration.reference.columns import TABLES
from orchestration.reference.days import CalendarDay, calendar_days

_TYPES: dict[str, pa.DataType] = {
    "varchar": pa.string(),
    "varchar[]": pa.list_(pa.string()),
    "integer": pa.int32(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "decimal(18, 8)": pa.decimal128(18, 8),
}


@dataclass(frozen=True)
class Scope:
    """Which rows a brand needs: `first` to `last` of its facts, and the currency its money is in."""

    first: date
    last: date
    currency: str


def _calendar_days(scope: Scope) -> list[tuple[Any, ...]]:
    # The calendar runs as far as it is known, whatever the brand's last day: plans are made on days to come.
    return [_calendar_row(day) for day in calendar_days(scope.first, date.max)]


def _calendar_row(one: CalendarDay) -> tuple[Any, ...]:
    day, iso = one.day, one.day.isocalendar()
    holiday_code, holiday_zh, holiday_en = one.holiday or (None, None, None)
    first = one.campaigns[0] if one.campaigns else None
    return (
        holiday_code,
        holiday_zh,
        holiday_en,
        first.festival_code if first else None,
        [campaign.festival_code for campaign in one.campaigns],
        day.year,
        (day.month + 2) // 3,
        day.month,
        iso.year,
        iso.week,
        iso.weekday,
        one.lunar.year,
        one.lunar.month,
        one.lunar.day,
        one.days_to_lunar_new_year,
        first.festival_year if first else None,
        first.day_index if first else None,
        first.sale_day_number if first else None,
        one.is_workday,
        one.is_holiday,
        one.is_make_up_workday,
        iso.weekday > 5,
        one.lunar.is_leap_month,
        day,
        one.lunar_aligned_day,
        one.campaign_aligned_day,
    )


def _festivals(scope: Scope) -> list[tuple[Any, ...]]:
    calendar = calendar_days(scope.first, date.max)
    if not calendar:
        return []
    labels, rows = festivals.phase_labels(), []
    for window in festivals.festival_windows(calendar[0].day, calendar[-1].day):
        one = festivals.festival(window.festival_code)
        zh, en = labels[window.phase_code]
        key = f"{window.festival_code}_{window.festival_year}_{window.phase_code}_{window.phase_number}"
        rows.append(
            (
                key,
                window.festival_code,
                one.label_zh,
                one.label_en,
                window.phase_code,
                zh,
                en,
                window.basis,
                window.festival_year,
                window.phase_number,
                one.anchor(window.festival_year),
                window.starts_at,
                window.ends_at,
            )
        )
    return rows


def _regions(scope: Scope) -> list[tuple[Any, ...]]:
    return [tuple(getattr(region, column) for column in TABLES["regions"]) for region in regions.regions()]


def _exchange_rates(scope: Scope) -> list[tuple[Any, ...]]:
    rates = exchange_rates.load_rates(scope.first, scope.last)
    return [
        (rate.from_currency, rate.to_currency, rate.rate, rate.is_carried, rate.day, rate.published_on)
        for rate in exchange_rates.exchange_rates(rates, scope.currency, scope.first, scope.last)
    ]


_ROWS: dict[str, Callable[[Scope], list[tuple[Any, ...]]]] = {
    "calendar_days": _calendar_days,
    "festivals": _festivals,
    "regions": _regions,
    "exchange_rates": _exchange_rates,
}


def build(scope: Scope) -> dict[str, pa.Table]:
    """Every reference table of a brand, by name. Half a second for three years, two for fifteen."""
    return {name: _table(_ROWS[name](scope), columns) for name, columns in TABLES.items()}


def _table(rows: Iterable[tuple[Any, ...]], columns: dict[str, str]) -> pa.Table:
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = [pa.array(column, _TYPES[type_]) for column, type_ in zip(values, columns.values(), strict=True)]
    return pa.table(arrays, names=list(columns))

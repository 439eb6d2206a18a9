"""What one run may be asked for. What every run gets is in `orchestration.resources`."""

from __future__ import annotations

from datetime import date, datetime

import dagster as dg
from pydantic import Field, field_validator


class RunOptions(dg.ConfigurableResource):
    """Options of a run; the defaults are those of a scheduled one."""

    as_of_date: str = Field(
        default="", description="First business date that is not known, YYYY-MM-DD; empty = the brand's clock"
    )
    known_at: str = Field(default="", description="UTC timestamp; rows loaded after it are ignored; empty = now")
    full_refresh: bool = Field(default=False, description="Rebuild incremental models from the whole lake")

    @field_validator("as_of_date")
    @classmethod
    def _is_date(cls, value: str) -> str:
        if value:
            date.fromisoformat(value)
        return value

    @field_validator("known_at")
    @classmethod
    def _is_instant(cls, value: str) -> str:
        if value and datetime.fromisoformat(value).tzinfo is None:
            raise ValueError("known_at must name its offset, such as 2026-11-22T00:00:00+00:00")
        return value

    def as_of_date_or_none(self) -> date | None:
        return date.fromisoformat(self.as_of_date) if self.as_of_date else None

    def known_at_or_none(self) -> str | None:
        return self.known_at or None

"""One line of the table that compares the project's own figures with published or measured references."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReferenceRow:
    """A figure and the range it must lie in; a row without a range is shown, not judged."""

    gate: str  # as in the plan of models: CLV-1, PROP-2, LEAK …
    subject: str  # brand, cut, population
    figure: str  # what is measured, with its unit or definition
    reference: str  # the figure compared with, as it was published or measured
    measured: float
    low: float | None = None
    high: float | None = None
    note: str = ""  # what differs from the reference's protocol

    @property
    def is_held(self) -> bool | None:
        """Whether the figure lies within its range; None where there is no range."""
        if self.low is None and self.high is None:
            return None
        return (self.low is None or self.measured >= self.low) and (self.high is None or self.measured <= self.high)

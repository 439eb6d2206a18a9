"""Errors of landing. A message names the file, the column or key and the remedy; it never holds a value of the data."""

from __future__ import annotations


class LandingError(RuntimeError):
    """A source file cannot be landed; nothing of it has been."""


class LakeError(RuntimeError):
    """The lake itself is damaged."""


class SourceUnavailable(LandingError):
    """A database or an API did not answer as it should; it may do so later."""

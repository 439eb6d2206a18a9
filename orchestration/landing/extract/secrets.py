"""Secrets of sources: taken from the environment when needed, and masked in every text that leaves here.

What is done with them belongs in `orchestration.landing.extract.database` and `.api`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from orchestration.landing.errors import LandingError

MASK = "***"
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]*@")


def secret(variable: str, key: str, source_file: str) -> str:
    """The value of a source's secret. Raises LandingError when the variable is not set or empty."""
    value = os.environ.get(variable, "").strip()
    if not value:
        raise LandingError(
            f"{source_file}: reader.{key}: the environment variable {variable} is not set; "
            f"set it where the run starts (export {variable}=…), it is never kept in a file"
        )
    return value


def masked(text: str, secrets: Iterable[str]) -> str:
    """`text` on one line, without any of the secrets (as they are, or quoted for a URL) and without URL credentials."""
    forms = {
        form for value in secrets if value for form in (value, quote(value), quote(value, safe=""), quote_plus(value))
    }
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, MASK)
    return " ".join(_CREDENTIALS.sub(f"{MASK}@", text).split())

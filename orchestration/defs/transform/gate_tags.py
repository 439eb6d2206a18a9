"""gate_tags: between the tag table and its publication."""

from __future__ import annotations

from orchestration.quality.adapter import gate_checks
from orchestration.quality.suites import tags

gate_tags = gate_checks(tags.GATE, tags.suites())

"""Churn: will an active member stop ordering? The definition only; the work is in `ml.common`."""

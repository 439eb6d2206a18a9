"""Propensity: will a known member order soon? The definition only; the work is in `ml.common`."""

"""Repeatable measurements, each a ratio of two ways of doing the same on the same data in the same run.

Seconds depend on the machine and on who shares it; ratios mostly do not. Tests of what the code does belong in tests.
"""

"""A first mapping of a source that nobody has mapped: how it is written, what its columns look like, what they may be.

`proposal` is where to begin. Landing a source that has a mapping belongs in `orchestration.landing.land`.
"""

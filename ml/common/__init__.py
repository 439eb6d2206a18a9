"""What every predictive task shares: labels, time splits, candidates, calibration, evaluation, artifacts.

A task's own definition (horizon, population, direction) belongs in `ml.<task>`; reading and writing tables
belongs in `orchestration`.
"""

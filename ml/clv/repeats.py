"""Repeat purchases of customers who may be gone for good: BG/NBD, MBG/NBD and Pareto/NBD, and the NBD that nobody leaves.

Fader, Hardie and Lee 2005 (BG/NBD), Batislam, Denizel and Filiztekin 2007 (MBG/NBD), Schmittlein, Morrison and Colombo 1987 with
Fader and Hardie 2005 for stable forms (Pareto/NBD). Frequency x, recency t_x and age T as in `ml.clv.summary`, in weeks. Maximum likelihood
by scipy, without penalty; what a fit is worth is asked by `problems`, because these models degenerate without a word.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import gammaln, hyp2f1

MAX_FIT_CUSTOMERS = 4_000  # of more distinct ones, every n-th in the order of (x, t_x, T): four parameters need no more
LOG_BOUND = 9.0  # of the logarithm of a parameter; a fit that ends there has run away
LEAST_PARAMETER = 1e-3  # below it, a shape says that there is no such variation among customers
LEAST_GAIN = 3.0  # log likelihood over the NBD's: two more parameters, chi-squared at 5 %
Floats = NDArray[np.float64]


class RepeatModel(ABC):
    """A model of repeat purchases. Unfitted until `fit`, or made with known parameters."""

    names: tuple[str, ...]  # of the parameters, all positive
    starts: tuple[tuple[float, ...], ...]  # where the search begins

    def __init__(self, parameters: Mapping[str, float] | None = None) -> None:
        self.parameters: dict[str, float] = {name: float(parameters[name]) for name in self.names} if parameters else {}
        self.log_likelihood = float("nan")  # of all customers fitted on
        self.customer_count = 0

    def fit(self, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> RepeatModel:
        """Learn the parameters from arrays (n,). Raises ValueError for what no customer can have done."""
        x, t_x, age_ = (np.asarray(values, dtype=float) for values in (frequency, recency, age))
        if (
            not len(x)
            or (x < 0).any()
            or (t_x < 0).any()
            or (t_x > age_).any()
            or not np.isfinite(x + t_x + age_).all()
        ):
            raise ValueError(
                "every customer needs frequency >= 0 and 0 <= recency <= age, all finite, and there must be one"
            )
        self.customer_count = len(x)
        rows, counts = np.unique(np.column_stack([x, t_x, age_]), axis=0, return_counts=True)
        weights = counts.astype(float)
        if len(rows) > MAX_FIT_CUSTOMERS:
            step = -(-len(rows) // MAX_FIT_CUSTOMERS)
            rows, weights = rows[::step], weights[::step]
        x_, t_x_, age_ = np.ascontiguousarray(rows.T)
        # Times near ten keep the parameters near one, where the search is good.
        scale = 10.0 / max(float(age_.max()), 1e-9)

        def loss(logs: Floats) -> float:
            values = self._log_likelihoods(np.exp(logs), x_, t_x_ * scale, age_ * scale)
            found = -float(np.average(values, weights=weights))
            return found if np.isfinite(found) else 1e10

        best = None
        for start in self.starts:
            bounds = [(-LOG_BOUND, LOG_BOUND)] * len(start)
            found = minimize(
                loss,
                np.log(start),
                method="L-BFGS-B",
                bounds=bounds,
                options={"ftol": 1e-13, "gtol": 1e-8, "maxiter": 400},
            )
            if best is None or found.fun < best.fun - 1e-12:
                best = found
        assert best is not None
        self.parameters = dict(zip(self.names, map(float, np.exp(best.x)), strict=True))
        for name in self._times:
            self.parameters[name] /= scale
        self.log_likelihood = float(
            (self.log_likelihoods(x_, t_x_, age_) * weights).sum() * self.customer_count / weights.sum()
        )
        return self

    _times: tuple[str, ...] = ("alpha",)  # parameters that have the unit of time

    def log_likelihoods(self, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Floats:
        """Log likelihood of each customer under the parameters, (n,)."""
        return self._log_likelihoods(self._values(), *(np.asarray(v, dtype=float) for v in (frequency, recency, age)))

    def _values(self) -> Floats:
        if not self.parameters:
            raise ValueError(f"{type(self).__name__} is not fitted: call fit first")
        return np.array([self.parameters[name] for name in self.names])

    @abstractmethod
    def _log_likelihoods(self, values: Floats, x: Floats, t_x: Floats, age: Floats) -> Floats: ...

    @abstractmethod
    def probability_alive(self, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Floats:
        """P(not gone at the end of the period), (n,)."""

    @abstractmethod
    def expected_repeats(self, weeks: ArrayLike, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Floats:
        """E[purchases in the next `weeks`] of each customer, (n,)."""

    def probability_any(self, weeks: ArrayLike, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Floats:
        """P(a purchase in the next `weeks`), (n,). Exact for BG/NBD and NBD; for the others leaving within the weeks is left out."""
        values = self.parameters
        x, age_ = np.asarray(frequency, dtype=float), np.asarray(age, dtype=float)
        none = ((values["alpha"] + age_) / (values["alpha"] + age_ + np.asarray(weeks))) ** (values["r"] + x)
        return self.probability_alive(frequency, recency, age) * (1 - none)

    def problems(self, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> list[str]:
        """Why this fit must not be used; empty when it may. The customers are those it was fitted on."""
        x, t_x, age_ = (np.asarray(values, dtype=float) for values in (frequency, recency, age))
        found = [
            f"{name} is {value:.2g}"
            for name, value in self.parameters.items()
            if not np.isfinite(value) or value < LEAST_PARAMETER
        ]
        edge = np.exp(LOG_BOUND - 0.01)
        found += [
            f"{name} ran away to {value:.2g}"
            for name, value in self.parameters.items()
            if value >= edge and name not in self._times
        ]
        if not isinstance(self, Nbd):
            gain = self.log_likelihood - Nbd().fit(x, t_x, age_).log_likelihood
            if not gain >= LEAST_GAIN:
                found.append(
                    f"no drop-out to be seen: log likelihood {gain:.1f} above that of the NBD, {LEAST_GAIN:g} are needed"
                )
        expected = self.expected_repeats(52.0, x, t_x, age_)
        if not np.isfinite(expected).all() or (expected < 0).any():
            found.append(f"{int((~np.isfinite(expected) | (expected < 0)).sum())} customers have no finite expectation")
        # The later the last purchase, the likelier somebody is still there.
        grid = np.linspace(0.0, float(age_.max()), 25)
        for repeats in (1.0, 3.0, 10.0):
            alive = self.probability_alive(np.full(25, repeats), grid, np.full(25, float(age_.max())))
            if not np.isfinite(alive).all() or (np.diff(alive) < -1e-9).any():
                found.append(f"P(alive) does not rise with recency at {repeats:.0f} repeats")
                break
        return found


class Nbd(RepeatModel):
    """Nobody leaves: Poisson purchases, rates by Gamma(r, alpha). What the others must beat, and what is left when they cannot."""

    names = ("r", "alpha")
    starts = ((1.0, 1.0),)

    def _log_likelihoods(self, values: Floats, x: Floats, t_x: Floats, age: Floats) -> Floats:
        r, alpha = values
        return gammaln(r + x) - gammaln(r) + r * np.log(alpha) - (r + x) * np.log(alpha + age)

    def probability_alive(self, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Floats:
        return np.ones(np.shape(frequency))

    def expected_repeats(self, weeks: ArrayLike, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Floats:
        r, alpha = self._values()
        return np.asarray(weeks) * (r + np.asarray(frequency, dtype=float)) / (alpha + np.asarray(age, dtype=float))


class _BetaGeometric(RepeatModel):
    """May leave right after a purchase, with a probability by Beta(a, b). After which purchases, the two models below say."""

    names = ("r", "alpha", "a", "b")
    starts = ((0.5, 1.0, 0.8, 2.0), (1.0, 1.0, 1.0, 1.0))
    chances_at_first: int  # chances to leave that the first purchase gives; every repeat gives one

    def _log_likelihoods(self, values: Floats, x: Floats, t_x: Floats, age: Floats) -> Floats:
        r, alpha, a, b = values
        chances = x + self.chances_at_first
        buying = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        staying = gammaln(a + b) + gammaln(b + chances) - gammaln(b) - gammaln(a + b + chances)
        stayed = -(r + x) * np.log(alpha + age)
        left = np.log(a) - np.log(np.maximum(b + chances - 1, 1e-300)) - (r + x) * np.log(alpha + t_x)
        return buying + staying + np.logaddexp(stayed, np.where(chances > 0, left, -np.inf))

    def probability_alive(self, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Floats:
        r, alpha, a, b = self._values()
        x, t_x, age_ = (np.asarray(values, dtype=float) for values in (frequency, recency, age))
        chances = x + self.chances_at_first
        odds = a / np.maximum(b + chances - 1, 1e-300) * np.exp((r + x) * np.log((alpha + age_) / (alpha + t_x)))
        return np.where(chances > 0, 1 / (1 + odds), 1.0)

    def expected_repeats(self, weeks: ArrayLike, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Floats:
        r, alpha, a, b = self._values()
        x, _, age_ = (np.asarray(values, dtype=float) for values in (frequency, recency, age))
        chances = x + self.chances_at_first
        end = alpha + age_ + np.asarray(weeks, dtype=float)
        grown = hyp2f1(r + x, b + chances, a + b + chances - 1, np.asarray(weeks) / end)
        share = 1 - ((alpha + age_) / end) ** (r + x) * grown
        return (a + b + chances - 1) / (a - 1) * share * self.probability_alive(frequency, recency, age)


class BgNbd(_BetaGeometric):
    """May leave after any repeat purchase. Who never came back cannot have left: P(alive) is 1."""

    chances_at_first = 0


class MbgNbd(_BetaGeometric):
    """May leave after the first purchase too: who never came back may be gone."""

    chances_at_first = 1


class ParetoNbd(RepeatModel):
    """May leave at any moment, at a rate by Gamma(s, beta)."""

    names = ("r", "alpha", "s", "beta")
    starts = ((0.5, 1.0, 0.5, 1.0), (1.0, 2.0, 1.0, 2.0))
    _times = ("alpha", "beta")

    def _log_likelihoods(self, values: Floats, x: Floats, t_x: Floats, age: Floats) -> Floats:
        r, alpha, s, beta = values
        stayed = -(r + x) * np.log(alpha + age) - s * np.log(beta + age)
        left = np.log(s) - np.log(r + s + x) + _log_a0(r, alpha, s, beta, x, t_x, age)
        return gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta) + np.logaddexp(stayed, left)

    def probability_alive(self, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Floats:
        r, alpha, s, beta = self._values()
        x, t_x, age_ = (np.asarray(values, dtype=float) for values in (frequency, recency, age))
        log_odds = (
            np.log(s) - np.log(r + s + x) + (r + x) * np.log(alpha + age_) + s * np.log(beta + age_)
            + _log_a0(r, alpha, s, beta, x, t_x, age_)
        )  # fmt: skip
        return np.exp(-np.logaddexp(0.0, log_odds))

    def expected_repeats(self, weeks: ArrayLike, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Floats:
        r, alpha, s, beta = self._values()
        x, _, age_ = (np.asarray(values, dtype=float) for values in (frequency, recency, age))
        share = 1 - ((beta + age_) / (beta + age_ + np.asarray(weeks, dtype=float))) ** (s - 1)
        return (
            (r + x)
            * (beta + age_)
            / ((alpha + age_) * (s - 1))
            * share
            * self.probability_alive(frequency, recency, age)
        )


def _log_a0(r: float, alpha: float, s: float, beta: float, x: Floats, t_x: Floats, age: Floats) -> Floats:
    """Log of the integral over the moments at which the customer may have left; -inf where there is none (t_x = T)."""
    larger, second = (alpha, s + 1) if alpha >= beta else (beta, r + x)
    gap, power = abs(alpha - beta), r + s + x
    with np.errstate(all="ignore"):
        early = np.log(hyp2f1(power, second, power + 1, gap / (larger + t_x))) - power * np.log(larger + t_x)
        late = np.log(hyp2f1(power, second, power + 1, gap / (larger + age))) - power * np.log(larger + age)
        found = early + np.log1p(-np.exp(np.minimum(late - early, 0.0)))
    return np.where(np.isnan(found), -np.inf, found)


MODELS: dict[str, type[RepeatModel]] = {"pareto_nbd": ParetoNbd, "mbg_nbd": MbgNbd, "bg_nbd": BgNbd, "nbd": Nbd}


def summary_arrays(summary: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    """frequency, recency and age of `ml.clv.summary.customer_summary`, each (n,)."""
    return tuple(summary[name].to_numpy(dtype=float) for name in ("frequency", "recency", "age"))  # type: ignore[return-value]

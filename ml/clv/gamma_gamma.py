"""Value per purchase: the Gamma-Gamma model (Fader and Hardie 2013).

A member's mean is drawn to the population's, the less the more is known of the member. It holds where how much somebody spends has
nothing to do with how often: `correlation` says how far that is from the truth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import gammaln

Floats = NDArray[np.float64]
LEAST_REPEATERS = 20


class GammaGamma:
    """p, q, v. Unfitted until `fit`, or made with known parameters."""

    def __init__(self, p: float = np.nan, q: float = np.nan, v: float = np.nan) -> None:
        self.p, self.q, self.v = p, q, v
        self.log_likelihood = float("nan")
        self.correlation = float("nan")  # of frequency and mean amount among those fitted on

    def fit(self, frequency: ArrayLike, mean_amount: ArrayLike) -> GammaGamma:
        """Learn from members with a repeat and a positive mean (n,). Raises ValueError when fewer than LEAST_REPEATERS have one."""
        x, m = np.asarray(frequency, dtype=float), np.asarray(mean_amount, dtype=float)
        has_value = (x > 0) & (m > 0) & np.isfinite(m)
        x, m = x[has_value], m[has_value]
        if len(x) < LEAST_REPEATERS:
            raise ValueError(f"{len(x)} members have a repeat purchase with a value: {LEAST_REPEATERS} are needed")
        # On raw amounts the search does not converge for every currency; the median is one for all.
        unit = float(np.median(m))

        def loss(logs: Floats) -> float:
            p, q, v = np.exp(logs)
            found = -float(np.mean(_log_likelihoods(p, q, v, x, m / unit)))
            return found if np.isfinite(found) else 1e10

        rough = minimize(
            loss,
            np.log([2.0, 2.0, 1.0]),
            method="Nelder-Mead",
            options={"maxiter": 6000, "xatol": 1e-9, "fatol": 1e-13},
        )
        fine = minimize(loss, rough.x, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-9})
        best = fine if fine.fun <= rough.fun else rough
        self.p, self.q, self.v = (float(value) for value in np.exp(best.x) * np.array([1.0, 1.0, unit]))
        self.log_likelihood = float(_log_likelihoods(self.p, self.q, self.v, x, m).sum())
        self.correlation = float(np.corrcoef(x, m)[0, 1]) if x.std() > 0 and m.std() > 0 else 0.0
        return self

    @property
    def population_mean(self) -> float:
        """Mean value of a purchase over all members; not finite for q <= 1."""
        return self.p * self.v / (self.q - 1) if self.q > 1 else float("nan")

    def problems(self) -> list[str]:
        """Why this fit must not be used; empty when it may."""
        found = []
        if not np.isfinite([self.p, self.q, self.v]).all():
            found.append("a parameter is not finite")
        elif self.q <= 1:
            found.append(f"q is {self.q:.2f}: the mean value of a purchase is not finite")
        return found

    def expected_amount(self, frequency: ArrayLike, mean_amount: ArrayLike) -> Floats:
        """E[mean value of a member's purchases], (n,): the population's for members without a repeat."""
        x = np.asarray(frequency, dtype=float)
        m = np.nan_to_num(np.asarray(mean_amount, dtype=float))
        known = np.where(m > 0, x, 0.0)
        return self.p * (self.v + known * m) / (self.p * known + self.q - 1)


def _log_likelihoods(p: float, q: float, v: float, x: Floats, m: Floats) -> Floats:
    return (
        gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(v)
        + (p * x - 1) * np.log(m) + p * x * np.log(x) - (p * x + q) * np.log(x * m + v)
    )  # fmt: skip

"""Statistics of few and noisy samples: medians, spreads, and ratios of what was measured side by side."""

import math
import random
import statistics
from dataclasses import dataclass
from typing import Callable, Iterable, Sequence

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Spread:
    """A median and how far the samples lie from it."""

    median: float
    low_quartile: float
    high_quartile: float
    low: float
    high: float
    count: int

    def as_dict(self) -> dict:
        return {"median": self.median, "low_quartile": self.low_quartile, "high_quartile": self.high_quartile,
                "low": self.low, "high": self.high, "count": self.count}


def spread(samples: Sequence[float]) -> Spread:
    ordered = sorted(samples)
    if len(ordered) < 2:
        quartiles = [ordered[0]] * 3
    else:
        quartiles = statistics.quantiles(ordered, n=4, method="inclusive")
    return Spread(statistics.median(ordered), quartiles[0], quartiles[2], ordered[0], ordered[-1], len(ordered))


def geometric_mean(values: Iterable[float]) -> float:
    return math.exp(statistics.fmean(math.log(value) for value in values))


def ratio_of_neighbours(a: Sequence[float], b: Sequence[float]) -> float:
    """Median of a[i] / b[i]. The i-th samples were taken one after the other, so that what the machine did meanwhile
    (neighbours, clocks, where a hypervisor put the CPUs) is in both."""
    return statistics.median(x / y for x, y in zip(a, b))


@dataclass(frozen=True)
class Interval:
    """The median of paired ratios with its 95 % confidence interval."""

    ratio: float
    low: float
    high: float
    pairs: int

    def as_dict(self) -> dict:
        return {"ratio": self.ratio, "low": self.low, "high": self.high, "pairs": self.pairs}

    def __str__(self) -> str:
        return f"{self.ratio:.3f} [{self.low:.3f}, {self.high:.3f}], {self.pairs} pairs"


def interval_of_median(ratios: Sequence[float]) -> Interval:
    """By bootstrap (percentiles of the medians of resamples), with a fixed seed."""
    generator = random.Random(1)
    medians = sorted(statistics.median(generator.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    tail = int(RESAMPLES * (1 - CONFIDENCE) / 2)
    return Interval(statistics.median(ratios), medians[tail], medians[-1 - tail], len(ratios))


def pair_until(measure_a: Callable[[], float], measure_b: Callable[[], float],
               enough: Callable[[Interval], bool], least: int, most: int,
               ratios: Sequence[float] = ()) -> tuple[Interval, list[float]]:
    """Measures a and b in turns (A B, B A, A B...) until `enough(interval)` or `most` pairs. A pair's ratio is a / b.

    `ratios` are pairs measured before, which count. Stopping when the interval looks good makes it a little narrower
    than its 95 % say: `least` keeps that small.
    """
    ratios = list(ratios)
    while len(ratios) < most:
        if len(ratios) % 2 == 0:
            a, b = measure_a(), measure_b()
        else:
            b, a = measure_b(), measure_a()
        ratios.append(a / b)
        if len(ratios) >= least and enough(interval_of_median(ratios)):
            break
    return interval_of_median(ratios), ratios

"""Choose the activity from which on a layer takes products instead of events, by a cost model.

With e active sources at g positions, each reaching r rows of windows by runs of n vectors, events
cost

    E = g (position + r (run + n vector)) + e (event + r n weight)

and products D = windows (window t + q dot) + frame copy, with q fours of inputs times tiles of 16
outputs and t pairs of tiles. Constants are nanoseconds, least squares over 120 layers at 6
activities, those of events with AVX-512 times 1.25: in a network of several layers sums and weights
are less near than in one alone. Only ratios matter, and no result depends on them.
"""

import math
from dataclasses import dataclass

CACHED = 700_000  # bytes of weights that stay near the processor
ROWS = 8  # windows that a product takes at once
HALVINGS = 20


@dataclass(frozen=True)
class Costs:
    """Nanoseconds of one variant; `lanes` are the outputs that one vector of events holds."""

    lanes: int = 32
    position: float = 6.4
    run: float = 0.33
    vector: float = 1.06
    event: float = 1.9
    weight: float = 0.42
    far_weight: float = 0.19  # more, from weights that do not stay near the processor
    window: float = 3.1
    dot: float = 0.28
    far_dot: float = 0.31
    copy: float = 0.1
    graded: float = 1.5  # times slower are events with values
    tap: float = 1.5  # of a convolution by channel, one event to one window
    channel: float = 0.06  # of the same, one product


COSTS = {
    "avx512": Costs(),
    "avx2": Costs(16, 3.5, 0.3, 0.7, 1.55, 0.27, 0.0, 3.1, 0.78, 0.0, 0.05),
    "neon": Costs(16, 3.5, 0.3, 0.7, 1.55, 0.27, 0.0, 3.1, 1.0, 0.0, 0.05),
    "neon-dot": Costs(16, 3.5, 0.3, 0.7, 1.55, 0.27, 0.0, 3.1, 0.5, 0.0, 0.05),
    "scalar": Costs(8, 1.1, 8.6, 0.2, 3.0, 0.9, 0.0, 14.0, 5.3, 0.0, 0.6, tap=2.0, channel=0.3),
}


@dataclass(frozen=True)
class Layer:
    """Sizes of a layer; `row_taps` and `column_runs` over all source rows and columns.

    `run`: outputs reached side by side. `weights`: bytes. `fours`: of inputs that a window sees.
    `frame`: bytes copied, 0 where the source needs no padding.
    """

    height: int
    width: int
    channels: int
    row_taps: int
    column_runs: int
    run: int
    windows: int
    groups: int
    fours: int
    lanes: int
    frame: int
    weights: int
    parts: int
    graded: bool

    def event_cost(self, rate: float, costs: Costs) -> float:
        """Return the cost of a step with a fraction `rate` of the sources active."""
        positions = self.height * self.width
        events = rate * positions * self.channels
        active = positions * (1 - (1 - rate) ** self.channels)
        vectors = math.ceil(self.run / costs.lanes)
        slower = costs.graded if self.graded else 1.0
        weight = costs.weight + (costs.far_weight if self.weights > CACHED else 0)
        if self.windows == 1 and positions == 1:
            return events * (costs.event + vectors * weight * slower)
        runs = self.row_taps * self.column_runs / positions
        per_position = costs.position + runs * (costs.run + vectors * costs.vector)
        return active * per_position + events * (costs.event + runs * vectors * weight * slower)

    def product_cost(self, costs: Costs) -> float:
        """Return the cost of a step by products."""
        dots = self.groups * self.fours * self.lanes / 16
        each = self.groups * math.ceil(self.lanes / 32) * costs.window + dots * costs.dot
        far = dots * costs.far_dot / 16 if self.windows < ROWS and self.weights > CACHED else 0
        return self.parts * (self.windows * each + far + self.frame * costs.copy)

    def depthwise_costs(self, rate: float, costs: Costs) -> tuple[float, float]:
        """Return the costs of events and of products of a convolution by channel."""
        taps = self.row_taps * self.column_runs / (self.height * self.width)
        events = rate * self.height * self.width * self.channels
        products = self.row_taps * self.column_runs * (self.channels * costs.channel + costs.run)
        return events * (costs.event + taps * costs.tap), products


def dense_fraction(layer: Layer, costs: Costs, depthwise: bool) -> float:
    """Return the fraction of active sources from which on products are faster; above 1 if never."""

    def gain(rate: float) -> float:
        if depthwise:
            events, products = layer.depthwise_costs(rate, costs)
            return events - products
        return layer.event_cost(rate, costs) - layer.product_cost(costs)

    low, high = 0.0, 1.0
    if gain(high) < 0:
        return 2.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if gain(middle) > 0 else (middle, high)
    return high

"""From a `Network` to a `Program`: targets, placement and cost."""

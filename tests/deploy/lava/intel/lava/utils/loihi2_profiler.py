"""A stand-in: where this module is, Lava takes Intel's package to be installed."""

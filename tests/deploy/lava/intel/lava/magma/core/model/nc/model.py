"""Stub of models that run on the chip's cores."""


class AbstractNcProcessModel:
    """No process has one, so that Lava falls back to those for the CPU."""

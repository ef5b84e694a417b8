"""Stub of models that run on the chip's embedded processors."""


class CLoihiProcessModel:
    """No process has one."""

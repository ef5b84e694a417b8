"""Engines: one signature, bit-identical traces; see `registry` and `run`."""

"""Lava process models that Lava lacks, or whose own version is slow.

Lava's compiler executes each file of this folder on its own when it searches the model of a
process, so they use no relative imports.
"""

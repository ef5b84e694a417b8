"""Placement: problem, tiling, partition, packing, mesh and lower bound."""

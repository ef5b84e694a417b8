"""Neurons, layers and networks as torch modules."""

"""Evaluation: accuracy over time, linear probes, k-nearest neighbors, fine-tuning, early exit."""

"""Protocols: what a network has learned, by neighbours, probes, fine-tuning and its features."""

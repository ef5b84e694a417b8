"""Cost of an inference: workload, traffic, energy, latency."""

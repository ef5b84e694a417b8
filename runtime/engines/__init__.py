"""The engines: one protocol, the same spikes."""

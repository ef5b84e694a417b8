"""Passes from Network to Network that depend on the target: schedule, relays, split."""

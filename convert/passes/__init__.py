"""Passes from Network to Network that hold for every target."""

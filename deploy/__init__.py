"""Deployment of a network: targets, placement, cost estimation and the Lava back end."""

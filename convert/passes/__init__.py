"""Passes: transformations of an integer `Network` that change no spike."""

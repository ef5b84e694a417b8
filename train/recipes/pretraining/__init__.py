"""The recipes of pretraining that ship with pumice, as TOML files."""

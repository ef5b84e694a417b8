"""The recipes that ship with pumice, as TOML files."""

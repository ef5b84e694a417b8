"""The recipes of recurrent networks that learn by STDP, as TOML files."""

"""Evidence for the methods of the papers: `python -m bench.evidence --help`."""

"""`python -m pumice`: the command line."""

from pumice.cli import main

main()

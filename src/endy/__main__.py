"""`python -m endy` is the `endy` command."""

from endy.cli import main

main()

"""`python -m zelador` is the command `zelador`."""

from zelador.cli.main import main

main()

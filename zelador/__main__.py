"""`python -m zelador` is the command `zelador`."""

from command.main import main

main()

"""The command line, with one file per command group. A service is imported only inside the command that runs it."""

"""The command line; one file a command group. A service is imported only inside the command that runs it."""

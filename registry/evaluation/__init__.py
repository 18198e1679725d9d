"""How well a model answers, and how sure that is: shared by trainer, admin server and command line. Pure."""

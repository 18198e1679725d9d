"""The admin server: the HTTP API and the web console, as one FastAPI app."""

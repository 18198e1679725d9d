"""The web console: pages rendered on the server, a folder for each, with live parts over server-sent events."""

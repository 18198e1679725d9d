"""The web console: pages made on the server, one folder each, with live parts over server-sent events."""

"""Runs the broker, Redis and all services on one machine, for `zelador up` and `zelador demo`."""

"""Broker, Redis and all services on one machine, from wheels: what `zelador up` and `zelador demo` run."""

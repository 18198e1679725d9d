"""Runs the broker, Redis and all services on one machine, for `zelador up` and `zelador demo`.

up          starts, supervises and stops everything, in order
parts       what is made before the start: ports, servers, settings, gate, passwords
supervisor  keeps the programs running
gate        the proxy through which devices reach the broker; gate_connection is one connection
admission   passwords of devices, with --listen
"""

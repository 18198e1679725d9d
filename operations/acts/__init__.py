"""What an operator does: each act changes something, records it in the audit log, and wakes whoever must know.

The admin server and the local command line call the same functions.
"""

"""The acts of an operator. Each act makes a change, records it in the audit log, and notifies the workers if needed.

The admin server and the local command line call the same functions.
"""

"""Tables of readings in files, read in one way by every command."""

from zelador.table.read import Rows, Wanted, read_table
from zelador.table.table import Table, open_table

__all__ = ["Rows", "Table", "Wanted", "open_table", "read_table"]

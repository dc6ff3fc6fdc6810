"""The table of commands, by what they are for; the rest of it is in `manager.py`."""

from migopy.table.records import Records

__all__ = ['Records']

"""How it is said."""

from migopy.tell.narrator import Narrator
from migopy.tell.report import Report

__all__ = ['Narrator', 'Report']

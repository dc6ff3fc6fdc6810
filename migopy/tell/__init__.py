"""How it is said."""

from migopy.tell.narrator import Narrator
from migopy.tell.report import Report
from migopy.tell.voice import Voice

__all__ = ['Narrator', 'Report', 'Voice']

"""Run MongoDB migrations from a Fabric fabfile."""

from migopy.errors import MigopyException, StopTaskExecution

__all__ = ['MigopyException', 'StopTaskExecution']

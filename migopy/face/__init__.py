"""How it is typed.

The rooms that import Fabric, `fab` and `remote`, are no part of this door: `fab` is
imported when a task is created.
"""

from migopy.face.asking import Asking
from migopy.face.help import in_full, overview
from migopy.face.needed import NoClassicFabric, fabrics, is_typed_as_task
from migopy.face.typed import (
    OF_DATABASE,
    Subtasks,
    call,
    is_yes,
    number,
    only_one,
    task,
)

__all__ = [
    'OF_DATABASE',
    'Asking',
    'NoClassicFabric',
    'Subtasks',
    'call',
    'fabrics',
    'in_full',
    'is_typed_as_task',
    'is_yes',
    'number',
    'only_one',
    'overview',
    'task',
]

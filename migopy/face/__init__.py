"""How it is typed.

The rooms that import Fabric or Invoke are not handed out here: `fab` is imported when a
task is created, `invoke` when a namespace is.
"""

from migopy.face.asking import Agreed, Asking
from migopy.face.help import in_full, overview
from migopy.face.marked import (
    OF_DATABASE,
    OF_MANY,
    base_of,
    has_many,
    is_for_each,
    is_own,
    original,
    require_one_kind,
)
from migopy.face.option_values import (
    file_of,
    help_command,
    in_place,
    is_yes,
    number,
    one_of,
    only_one,
    read_speed,
    refused_value,
)
from migopy.face.subtasks import (
    Subtasks,
    WrongOptions,
    call,
    has_option,
    require_taken,
    task,
    usage_of,
)
from migopy.face.which_fabric import (
    NoClassicFabric,
    NoInvoke,
    fabrics,
    in_place_of_class,
    is_called_as_task,
    is_fabric_1,
    task_for_later,
)

__all__ = [
    'OF_DATABASE',
    'OF_MANY',
    'Agreed',
    'Asking',
    'NoClassicFabric',
    'NoInvoke',
    'Subtasks',
    'WrongOptions',
    'base_of',
    'call',
    'fabrics',
    'file_of',
    'has_many',
    'has_option',
    'help_command',
    'in_full',
    'in_place',
    'in_place_of_class',
    'is_called_as_task',
    'is_fabric_1',
    'is_for_each',
    'is_own',
    'is_yes',
    'number',
    'one_of',
    'only_one',
    'original',
    'overview',
    'read_speed',
    'refused_value',
    'require_one_kind',
    'require_taken',
    'task',
    'task_for_later',
    'usage_of',
]

"""What to say of values and options that a command does not take."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Mapping, Sequence

from migopy.commands import PLACEHOLDERS, Option, Part, Usage, Where
from migopy.errors import enumerated
from migopy.face.flags import flags_of

#: How similar to an option an unknown one is that was meant as it.
SIMILARITY = 0.6


def no_such_option(
    option: str, known: Iterable[str], usage: Usage | None, flag: str = ''
) -> list[Part]:
    """Say that a command has no such option, and which one may be meant.

    `flag` is how it was typed, where options are flags. `usage` tells which options
    migopy's own command takes and the fabfile's override does not hand on.
    """
    if usage and option in usage.kept_back:
        return [
            *(Option(option), f' is not handed on by the {usage.name}() ', Where()),
            '; nothing was done.\nTo have all options, write it as'
            f' {usage.name}(self, *args, **kwargs) and hand both on to super()',
        ]
    near = difflib.get_close_matches(option, list(known), 1, cutoff=SIMILARITY)
    # A text that can be the name of no option is shown as it was typed.
    is_letter = len(option) == 1 and flag != ''
    is_spelled = option.isidentifier() and '_' not in flag and not is_letter
    shown: Part = Option(option) if is_spelled else flag or repr(option)
    said: list[Part] = ['there is no ', shown]
    if near:
        said += [' (did you mean ', Option(near[0]), '?)']
    return [*said, '; nothing was done']


def typed_as_value(signature: inspect.Signature, value: object) -> list[Part]:
    """Say how to type an option that was typed where a value stands; else nothing.

    It may stand there without its value, or as in other programs: `--dry-run`. A value
    that is no text was not typed: a task of the fabfile has given it.
    """
    if not isinstance(value, str):
        return []
    name = value.lstrip('-').replace('-', '_') if value.startswith('--') else value
    known = signature.parameters.get(name)
    if known is None or known.kind is not known.KEYWORD_ONLY:
        return []
    [flag] = flags_of([known])
    meant = Option(name, PLACEHOLDERS.get(name, flag.says if flag.is_switch else '…'))
    return [f'{value} is typed ', meant, ' here; nothing was done']


def misfit(
    signature: inspect.Signature, values: Sequence[str], options: Mapping[str, str]
) -> list[Part]:
    """Say what is missing or too much; nothing if something else is wrong."""
    parameters = signature.parameters.values()
    by_place = [each for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    for each in by_place[len(values) :]:
        if each.default is each.empty and each.name not in options:
            shown = PLACEHOLDERS.get(each.name, each.name.upper())
            return [f'it needs {shown}']
    for each in parameters:
        is_needed = each.kind is each.KEYWORD_ONLY and each.default is each.empty
        if is_needed and each.name not in options:
            return ['it needs ', Option(each.name, PLACEHOLDERS.get(each.name, '…'))]
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return []
    most = len(by_place)
    if len(values) <= most:
        return []
    takes = ('no value', 'one value')[most] if most < 2 else f'{most} values at most'
    behind = [repr(each) for each in values[most:]]
    too_much = 'is' if len(behind) == 1 else 'are'
    return [f'it takes {takes}, so {enumerated(behind)} {too_much} too much']

"""Values that a shell or Fabric might take for something else.

`touch executed` leaves a file behind where a shell executes it.
"""

from __future__ import annotations

import random

NASTY = [
    'plain',
    '',
    ' ',
    'two words',
    "it's",
    'say "hi"',
    '$HOME',
    '${HOME}',
    '$(touch executed)',
    '`touch executed`',
    '; touch executed;',
    '\ntouch executed\n',
    '& touch executed &',
    '| touch executed',
    '> executed',
    r'\$(touch executed)',
    r'\\$(touch executed)',
    r'\`touch executed\`',
    r'\"; touch executed; \"',
    r'\'; touch executed; \'',
    '\\\ntouch executed',
    '"; touch executed; "',
    "'; touch executed; '",
    "'$(touch executed)'",
    '!!',
    '!x',
    '#x',
    '~',
    '*',
    '?[a]{b,c}',
    'a\\b',
    r'a\\\\b',
    'a\nb\r\nc\td',
    '\x01\x1b[31m\x7f',
    'é ✓ 漢字 🙂',
    '-rf',
    '--help',
    'a,b',
    'a=b',
    'a=b=c,d',
    ',,==',
    r'a\,b\=c',
    'a:b',
    '%s %(x)s {0}',
]

#: What random values are made of: all that is special in some shell, or to Fabric.
ALPHABET = [
    *'\\\\\\\\\'\'""$$``(){}[]<>|&;!#~*?%^@ \t\n\r,=:.-ab1é✓',
    '$(touch executed)',
    '`touch executed`',
    ';touch executed;',
    '\ntouch executed\n',
]


def random_values(count: int, seed: int) -> list[str]:
    r"""Make values of the alphabet.

    None ends in a `\`, which Fabric has no way to write before a separator.
    """
    dice = random.Random(seed)
    lengths = [dice.randint(1, 12) for _ in range(count)]
    values = [''.join(dice.choices(ALPHABET, k=length)) for length in lengths]
    return [value.rstrip('\\') for value in values]

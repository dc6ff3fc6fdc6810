"""A word with a `=` in a value, which Fabric 1 cannot read."""

from __future__ import annotations

import itertools
import unittest

from fabric.main import parse_arguments

from migopy.face.unescaped import TypedWord


class WordTest(unittest.TestCase):
    def test_it_is_read_as_fabric_reads_it(self) -> None:
        for parts in itertools.product(('a', '=', ',', '\\', ':'), repeat=5):
            word = 't:' + ''.join(parts)
            with self.subTest(word):
                found = TypedWord.of(word)
                try:
                    [(task, values, options, *_)] = parse_arguments([word])
                except ValueError:
                    self.assertFalse(found.is_readable)
                    continue
                self.assertTrue(found.is_readable)
                self.assertEqual(found.task, task)
                subtask = [] if found.subtask is None else [found.subtask]
                self.assertEqual([*subtask, *found.values], values)
                self.assertEqual(found.options, options)

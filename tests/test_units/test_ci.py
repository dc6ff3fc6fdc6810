"""`.ci/run`: the lists of what runs more than once."""

from __future__ import annotations

import re
import unittest

from tests import readme

MODULES = readme.ROOT / 'tests/test_integrations'


def patterns(name: str) -> list[str]:
    """Give the patterns of a list, `test_{a,b*}.py` as one for each."""
    text = (readme.ROOT / '.ci/run').read_text()
    [found] = re.findall(rf'(?ms)^{name}=\((.*?)^\)', text)
    words = re.sub('#.*', '', found).split()
    given = []
    for word in words:
        begin, names, end = re.findall(r'^(\w+)\{([\w,*]+)\}(.*)$', word)[0]
        given += [f'{begin}{each}{end}' for each in names.split(',')]
    return given


class ListsTest(unittest.TestCase):
    def test_each_module_is_there_and_is_run_once(self) -> None:
        for name in ('each_python', 'each_mongodb', 'old_library', 'old_mongodb'):
            found: list[str] = []
            for pattern in patterns(name):
                with self.subTest(name, pattern=pattern):
                    modules = sorted(each.name for each in MODULES.glob(pattern))
                    self.assertTrue(modules)
                    found += modules
            self.assertEqual(sorted(found), sorted(set(found)))


if __name__ == '__main__':
    unittest.main()

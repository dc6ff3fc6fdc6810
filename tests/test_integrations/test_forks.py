"""Commands that the tests fork are what they are where they start from nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import unittest
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

from tests import forks
from tests.project import FAB, MIGOPY, FabTest, clean_environment

TELLING = """
    import json, os, signal, sys
    import migopy

    class Migrations(migopy.MigrationsManager):
        MONGO_URI = '{uri}'
        MONGO_DATABASE = '{database}'

        def tell(self):
            tell()

        def streams(self):
            print(json.dumps(streams()))

    migrations = Migrations.create_task()

    def tell():
        main = sys.modules['__main__']
        file = getattr(main, '__file__', None)
        with open('/proc/self/fd/0') as stdin:
            typed = stdin.read()
        print(json.dumps({
            'arguments': sys.argv, 'main': [main.__name__, file], 'path': sys.path,
            'folder': os.getcwd(), 'environment': dict(os.environ), 'stdin': typed,
            'files': len(os.listdir('/proc/self/fd')), 'umask': os.umask(0o22),
            'handlers': [str(signal.getsignal(n)).partition(' at ')[0]
                         for n in (2, 13, 15, 17)],
            'streams': streams(),
            'migopy': sorted(each for each in sys.modules if 'migopy' in each),
            'group': os.getpgrp(), 'session': os.getsid(0),
        }))
        print('said', file=sys.stderr)
        sys.exit(3)

    def streams():
        return [(each.name, each.encoding, each.errors, each.line_buffering,
                 each.isatty()) for each in (sys.stdin, sys.stdout, sys.stderr)]

    def wait():
        print('begun', flush=True)
        signal.pause()
"""


@unittest.skipUnless(hasattr(os, 'pidfd_open'), 'only on Linux are any forked')
class ForksTest(FabTest):
    fabfile = TELLING

    def begin(
        self, kind: Any, *arguments: str, **environment: str
    ) -> subprocess.Popen[str]:
        process: subprocess.Popen[str] = kind(
            [str(self.program), *arguments],
            cwd=self.folder,
            env=clean_environment(OF_THE_TEST='é', **environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.kill)
        return process

    def test_all_that_a_process_has_is_the_same(self) -> None:
        self.maxDiff = None
        for self.program in (FAB, MIGOPY):
            told = []
            for kind in (subprocess.Popen, forks.Forked):
                result = self.ended(self.begin(kind, 'tell'))
                self.assertEqual((result.status, result.stderr), (3, 'said\n'), kind)
                told.append(json.loads(result.stdout))
                if self.program == MIGOPY:
                    told[-1].pop('files')  # threads of its client open some
            with self.subTest(self.program):
                self.assertEqual(*told)

    def test_on_a_terminal_too(self) -> None:
        told = []
        for are_forked in (False, True):
            with mock.patch.object(forks, 'are_for', return_value=are_forked):
                told.append(self.on_terminal('migrations:streams'))
        self.assertEqual(told[0].count('true]'), 3, told)
        self.assertEqual(*told)

    def test_threads_may_be_the_first_at_once(self) -> None:
        """An environment that no other test has needs a source of its own."""
        own = {'LC_OF_THE_TEST': uuid.uuid4().hex}
        with ThreadPoolExecutor(4) as pool:
            begun = [
                pool.submit(self.begin, forks.Forked, 'tell', **own) for _ in range(4)
            ]
            for each in begun:
                self.assertEqual(self.ended(each.result()).status, 3)

    def test_what_is_fabric_s_is_imported_anew(self) -> None:
        """And what a command of migopy does, but for what a fabfile has imported."""
        program = f'import {", ".join(forks.IMPORTED)}, sys; print(*sys.modules)'
        found = subprocess.check_output(
            [str(self.program.with_name('python')), '-c', program], text=True
        ).split()
        for name in ('fabric', 'migopy.face.fab', 'migopy.operations.executing'):
            self.assertNotIn(name, found)

    def test_it_ends_by_a_signal_as_others_do(self) -> None:
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            statuses = []
            for kind in (subprocess.Popen, forks.Forked):
                process = self.begin(kind, 'wait')
                assert process.stdout is not None
                self.assertEqual(process.stdout.readline(), 'begun\n')
                self.assertIsNone(process.poll())
                with self.assertRaises(subprocess.TimeoutExpired):
                    process.wait(0.01)
                process.send_signal(number)
                process.communicate(timeout=60)
                statuses.append(process.wait())
            self.assertEqual(*statuses)

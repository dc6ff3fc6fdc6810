"""What the embedded server does where a script, or nothing, stands in for mongod."""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from migopy.server import mongod, programs
from migopy.server.embedded import PrivateMongod
from migopy.server.mongod import MongodFailed
from migopy.server.programs import NoMongod


class FolderTest(unittest.TestCase):
    """A test with a temporary folder, and no mongod that could be found."""

    def setUp(self):
        super().setUp()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name).resolve()
        self.programs = self.folder / 'bin'
        self.programs.mkdir()
        for patch in (
            mock.patch.dict(sys.modules, {'fiftyone': None}),
            mock.patch.dict(
                os.environ, {'PATH': str(self.programs), 'MIGOPY_MONGOD': ''}
            ),
        ):
            patch.start()
            self.addCleanup(patch.stop)

    def fake_mongod(self, script: str) -> Path:
        """Put a shell script in mongod's place on PATH."""
        path = self.programs / 'mongod'
        path.write_text(f'#!/bin/sh\nPATH=/bin:/usr/bin\n{script}\n')
        path.chmod(0o755)
        return path


class FindMongodTest(FolderTest):
    def bundled_mongod(self, script: str = 'exit 0') -> Path:
        """Put a shell script in the place of the `mongod` extra's binary."""
        package = self.folder / 'site' / 'fiftyone'
        path = package / 'db' / 'bin' / 'mongod'
        path.parent.mkdir(parents=True)
        # FiftyOne itself, a heavy package of the same name, is not imported.
        (package / '__init__.py').write_text('raise ImportError("heavy")')
        path.write_text(f'#!/bin/sh\nPATH=/bin:/usr/bin\n{script}\n')
        path.chmod(0o755)
        patch = mock.patch.object(sys, 'path', [str(package.parent)])
        patch.start()
        self.addCleanup(patch.stop)
        del sys.modules['fiftyone']
        return path

    def test_without_any_the_error_names_the_extra_and_the_variable(self):
        with self.assertRaises(NoMongod) as caught:
            programs.find_mongods()
        self.assertIn('MIGOPY_MONGOD in the environment', str(caught.exception))
        self.assertRegex(
            str(caught.exception), r'pip install "migopy(-core)?\[mongod\]"'
        )

    def test_beside_fabric_3_it_is_the_extra_of_migopy_core(self):
        """`migopy[mongod]` would lay Fabric 1, or migopy 1.0, over what is there."""
        known = self.folder / 'site/migopy_core-2.0.0.dist-info/METADATA'
        known.parent.mkdir(parents=True)
        known.write_text('Metadata-Version: 2.1\nName: migopy-core\nVersion: 2.0.0\n')
        with (
            mock.patch.object(sys, 'path', [*sys.path, str(self.folder / 'site')]),
            self.assertRaises(NoMongod) as caught,
        ):
            programs.find_mongods()
        self.assertIn('pip install "migopy-core[mongod]"', str(caught.exception))

    def test_without_any_no_folder_is_made(self):
        with self.assertRaises(NoMongod), PrivateMongod(self.folder / 'd').running():
            self.fail('there is no mongod to run')
        self.assertFalse((self.folder / 'd').exists())

    def test_the_one_on_path_is_found(self):
        self.assertEqual([self.fake_mongod('exit 0')], programs.find_mongods())

    def test_the_extras_is_found_without_an_import(self):
        self.assertEqual([self.bundled_mongod()], programs.find_mongods())

    def test_the_newer_one_comes_first(self):
        """Of equal ones, and where a version cannot be told, the extra's."""
        versions = {
            ('6.0.5', '7.0.2'): 'path',
            ('6.0.5', '6.0.27'): 'path',
            ('6.0.5', '10.0.0'): 'path',
            ('6.0.5', '6.0.5'): 'bundled',
            ('6.0.5', '4.4.2'): 'bundled',
            ('6.0.5', 'odd'): 'bundled',
            ('odd', 'odd'): 'bundled',
        }
        bundled = self.bundled_mongod('cat "$0.version"')
        on_path = self.fake_mongod('cat "$0.version"')
        for (of_bundled, of_path), first in versions.items():
            with self.subTest(bundled=of_bundled, path=of_path):
                for program, version in (bundled, of_bundled), (on_path, of_path):
                    Path(f'{program}.version').write_text(f'db version v{version}\n')
                both = [bundled, on_path] if first == 'bundled' else [on_path, bundled]
                found = programs.newest_first(programs.find_mongods())
                self.assertEqual(both, found)

    def test_one_of_another_machine_comes_last(self):
        bundled = self.bundled_mongod('echo db version v6.0.5')
        on_path = self.fake_mongod('')
        on_path.write_bytes(b'\x7fELF of another world')
        found = programs.newest_first(programs.find_mongods())
        self.assertEqual([bundled, on_path], found)

    def test_one_that_does_not_tell_its_version_comes_last(self):
        bundled = self.bundled_mongod('echo db version v6.0.5')
        on_path = self.fake_mongod('exec sleep 60')
        with mock.patch.object(programs, 'VERSION_SECONDS', 0.2):
            found = programs.newest_first([on_path, bundled])
        self.assertEqual([bundled, on_path], found)

    def test_the_environment_may_name_one(self):
        self.bundled_mongod()
        self.fake_mongod('exit 0')
        chosen = self.folder / 'mine'
        chosen.touch(mode=0o755)
        with mock.patch.dict(os.environ, MIGOPY_MONGOD=str(chosen)):
            self.assertEqual([chosen], programs.find_mongods())
        absent = mock.patch.dict(os.environ, MIGOPY_MONGOD='/no/mongod')
        with absent, self.assertRaisesRegex(NoMongod, 'MIGOPY_MONGOD is /no/mongod'):
            programs.find_mongods()


class StartTest(FolderTest):
    def start(self):
        data = self.folder / 'data'
        with PrivateMongod(data).running():
            self.fail('a script is no server')

    def test_one_that_ends_is_an_error_with_its_status_and_its_last_words(self):
        self.fake_mongod(
            'echo "libcurl.so.4: cannot open shared object file"; exit 127'
        )
        with self.assertRaisesRegex(MongodFailed, 'status 127') as caught:
            self.start()
        self.assertIn('libcurl.so.4: cannot open', str(caught.exception))
        self.assertEqual(self.folder / 'data', caught.exception.folder)

    def test_errors_in_the_log_are_shown_rather_than_its_end(self):
        lines = ['{"s":"E", "msg":"disk full"}'] + ['{"s":"I", "msg":"exiting"}'] * 9
        script = '\n'.join(f"echo '{line}'" for line in lines)
        self.fake_mongod(f'{script}\nexit 100')
        with self.assertRaisesRegex(MongodFailed, 'disk full') as caught:
            self.start()
        self.assertNotIn('exiting', str(caught.exception))

    def test_one_that_does_not_start_in_time_is_ended(self):
        self.fake_mongod(f'echo $$ > {self.folder}/pid; exec sleep 60')
        impatient = mock.patch.object(mongod, 'START_SECONDS', 0.5)
        error = self.assertRaisesRegex(MongodFailed, 'did not start within')
        with impatient, error:
            self.start()
        with self.assertRaises(ProcessLookupError):
            os.kill(int((self.folder / 'pid').read_text()), 0)

    def test_a_library_that_is_missing_is_told_with_its_package(self):
        """As the loader says it on a slim image."""
        self.fake_mongod(
            'echo "mongod: error while loading shared libraries: libcurl.so.4: cannot'
            ' open shared object file: No such file or directory" >&2; exit 127'
        )
        with self.assertRaisesRegex(MongodFailed, 'apt-get install libcurl4'):
            self.start()

    def test_the_first_failure_is_told_where_no_mongod_can_read_the_data(self):
        failing = []
        for number in (1, 2):
            failing.append(self.folder / f'mongod{number}')
            failing[-1].write_text(f'#!/bin/sh\necho failure {number}\nexit 62\n')
            failing[-1].chmod(0o755)
        self.fake_mongod('exit 0')
        both = mock.patch.object(programs, 'newest_first', lambda _: failing)
        with both, self.assertRaisesRegex(MongodFailed, 'failure 1'):
            self.start()

    def test_a_binary_of_another_machine_is_an_error(self):
        (self.programs / 'mongod').write_bytes(b'\x7fELF of another world')
        (self.programs / 'mongod').chmod(0o755)
        with self.assertRaisesRegex(MongodFailed, 'failed: .*Exec format'):
            self.start()

    def test_a_file_in_the_folders_place_is_an_error(self):
        self.fake_mongod('exit 0')
        (self.folder / 'data').touch()
        with self.assertRaisesRegex(MongodFailed, 'no place there: .*\nName a folder'):
            self.start()

    def test_a_gate_that_stays_shut_is_an_error_that_names_its_holder(self):
        self.fake_mongod('exit 0')
        (self.folder / 'data').mkdir()
        with open(self.folder / 'data' / 'gate.lock', 'w') as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            gate.write('4711')
            gate.flush()
            impatient = mock.patch.multiple(mongod, START_SECONDS=0.1, STOP_SECONDS=0.1)
            error = self.assertRaisesRegex(MongodFailed, r'kill 4711\b')
            with impatient, error:
                self.start()

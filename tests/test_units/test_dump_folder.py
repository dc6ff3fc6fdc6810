"""Folders of dumps as somebody else may have laid them: nothing else is read."""

from __future__ import annotations

import gzip
import json
import os
import random
import shlex
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import bson

from migopy.dumps import (
    Dump,
    DumpFailed,
    Dumps,
    ForeignDump,
    RestoreRefused,
    UnknownDump,
)
from migopy.dumps.database import dumped
from migopy.dumps.folder import TIME_FORMAT, seal
from migopy.dumps.format import Damaged
from migopy.folders import SharedFolder
from tests.dumps import FolderTest, database, spoil

METADATA = {
    'options': {'validator': {'n': {'$gt': {'$numberInt': '0'}}}},
    'indexes': [{'v': {'$numberInt': '2'}, 'key': {'_id': 1}, 'name': '_id_'}],
    'uuid': '3924e1ef',
    'collectionName': 'notes',
    'type': 'collection',
}

#: How many bad dumps are tried.
INPUTS = int(os.environ.get('MIGOPY_TEST_INPUTS', '1000'))


class LaidTest(FolderTest):
    """A test with a dump of two collections that was written by hand."""

    name = '20260101T100000Z_shop'

    def setUp(self) -> None:
        super().setUp()
        self.lay(self.name)

    def lay(self, name: str, database: str = 'shop', number: int = 1) -> Path:
        path = self.directory / name
        (path / database).mkdir(parents=True)
        self.directory.chmod(0o700)
        for collection in ('notes', 'tags'):
            metadata = json.dumps({**METADATA, 'collectionName': collection})
            (path / database / f'{collection}.metadata.json').write_text(metadata)
            (path / database / f'{collection}.bson').write_bytes(bson.encode({}))
        seal(path, database, number)
        return path

    def file(self, name: str) -> Path:
        return self.directory / self.name / 'shop' / name

    def seal_again(self) -> None:
        """Have the manifest vouch for the folder as it is now."""
        manifest = self.directory / self.name / 'migopy.json'
        manifest.unlink(missing_ok=True)
        seal(self.directory / self.name, 'shop', 1)

    def manifest(self, **changes: Any) -> None:
        path = self.directory / self.name / 'migopy.json'
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    def names(self) -> list[str]:
        dump = self.dumps().find('shop', self.name)
        return [stored.name for stored in dump.contents()]

    def assert_damaged(self, reason: str) -> None:
        with self.assertRaisesRegex(Damaged, reason):
            self.names()


class BadDumpTest(LaidTest):
    """A dump is what its manifest names, and what it names fits together."""

    def test_a_good_one_is_read(self) -> None:
        self.assertEqual(['notes', 'tags'], self.names())

    def test_what_the_manifest_does_not_name_is_not_restored(self) -> None:
        self.file('more.metadata.json').write_text(
            json.dumps({**METADATA, 'collectionName': 'more'})
        )
        self.file('more.bson').write_bytes(b'')
        os.mkfifo(self.file('pipe.bson'))
        self.assertEqual(['notes', 'tags'], self.names())

    def test_what_is_no_regular_file_is_not_read_and_not_waited_for(self) -> None:
        for name in ('notes.bson', 'notes.metadata.json'):
            for lay in (
                lambda path: os.mkfifo(path),
                lambda path: path.symlink_to(self.folder / 'kept'),
                lambda path: path.mkdir(),
            ):
                with self.subTest(name):
                    path = self.file(name)
                    path.replace(self.folder / 'kept')
                    lay(path)
                    self.assert_damaged(f'{name} is no regular file')
                    path.rmdir() if path.is_dir() else path.unlink()
                    (self.folder / 'kept').replace(path)

    def test_a_manifest_that_is_no_regular_file_is_no_dump(self) -> None:
        path = self.directory / self.name / 'migopy.json'
        path.replace(self.folder / 'kept')
        os.mkfifo(path)
        self.assertEqual([], self.dumps().of('shop'))
        path.unlink()
        path.symlink_to(self.folder / 'kept')
        self.assertEqual([], self.dumps().of('shop'))

    def test_a_folder_that_is_a_link_is_no_dump(self) -> None:
        path = self.directory / self.name
        path.rename(self.folder / 'kept')
        path.symlink_to(self.folder / 'kept')
        self.assertEqual([], self.dumps().of('shop'))
        path.unlink()
        (self.folder / 'kept').rename(path)
        (path / 'shop').rename(self.folder / 'kept')
        (path / 'shop').symlink_to(self.folder / 'kept')
        self.assert_damaged('shop is no folder')

    def test_a_manifest_names_no_file_elsewhere(self) -> None:
        for name in ('../x', '/etc/passwd', 'shop/../../x', 'shop//x', '', 'a/b/c'):
            with self.subTest(name):
                self.manifest(files={name: 1})
                self.assertEqual([], self.dumps().of('shop'))

    def test_a_manifest_has_counts_and_a_name(self) -> None:
        for changes in (
            {'files': {'shop/a.bson': -1}},
            {'files': {'shop/a.bson': True}},
            {'files': {'shop/a.bson': 1.5}},
            {'files': ['shop/a.bson']},
            {'database': ['shop']},
            {'database': '../shop'},
            {'database': '\ud800'},
            {'number': 'first'},
        ):
            with self.subTest(changes):
                self.manifest(**changes)
                self.assertEqual([], self.dumps().of('shop'))
                self.seal_again()

    def test_options_are_known_ones_and_no_other_part_of_the_command(self) -> None:
        for options in (
            {'create': 'other'},
            {'$db': 'other'},
            {'writeConcern': {'w': 0}},
            {'comment': 'x', 'capped': False},
            {'viewOn': 5},
            ['capped'],
        ):
            with self.subTest(options):
                self.file('notes.metadata.json').write_text(
                    json.dumps({**METADATA, 'options': options})
                )
                self.seal_again()
                self.assert_damaged('notes.metadata.json is damaged')

    def test_a_collection_has_one_file_and_that_has_its_name(self) -> None:
        for name in ('tags', 'other', 'system.users', 'system.buckets.x', '', 5):
            with self.subTest(name):
                self.file('notes.metadata.json').write_text(
                    json.dumps({**METADATA, 'collectionName': name, 'x': 1})
                )
                self.seal_again()
                if name == '':  # of older ones the file says it
                    self.assertEqual(['notes', 'tags'], self.names())
                else:
                    self.assert_damaged('notes.metadata.json is damaged')

    def test_no_collection_of_the_server_or_of_a_restore_is_restored(self) -> None:
        for name in ('system.users', 'system.buckets.x', 'migopy_restoring.1'):
            with self.subTest(name):
                path = self.file(f'{name}.metadata.json')
                path.write_text(json.dumps({**METADATA, 'collectionName': name}))
                self.file(f'{name}.bson').write_bytes(b'')
                self.seal_again()
                self.assert_damaged('is no name for a collection in a dump')
                path.unlink()
                self.file(f'{name}.bson').unlink()

    def test_indexes_are_what_the_server_can_be_asked_for(self) -> None:
        for indexes in (5, 'x', [5], [{}], [{'key': 5, 'name': 'x'}], [{'key': {}}]):
            with self.subTest(indexes):
                self.file('notes.metadata.json').write_text(
                    json.dumps({**METADATA, 'indexes': indexes})
                )
                self.seal_again()
                self.assert_damaged('notes.metadata.json is damaged')

    def test_metadata_that_no_server_can_be_sent_are_damaged(self) -> None:
        deep = '[' * 100_000 + ']' * 100_000
        for text in (
            json.dumps({**METADATA, 'options': {'size': 2**64}}),
            json.dumps({**METADATA, 'options': {'validator': {'\ud800': 1}}}),
            f'{{"indexes": [], "options": {deep}}}',
            '{"indexes": [], "options": {"size": {"$numberLong": "x"}}}',
            '[]',
            '',
        ):
            with self.subTest(text[:50]):
                self.file('notes.metadata.json').write_text(text)
                self.seal_again()
                self.assert_damaged('notes.metadata.json is damaged')

    def test_documents_belong_to_a_collection(self) -> None:
        self.file('notes.metadata.json').unlink()
        self.seal_again()
        self.assert_damaged('notes.bson belongs to no collection')
        self.file('notes.metadata.json').write_text(json.dumps(METADATA))
        self.file('notes.bson').unlink()
        self.seal_again()
        self.assert_damaged('notes.bson is missing from the dump')

    def test_a_bad_one_is_refused_before_the_server_is_asked(self) -> None:
        self.file('notes.bson').write_bytes(b'x')
        dump = self.dumps().find('shop', self.name)

        class Untouched:
            name = 'shop'

            @property
            def client(self) -> Any:
                return self

            def get_database(self, *_: Any, **__: Any) -> Any:
                return self

        with self.assertRaises(RestoreRefused):
            self.dumps().restore(Untouched(), dump)  # type: ignore[arg-type]

    def test_thousands_of_bad_ones_are_refused_or_read_and_nothing_else(self) -> None:
        seed = random.randrange(2**32)
        chance = random.Random(seed)
        good = self.directory / self.name
        shutil.copytree(good, self.folder / 'good')
        for number in range(INPUTS):
            with self.subTest(f'number {number} of seed {seed}'):
                spoil(good, 'shop', chance)
                try:
                    Dump.read(good).contents()
                except (Damaged, OSError):
                    pass
                finally:
                    shutil.rmtree(good)
                    shutil.copytree(self.folder / 'good', good)


class ForeignTest(LaidTest):
    """What mongodump has written for somebody is restored only where that is said."""

    def setUp(self) -> None:
        super().setUp()
        self.lay('dump')
        (self.directory / 'dump' / 'migopy.json').unlink()
        (self.directory / 'dump' / 'shop' / 'prelude.json').write_text('{}')

    def test_it_is_not_listed_and_not_found_unless_asked_for(self) -> None:
        self.assertEqual([self.name], [dump.name for dump in self.dumps().of('shop')])
        with self.assertRaisesRegex(ForeignDump, 'dbrestore,dump,foreign=yes'):
            self.dumps().find('shop', 'dump')
        dump = self.dumps().find('shop', 'dump', foreign=True)
        self.assertTrue(dump.foreign)
        self.assertEqual(['notes', 'tags'], [one.name for one in dump.contents()])

    def test_ours_is_found_whether_or_not_it_is_asked_for(self) -> None:
        self.assertFalse(self.dumps().find('shop', self.name, foreign=True).foreign)

    def test_what_holds_no_dump_of_the_database_is_said(self) -> None:
        for name, reason in {
            'dump': 'dump holds no dump of other, but of shop\n',
            self.name: f'{self.name} is of shop',
            '.gitignore': 'is no folder',
            'nothing': 'holds no dump of other: no folder of this name is in it\n',
            'shop': 'the files of one: they belong in a folder in it, other\n',
            'file': 'file/other is no folder\n',
        }.items():
            (self.directory / '.gitignore').touch()
            (self.directory / 'nothing').mkdir(exist_ok=True)
            (self.directory / 'file').mkdir(exist_ok=True)
            (self.directory / 'file' / 'other').touch()
            files = self.directory / 'dump' / 'shop'
            shutil.copytree(files, self.directory / 'shop', dirs_exist_ok=True)
            with self.subTest(name), self.assertRaisesRegex(UnknownDump, reason):
                self.dumps().find('other', name, foreign=True)

    def test_what_has_the_name_but_is_none_of_ours_is_not_said_to_be_missing(
        self,
    ) -> None:
        with self.assertRaises(UnknownDump) as caught:
            self.dumps().find('other', self.name)
        path = self.directory / self.name
        self.assertEqual(
            str(caught.exception),
            f'{path} is of shop, not of other\nNothing was done. To make a'
            ' dump of this database: fab migrations:dbdump',
        )
        self.lay('20260102T100000Z_other', 'other')
        with self.assertRaises(UnknownDump) as caught:
            self.dumps().find('other', self.name)
        self.assertEqual(
            str(caught.exception),
            f'{path} is of shop, not of other\nNothing was done. What can be restored:'
            '\n  20260102T100000Z_other',
        )

    def test_a_copy_under_another_name_is_told_what_it_is_to_be_named(self) -> None:
        shutil.copytree(self.directory / self.name, self.directory / 'before-2.0')
        (self.directory / 'link').symlink_to(self.name)
        for name, reason in {
            'before-2.0': 'is no dump: its name does not begin with the time when it',
            'link': 'link is no folder',
        }.items():
            with self.subTest(name), self.assertRaisesRegex(UnknownDump, reason):
                self.dumps().find('shop', name)
        made = datetime.strptime(self.name.partition('_')[0], TIME_FORMAT)
        copy = f'{made - timedelta(1):{TIME_FORMAT}}_before-2.0'
        (self.directory / 'before-2.0').rename(self.directory / copy)
        self.assertEqual(self.dumps().find('shop', copy).name, copy)

    def test_one_whose_manifest_is_damaged_is_ours_still(self) -> None:
        (self.directory / self.name / 'migopy.json').write_text('{')
        for foreign in (False, True):
            with self.assertRaisesRegex(UnknownDump, 'is no dump'):
                self.dumps().find('shop', self.name, foreign)

    def test_a_compressed_one_is_to_be_unpacked(self) -> None:
        path = self.directory / 'dump' / 'shop' / 'notes.bson'
        path.rename(path.with_name('notes.bson.gz'))
        with self.assertRaisesRegex(UnknownDump, f'gunzip -r {self.directory}/dump\n'):
            self.dumps().find('shop', 'dump', foreign=True)
        odd = self.directory / "ann's dump; ü"
        (self.directory / 'dump').rename(odd)
        with self.assertRaises(UnknownDump) as caught:
            self.dumps().find('shop', odd.name, foreign=True)
        said = str(caught.exception)
        typed = said.partition('Unpack it: ')[2].partition('\n')[0]
        self.assertEqual(shlex.split(typed), ['gunzip', '-r', str(odd)])

    def test_an_archive_is_said_to_be_one(self) -> None:
        # As mongodump --archive and --archive --gzip begin it.
        archive = b'\x6d\xe2\x99\x81' + bson.encode({'server_version': '6.0.27'})
        for name, content in {
            'archive': archive,
            'archive.gz': gzip.compress(archive),
        }.items():
            (self.directory / name).write_bytes(content)
            for foreign in (False, True):
                with self.subTest(name), self.assertRaises(UnknownDump) as caught:
                    self.dumps().find('shop', name, foreign)
                said = str(caught.exception)
                self.assertIn(f'{name} is an archive of mongodump, which mongo', said)
        for content in (
            b'',
            b'\x1f\x8b',
            gzip.compress(b'') + b'x',
            b'\x1f\x8b\x08abc',
        ):
            (self.directory / 'archive').write_bytes(content)
            with (
                self.subTest(content),
                self.assertRaisesRegex(UnknownDump, 'no folder'),
            ):
                self.dumps().find('shop', 'archive', foreign=True)

    def test_users_and_roles_belong_to_no_collection(self) -> None:
        """mongodump --dumpDbUsersAndRoles writes them without metadata."""
        users = self.directory / 'dump' / 'shop' / '$admin.system.users.bson'
        users.write_bytes(bson.encode({'_id': 'shop.ann'}))
        dump = self.dumps().find('shop', 'dump', foreign=True)
        self.assertEqual(['notes', 'tags'], [one.name for one in dump.contents()])
        db = database()
        db.list_collection_names = list
        self.assertIn('Its users and roles are not', self.dumps().cautions(db, dump)[0])

    def test_one_elsewhere_is_not_found(self) -> None:
        shutil.copytree(self.directory / 'dump', self.folder / 'dump')
        for name in ('../dump', str(self.folder / 'dump'), '.', '..', ''):
            with self.subTest(name), self.assertRaises(UnknownDump):
                self.dumps().find('shop', name, foreign=True)

    def test_it_is_read_as_strictly(self) -> None:
        path = self.directory / 'dump' / 'shop' / 'notes.bson'
        path.unlink()
        os.mkfifo(path)
        dump = self.dumps().find('shop', 'dump', foreign=True)
        with self.assertRaisesRegex(Damaged, 'no regular file'):
            dump.contents()


class ClockTest(LaidTest):
    """Clocks that are ahead."""

    def at(self, **ago: float) -> str:
        return f'{datetime.now(timezone.utc) - timedelta(**ago):{TIME_FORMAT}}_shop'

    def test_an_age_is_not_negative(self) -> None:
        self.lay(self.at(days=3))
        self.lay(self.at(seconds=-5), number=2)
        self.lay(self.at(hours=-5), number=3)
        *_, old, new, ahead = [dump.age for dump in self.dumps().of('shop')]
        assert old is not None
        self.assertEqual(3, old.days)
        self.assertEqual(timedelta(), new)
        self.assertIsNone(ahead)

    def test_the_order_is_that_in_which_they_were_made(self) -> None:
        ahead = self.lay(self.at(days=-100), number=2)
        new = self.lay(self.at(seconds=1), number=3)
        names = [dump.name for dump in self.dumps().of('shop')]
        self.assertEqual([self.name, ahead.name, new.name], names)

    def test_one_whose_name_is_no_line_is_none(self) -> None:
        self.lay(f'{self.at(days=1)}\x1b[2J\n')
        self.assertEqual([self.name], [dump.name for dump in self.dumps().of('shop')])


class PlaceTest(LaidTest):
    """The folder of the dumps is the user's."""

    def test_one_that_others_may_write_is_refused(self) -> None:
        self.directory.chmod(0o777)
        for use in (
            lambda: self.dumps().of('shop'),
            lambda: self.dumps().find('shop', self.name),
            lambda: self.dumps().make(database()),
        ):
            with self.assertRaisesRegex(SharedFolder, 'chmod go-w'):
                use()

    def test_as_1_0_made_it_it_is_fine(self) -> None:
        self.directory.chmod(0o755)
        self.assertEqual(1, len(self.dumps().of('shop')))

    def test_a_link_laid_beforehand_overwrites_nothing(self) -> None:
        elsewhere = self.folder / 'elsewhere'
        elsewhere.mkdir()
        linked = Dumps(self.folder / 'linked')
        linked.directory.symlink_to(elsewhere)
        for use in (linked.of, lambda _: linked.make(database())):
            with self.assertRaises(SharedFolder):
                use('shop')
        self.assertEqual([], list(elsewhere.iterdir()))

    def test_a_file_in_the_way_of_the_manifest_is_not_written_over(self) -> None:
        kept = self.folder / 'kept'
        kept.write_text('mine')
        path = self.directory / 'new'
        path.mkdir()
        (path / 'migopy.json').symlink_to(kept)
        with self.assertRaises(Damaged):
            seal(path, 'shop', 1)
        self.assertEqual('mine', kept.read_text())

    def test_what_a_killed_restore_left_is_no_part_of_a_dump(self) -> None:
        names = ['a', 'migopy_restoring.1', 'system.views', 'system.js']
        self.assertEqual(['a', 'system.js'], dumped(names))

    def test_keep_must_leave_one(self) -> None:
        with self.assertRaises(DumpFailed):
            self.dumps().make(database(), keep=-1)

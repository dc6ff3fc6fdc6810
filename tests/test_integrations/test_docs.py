"""Each page of the docs is done from its first block to its last, as a reader does.

Python is written into the file that the page names, commands are typed on a terminal
and what they show is compared. Where a page needs more than that, its class says what:

- `before_NAME` makes the world as the page supposes it before the block of that name,
- `check_NAME` takes the place of what is done with that block,
- `elsewhere` names blocks and the modules that test them.

A block for which none of these holds fails its page.
"""

from __future__ import annotations

import os

from tests import readme, transcripts
from tests.project import FabTest
from tests.readme import Block

REWRITES = bool(os.environ.get('MIGOPY_WRITE_DOCS'))


class PageTest(FabTest):
    """What is done with the blocks of `page`.

    Invariant: the database of the page is called `mydatabase` there; `stamps` are the
    times in the page's names of dumps and those that they have here.
    """

    page = ''
    files: dict[str, str] = {}  # noqa: RUF012
    elsewhere: dict[str, str] = {}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.environment: dict[str, str] = {}
        self.stamps: dict[str, str] = {}

    def do_the_page(self) -> None:
        """Do all that the page shows, in order."""
        for block in readme.blocks(self.page):
            key = block.name.replace('-', '_')
            with self.subTest(block=block.name or block.text):
                if block.name in self.elsewhere:
                    module = readme.ROOT / 'tests' / self.elsewhere[block.name]
                    self.assertIn(repr(block.name), module.read_text())
                    continue
                if block.name:
                    getattr(self, f'before_{key}', lambda: None)()
                getattr(self, f'check_{key or "any"}', self.check_any)(block)

    def check_any(self, block: Block) -> None:
        """Write the file that the block shows, or type its commands."""
        path = block.caption or self.files.get(block.name)
        if block.language == 'console':
            self.type(block)
        elif path is not None:
            self.write_as_told(path, block.text)
        else:
            self.fail(f'nothing tests this block of {self.page}:\n{block.text}')

    def write_as_told(self, path: str, text: str) -> None:
        """Write a file of the page; the database is the test's."""
        if path == 'fabfile.py':
            text = self.with_the_test_s_server(text)
        self.write(path, text)

    def with_the_test_s_server(self, text: str) -> str:
        """Have a fabfile of the page connect to the test's server."""
        for given in (
            "    MONGO_HOST = 'localhost'\n    MONGO_PORT = 27017\n",
            "    MONGO_URI = 'embedded:mongodata'\n",
        ):
            text = text.replace(given, '')
        return text.replace(
            "MONGO_DATABASE = 'mydatabase'",
            f'MONGO_URI = {self.uri!r}\n    MONGO_DATABASE = {self.db.name!r}',
        )

    def type(self, block: Block) -> None:
        """Type a block's commands and compare what they show, where that is told."""
        said, is_stale = [], False
        for shown in transcripts.commands(block.text):
            command = shown.command
            for there, here in self.stamps.items():
                command = command.replace(there, here)
            status, output = transcripts.typed(
                command, self.folder, **self.environment
            )
            output = self.as_on_the_page(output)
            if not shown.output:
                self.assertEqual(status, 0, f'{command}\n{output}')
            elif REWRITES and not transcripts.fits(shown.output, output):
                shown, is_stale = transcripts.Shown(shown.command, output), True
            elif not transcripts.fits(shown.output, output):
                self.assertEqual(
                    transcripts.masked(shown.output),
                    transcripts.masked(output),
                    f'{self.page}: {command}',
                )
            said.append(shown)
            found = (transcripts.STAMP.findall(each) for each in (shown.output, output))
            self.stamps.update(zip(*found))
        if is_stale:
            readme.rewrite(block, transcripts.text(said))

    def as_on_the_page(self, output: str) -> str:
        """Put the names of the page in the places of the test's."""
        for here, there in (
            (str(self.folder), '/srv/myproject'),
            (self.db.name, 'mydatabase'),
            (f'127.0.0.1:{(self.client.address or ("", 0))[1]}', 'localhost:27017'),
        ):
            output = output.replace(here, there)
        return transcripts.WHO.sub('deploy@web1', output)

    def add_users(self, count: int = 1000) -> None:
        """Have users with first and last names."""
        self.db.users.insert_many(
            {'_id': number, 'name': f'Ann No{number}'} for number in range(count)
        )

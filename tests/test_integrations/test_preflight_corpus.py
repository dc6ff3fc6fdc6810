"""What is found in files of the shapes that public projects have, each judged."""

from __future__ import annotations

from migopy.operations import order_up, preflighting
from tests import corpus
from tests.project import PlainTest

#: Of what is found so much may be wrong.
FEWER = 0.1


class CorpusTest(PlainTest):
    def test_fewer_than_one_in_ten_is_wrong_and_none_is_missed(self) -> None:
        corpus.load(self.db)
        before = self.db.command('dbHash')['md5']
        manager = self.manager()
        found, wrong, missed = 0, [], []
        for name in corpus.FILES:
            path = self.migration('001_x.py', corpus.text_of(name))
            order = order_up(manager, 'preflight', None)
            looked = preflighting.preflight(manager._site, order, manager._observer)
            path.unlink()
            names = sorted(each.name for each in looked.findings)
            wanted = corpus.WANTED.get(name, [])
            found += len(names)
            wrong += [(name, each) for each in names if each not in wanted]
            missed += [(name, each) for each in wanted if each not in names]
        self.assertEqual(self.db.command('dbHash')['md5'], before)
        self.assertGreaterEqual(len(corpus.FILES), 40)
        self.assertEqual(missed, [])
        self.assertLess(len(wrong) / found, FEWER, wrong)
        self.assertEqual(wrong, [])

"""The collection, cursor and database methods that PyMongo 4 dropped.

A migration file of 2014 says `db.notes.insert({'content': 'test'})`. To PyMongo 4
`db.notes.insert` is the collection "notes.insert", and calling a collection is a
`TypeError`. That call is the one thing taken over here: a collection whose last name
is a dropped method runs the method on its parent. So all that PyMongo 4 gives a
meaning keeps it, `db.notes.insert.find_one()` included.

Every method delegates to a call of today's PyMongo and gives what PyMongo 3.13 gave
(the facts are from its documentation and from running both on one server). Where
PyMongo 2 and 3 disagree on the order of arguments, these must be named.

`methods.py` lists the methods, with what runs each; `database.py` begins the way from
a database over its collections to their cursors.
"""

from migopy.pymongo3.answers import answered_by as answered_by
from migopy.pymongo3.collection import LegacyCollection as LegacyCollection
from migopy.pymongo3.collection import LegacyCursor as LegacyCursor
from migopy.pymongo3.commented import COMMENT as COMMENT
from migopy.pymongo3.commented import commented as commented
from migopy.pymongo3.counting import count_in_transaction as count_in_transaction
from migopy.pymongo3.database import LegacyDatabase as LegacyDatabase
from migopy.pymongo3.database import legacy_database as legacy_database
from migopy.pymongo3.methods import CLIENT_METHODS as CLIENT_METHODS
from migopy.pymongo3.methods import COLLECTION_METHODS as COLLECTION_METHODS
from migopy.pymongo3.methods import DATABASE_METHODS as DATABASE_METHODS
from migopy.pymongo3.refusals import DroppedByPyMongo as DroppedByPyMongo
from migopy.pymongo3.refusals import UuidsReadAsBinary as UuidsReadAsBinary
from migopy.pymongo3.refusals import written_uuid_advice as written_uuid_advice

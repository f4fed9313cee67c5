"""Reads pickles as inert data: nothing in a file can run code or take unbounded memory.

The opcodes are interpreted here, by a small stack machine that knows plain values, containers and
numeric NumPy arrays. Python's own unpickler imports and calls what a file names; this one only
notes it: any other object becomes a `PickledObject`, which holds the name of its class, its
arguments and its state. That is enough to read data frames, sparse matrices and body models
without the packages that wrote them.

What is read takes memory in proportion to the file: every opcode makes at most one object, lengths
are checked against the data that is there, the memo is a dictionary, and the result may neither be
nested deeply nor grow when shared parts are followed.
"""

from metrabs.inert_pickle.machine import load as load
from metrabs.inert_pickle.objects import ARRAYS as ARRAYS
from metrabs.inert_pickle.objects import NOTHING as NOTHING
from metrabs.inert_pickle.objects import Global as Global
from metrabs.inert_pickle.objects import PickledObject as PickledObject

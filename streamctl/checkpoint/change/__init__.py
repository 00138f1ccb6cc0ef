"""The only writer: changes of checkpoints, planned, journalled, switched in whole, reversible.

How a change stays whole. Every change is a list of *exchanges*: what is at a place and what is in
a slot of the trash change their places (`exchange.py`). Either may be absent, so that one primitive
puts a tree, a file or a pointer there, replaces it, or takes it away; and it is its own inverse, so
that undo is the same list backwards. What is new is built whole in its slot first, out of hard
links where it equals the old (`stage.py`): Spark never writes into a file that has its name
already, it writes beside and renames. On Linux one system call exchanges two directories, so that
a checkpoint is the old or the new at any moment, for whoever looks.

A list of exchanges is not one system call. So the list is written down before the first
(`pending.json`, under the lease), and taken away after the last. A process that dies between
leaves it, and the next command, or the next start, finishes it before anything else. How far it
came is seen from the inodes that the list names, not from a counter that could be stale. An
exchange that fails is answered by exchanging back those before it. Before the list is written
nothing but the trash was touched, so that the old state is whole without any work.

On an object store there is no rename, and nothing that replaces a tree in one step. There only
what is a single small file can be exchanged: the pointer to a generation. So a rotation works
everywhere, and what must take a tree away says that it cannot.
"""

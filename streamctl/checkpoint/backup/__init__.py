"""Backups of checkpoints that may be running, in a repository of our own.

`closure` says which files make a checkpoint at one batch, `take` stores them, `restore` puts them
back. A repository holds content by digest: `packs` are files of compressed groups of pieces, each
with an index beside it; a `manifest` names the pieces of every file and is written last, so that a
backup without one is no backup. `locks` keep `prune` away from all others.
"""

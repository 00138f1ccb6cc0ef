"""Bytes and values of each of Spark's formats. Knows no storage and no other package of ours."""

"""Beginnings of the names of the golden checkpoints that a damage is for."""

STATEFUL = ("hdfs", "rocksdb")
WATERMARKED = ("hdfs", "rocksdb-agg", "rocksdb-ch", "rocksdb-join", "rocksdb2-agg", "rocksdb2-ch")
HDFS = ("hdfs",)
ZIP = ("rocksdb-aggregation",)
ROCKS = ("rocksdb",)
CHANGELOG = ("rocksdb-changelog", "rocksdb2-changelog")
SINK = ("stateless-filesink", "hdfs-aggregation", "rocksdb-changelog")
FILES = ("hdfs-deduplication-files",)
KAFKA = ("hdfs-kafka", "stateless-kafka")
VERSION_2 = ("rocksdb-transform", "rocksdb2-transform", "rocksdb-join3")
"""Flavours whose operator metadata is of version 2."""

JUDGED = (
    "hdfs-aggregation",
    "hdfs-join",
    "hdfs-deduplication-files",
    "rocksdb-aggregation",
    "rocksdb-changelog",
    "rocksdb2-aggregation",
    "rocksdb2-changelog",
    "stateless-filesink",
    "rocksdb-join3",
    "rocksdb-transformwithstate",
    "rocksdb2-transformwithstate",
    "hdfs-kafka-aggregation",
    "stateless-kafka",
)
"""The flavours that real Spark is started on."""

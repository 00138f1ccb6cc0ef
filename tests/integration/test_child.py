"""A child that answers a question starts with the classes that a JVM before it has left."""

import os
from pathlib import Path

import pytest

from streamctl.jars import cache_directory, connector_at_hand, connector_jars
from streamctl.java import find_java
from streamctl.job.archive import archive_path
from streamctl.job.ask import ask

pytestmark = pytest.mark.integration
OPENING = """
from pyspark.sql import SparkSession
from jobs.at_launch import as_the_driver
given = {"spark.driver.extraJavaOptions": "-Xnonsense", "spark.driver.extraClassPath": "/own.jar"}
builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
spark = builder.config(map=as_the_driver(given)).getOrCreate()
print('{"classes": "' + spark.conf.get("spark.driver.extraClassPath") + '"}')
spark.stop()
"""
FROM_THE_ARCHIVE = "source: shared objects file (top)"


def test_a_child_loads_its_classes_from_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java = find_java()
    jars = connector_jars(java=java)
    (tmp_path / "jars").symlink_to(cache_directory() / "jars")
    monkeypatch.setenv("STREAMCTL_CACHE", str(tmp_path))
    (tmp_path / "opening.py").write_text(OPENING)
    archive = archive_path(tmp_path, java=java, jars=jars)
    archive.parent.mkdir()

    def open_with(option: str) -> str:
        monkeypatch.setenv("SPARK_SUBMIT_OPTS", option)
        [found] = ask("opening", [], project=tmp_path, timeout_seconds=120)
        return str(found["classes"])

    assert connector_at_hand() == jars
    said = open_with(f"-XX:ArchiveClassesAtExit={archive}")
    assert said.split(os.pathsep) == [*map(str, jars), "/own.jar"]
    assert archive.is_file()
    loaded = tmp_path / "loaded.log"
    open_with(f"-Xlog:class+load:file={loaded}")
    assert loaded.read_text().count(FROM_THE_ARCHIVE) > 1000

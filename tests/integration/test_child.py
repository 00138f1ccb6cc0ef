"""A child that answers a question starts with the classes that a JVM before it has left."""

import os
from pathlib import Path

import pytest

from streamctl.jars import cache_directory, connector_at_hand, connector_jars
from streamctl.java import find_java
from streamctl.job import archive
from streamctl.job.ask import ask
from streamctl.settings.model import Settings

pytestmark = pytest.mark.integration
OPENING = """
import json, os, pathlib, tempfile
import psutil
from jobs.question import open_session
from streamctl.settings.model import Settings
settings = Settings.model_validate_json(pathlib.Path("settings.json").read_text())
spark = open_session(settings)
option = spark.sparkContext.getConf().get
words = psutil.Process(spark.sparkContext._gateway.proc.pid).cmdline()
print(json.dumps({
    "secret": option("spark.hadoop.secret"),
    "memory": next(word for word in words if word.startswith("-Xmx")),
    "shown": any("hush" in word for word in words),
    "classes": words[words.index("-cp") + 1],
    "blocks": len(list(pathlib.Path(tempfile.gettempdir()).glob("blockmgr-*"))),
    "temporary": tempfile.gettempdir(),
}))
spark.stop()
"""
OPTIONS = {
    "spark.driver.extraJavaOptions": "-Xnonsense",
    "spark.driver.extraClassPath": "/own.jar",
    "spark.driver.memory": "700m",
    "spark.hadoop.secret": "${env:SECRET}",
}
FROM_THE_ARCHIVE = "source: shared objects file (top)"


def test_a_child_loads_its_classes_from_the_archive_and_shows_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java = find_java()
    jars = connector_jars(java=java)
    (tmp_path / "jars").symlink_to(cache_directory() / "jars")
    monkeypatch.setenv("STREAMCTL_CACHE", str(tmp_path))
    monkeypatch.setenv("SECRET", "hush")
    (tmp_path / "opening.py").write_text(OPENING)
    settings = Settings.model_validate({"spark": {"options": OPTIONS}})
    (tmp_path / "settings.json").write_text(settings.model_dump_json())
    made = archive.locate(tmp_path, java=java, jars=jars, class_path="/own.jar")

    def open_with(option: str) -> dict[str, object]:
        monkeypatch.setenv("SPARK_SUBMIT_OPTS", option)
        [found] = ask("opening", [], project=tmp_path, timeout_seconds=120, settings=settings)
        return dict(found)

    assert connector_at_hand() == jars
    said = open_with(f"-XX:ArchiveClassesAtExit={made}")
    assert str(said["classes"]).split(os.pathsep)[: len(jars) + 1] == [*map(str, jars), "/own.jar"]
    assert (said["secret"], said["shown"], said["memory"]) == ("hush", False, "-Xmx700m")
    assert said["blocks"] == 1
    assert not Path(str(said["temporary"])).exists()
    assert made is not None
    assert made.is_file()
    loaded = tmp_path / "loaded.log"
    open_with(f"-Xlog:class+load:file={loaded}")
    assert loaded.read_text().count(FROM_THE_ARCHIVE) > 1000

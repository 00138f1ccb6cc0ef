"""What is told of a child that failed, and that none is left behind."""

import time

import pytest

from streamctl.errors import DeadlinePassed
from streamctl.job.ask import ChildFailed, ask, reason
from streamctl.job.launcher import session_members

JAVA_CAUSE = """\
Traceback (most recent call last):
  File "x.py", line 1, in <module>
py4j.protocol.Py4JJavaError: An error occurred while calling o42.load.
: java.io.FileNotFoundException: File file:/x does not exist
\tat java.base/java.lang.Thread.run(Thread.java:840)
"""
DEEPER_CAUSE = """\
Caused by: org.apache.spark.SparkException: Job aborted
Caused by: java.lang.ArrayIndexOutOfBoundsException: Index 3 out of bounds for length 3
"""
PYTHON = """\
    raise converted from None
pyspark.errors.exceptions.captured.SparkRuntimeException: [STDS_X] it cannot. SQLSTATE: 42601
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (JAVA_CAUSE, "FileNotFoundException: File file:/x does not exist"),
        (DEEPER_CAUSE, "ArrayIndexOutOfBoundsException: Index 3 out of bounds for length 3"),
        (PYTHON, "SparkRuntimeException: [STDS_X] it cannot. SQLSTATE: 42601"),
        ("a line\nthe last line\n", "the last line"),
        ("", "it said nothing"),
    ],
    ids=["java", "deeper", "python", "plain", "nothing"],
)
def test_the_root_cause_is_told(text, told):
    assert reason(text) == told


@pytest.fixture
def module(tmp_path):
    def write(text):
        (tmp_path / "answering.py").write_text(text)
        return tmp_path

    return write


def test_lines_that_are_objects_are_the_answer(module):
    project = module("print('noise'); print('{\"a\": 1}'); print('{\"b\": 2}')")
    assert ask("answering", [], project=project, timeout_seconds=30) == [{"a": 1}, {"b": 2}]


def test_a_failed_child_is_an_error_even_with_an_answer(module):
    project = module("print('{}'); raise ValueError('no')")
    with pytest.raises(ChildFailed, match="ValueError: no"):
        ask("answering", [], project=project, timeout_seconds=30)


def test_past_the_deadline_the_child_and_what_it_started_are_gone(module, tmp_path):
    project = module(
        "import os, subprocess, time, pathlib\n"
        "subprocess.Popen(['sleep', '100'])\n"
        "pathlib.Path('pid').write_text(str(os.getpid()))\n"
        "time.sleep(100)\n"
    )
    began = time.monotonic()
    with pytest.raises(DeadlinePassed):
        ask("answering", [], project=project, timeout_seconds=3)
    assert time.monotonic() - began < 20
    assert session_members(int((tmp_path / "pid").read_text())) == []

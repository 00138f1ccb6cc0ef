"""Every log format, as Spark writes it and as crashes leave it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import CommitEntry, OffsetsEntry, SourceOffset
from streamctl.errors import Malformed, Unsupported

META = '{"batchWatermarkMs":7,"batchTimestampMs":9,"conf":{"a":"b"}}'


def test_offsets_v1_sources_are_named_by_their_place():
    entry = log.parse_offsets(f'v1\n{META}\n{{"t":{{"0":5}}}}\n-'.encode())
    assert entry.watermark_ms == 7
    assert entry.timestamp_ms == 9
    assert entry.conf == {"a": "b"}
    assert entry.sources == (
        SourceOffset(source_id="0", text='{"t":{"0":5}}'),
        SourceOffset(source_id="1", text=None),
    )


def test_offsets_v2_splits_at_the_first_colon():
    entry = log.parse_offsets(f'v2\n{META}\norders:{{"t":{{"0":5}}}}\nb:-'.encode())
    assert entry.sources == (
        SourceOffset(source_id="orders", text='{"t":{"0":5}}'),
        SourceOffset(source_id="b", text=None),
    )


@pytest.mark.parametrize(
    ("data", "error", "why"),
    [
        (b"", Malformed, "empty"),
        (b"v1", Malformed, "only the version line"),
        (b"v1\n{", Malformed, "cut in JSON"),
        (b"v1\n[]\n5", Malformed, "metadata is not an object"),
        (b"x1\n{}\n5", Malformed, "garbage first line"),
        (b"v0\n{}\n5", Malformed, "versions begin at 1"),
        (b"v3\n{}\n5", Unsupported, "written by a newer Spark"),
        (b"v2\n{}\n5", Malformed, "no colon in a named source line"),
        (b'v1\n{"batchWatermarkMs":"7"}\n5', Malformed, "a text where a number belongs"),
        (b'v1\n{"conf":{"a":1}}\n5', Malformed, "a number where a text belongs"),
        (b'v1\n{"batchWatermarkMs":NaN}\n5', Malformed, "NaN is not JSON"),
        (b"v1\n" + b"[" * 100_000, Malformed, "nested beyond sense"),
        (b"v1\n\xff\n5", Malformed, "not UTF-8"),
    ],
)
def test_damaged_offsets_are_a_typed_error(data, error, why):  # noqa: ARG001  for the reader
    with pytest.raises(error):
        log.parse_offsets(data)


@pytest.mark.parametrize(
    ("data", "watermark", "why"),
    [
        (b'v1\n{"nextBatchWatermarkMs":5}', 5, "since 2.4"),
        (b"v1\n{}", 0, "up to 2.3"),
        (b"v1", 0, "up to 2.3, without its second line"),
        (b"v1 \n{}\n", 0, "Spark trims the version line"),
        (b'v3\n{"nextBatchWatermarkMs":5,"sinkMetadataMap":{"a":{}}}', 5, "sink evolution"),
    ],
)
def test_commits_of_every_age_are_read(data, watermark, why):  # noqa: ARG001  for the reader
    assert log.parse_commit(data).next_watermark_ms == watermark


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", Malformed),
        (b"v1\n", None),
        (b"v1\n\n", Malformed),
        (b"v4\n{}", Unsupported),
        (b'v2\n{"stateUniqueIds":[]}', Malformed),
        (b'v2\n{"stateUniqueIds":{"0":[[1]]}}', Malformed),
        (b'v2\n{"stateUniqueIds":{"x":[["a"]]}}', Malformed),
    ],
)
def test_damaged_commits_are_a_typed_error(data, error):
    if error is None:
        assert log.parse_commit(data).version == 1
        return
    with pytest.raises(error):
        log.parse_commit(data)


def test_commit_v2_names_the_state_files():
    entry = log.parse_commit(b'v2\n{"nextBatchWatermarkMs":0,"stateUniqueIds":{"0":[["a"],["b"]]}}')
    assert entry.state_unique_ids == {0: (("a",), ("b",))}


@pytest.mark.parametrize(
    "data",
    [b'\0v1\n{"t":{"0":5}}', b'9{"t":{"0":5}}', b'\0v1\n{"t":{"0":5}}\n'],
    ids=["since 2.1.1", "2.1.0", "with a line end"],
)
def test_kafka_initial_offsets_skip_the_first_byte(data):
    assert log.parse_kafka_initial(data) == {"t": {0: 5}}


@pytest.mark.parametrize("data", [b"", b"\0", b"\0v1\n", b"\0v1\n5", b'\0v1\n{"t":{"x":5}}'])
def test_damaged_kafka_initial_offsets_are_a_typed_error(data):
    with pytest.raises(Malformed):
        log.parse_kafka_initial(data)


@pytest.mark.parametrize(
    ("text", "kafka"),
    [
        ('{"t":{"0":5,"11":6}}', {"t": {0: 5, 11: 6}}),
        ("5", None),
        ('{"logOffset":3}', None),
        ('{"a":{"b":1}}', None),
        ('{"a":{"0":true}}', None),
    ],
)
def test_only_kafkas_offsets_are_taken_apart(text, kafka):
    assert log.parse_kafka_offsets(text) == kafka


TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\n"), max_size=8)
LONG = st.integers(-(2**63), 2**63 - 1)
KAFKA = st.dictionaries(TEXT, st.dictionaries(st.integers(0, 99_999), LONG))


@st.composite
def offsets_entries(draw):
    version = draw(st.sampled_from([1, 2]))
    texts = draw(st.lists(st.none() | KAFKA.map(log.format_kafka_offsets) | st.just("5")))
    ids = draw(
        st.lists(TEXT.map(lambda t: t.replace(":", "_")), min_size=len(texts), max_size=len(texts))
    )
    return OffsetsEntry(
        version=version,
        watermark_ms=draw(LONG),
        timestamp_ms=draw(LONG),
        conf=draw(st.dictionaries(TEXT, TEXT)),
        extra={"sourceMetadataInfo": {}} if version == 2 else {},
        sources=tuple(
            SourceOffset(source_id=str(i) if version == 1 else ids[i], text=text)
            for i, text in enumerate(texts)
        ),
    )


@given(offsets_entries())
def test_parse_of_format_of_offsets_is_the_identity(entry):
    assert log.parse_offsets(log.format_offsets(entry)) == entry


@given(
    st.builds(
        CommitEntry,
        version=st.sampled_from([1, 2]),
        next_watermark_ms=LONG,
        state_unique_ids=st.none()
        | st.dictionaries(
            st.integers(0, 9), st.lists(st.lists(TEXT).map(tuple)).map(tuple), max_size=3
        ),
    )
)
def test_parse_of_format_of_commits_is_the_identity(entry):
    assert log.parse_commit(log.format_commit(entry)) == entry


@given(KAFKA)
def test_parse_of_format_of_kafka_initial_offsets_is_the_identity(offsets):
    assert log.parse_kafka_initial(log.format_kafka_initial(offsets)) == offsets


@given(TEXT)
def test_parse_of_format_of_metadata_is_the_identity(query_id):
    assert log.parse_metadata(log.format_metadata(query_id)) == query_id

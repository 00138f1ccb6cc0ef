"""What an operator's own files say: its name, stores and schemas.

Follows `OperatorStateMetadata` (versions 1 and 2) and `SchemaHelper` with
`StateSchemaCompatibilityChecker` (schema versions 1 to 3).
"""

import io
from dataclasses import dataclass
from typing import Any

from streamctl.checkpoint.formats import decode
from streamctl.checkpoint.formats.javaio import DataInput
from streamctl.checkpoint.formats.types import check_struct
from streamctl.errors import Malformed

METADATA_NEWEST = 2
SCHEMA_NEWEST = 3
_MOST_CHUNKS = 4096
_MOST_FAMILIES = 100_000
_DEFAULT_FAMILY = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreInfo:
    """One store of an operator, as its metadata names it.

    Attributes:
        name: "default", or one of a join's stores.
        prefix_key_columns: leading columns of the key that a scan may use.
        partitions: how many there are.
        schema_paths: absolute paths of schema files (metadata version 2); they bind the
            checkpoint to its place.
    """

    name: str
    prefix_key_columns: int
    partitions: int
    schema_paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorMetadata:
    """A stateful operator.

    Attributes:
        version: 1, or 2 (transformWithState, join format 3 and later).
        operator_id: its number in the plan.
        name: the operator's short name, such as "stateStoreSave".
        stores: in Spark's order.
        properties: the operator's own JSON; empty in version 1.
    """

    version: int
    operator_id: int
    name: str
    stores: tuple[StoreInfo, ...]
    properties: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilySchema:
    """The rows of one column family: Spark's JSON of both struct types."""

    family: str
    key: Any
    value: Any
    key_schema_id: int = 0
    value_schema_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSchema:
    """A schema file: its version and one schema per column family."""

    version: int
    families: tuple[FamilySchema, ...]


def parse_operator_metadata(data: bytes, *, name: str) -> OperatorMetadata:
    """One operator metadata file.

    Raises:
        Malformed: empty, cut, or another shape.
        Unsupported: a version newer than 2.
    """
    first, _, rest = decode.lossy(data).partition("\n")
    if not data:
        raise Malformed(f'"{name}" is empty')
    version = decode.version(first, newest=METADATA_NEWEST, name=name)
    fields = decode.json_object(rest, name=name)
    info, stores = fields.get("operatorInfo"), fields.get("stateStoreInfo")
    if stores is None and version == 1:  # Scala's reader takes a lost array for an empty one
        stores = []
    if not isinstance(info, dict) or not isinstance(stores, list):
        raise Malformed(f'"{name}" names no operator or no stores')
    properties = fields.get("operatorPropertiesJson")
    return OperatorMetadata(
        version=version,
        operator_id=decode.take_int(info, "operatorId", name=name),
        name=decode.take_str(info, "operatorName", name=name),
        stores=tuple(_store(item, name=name) for item in stores),
        properties=decode.json_value(properties, name=name)
        if isinstance(properties, str) and properties
        else None,
    )


def _store(item: Any, *, name: str) -> StoreInfo:
    if not isinstance(item, dict):
        raise Malformed(f'"{name}" describes a store in another shape')
    single = item.get("stateSchemaFilePath")  # before the release of 4.0
    paths = item.get("stateSchemaFilePaths", [single] if single else [])
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise Malformed(f'"{name}" has schema paths of another shape')
    return StoreInfo(
        name=decode.take_str(item, "storeName", name=name),
        prefix_key_columns=decode.take_int(item, "numColsPrefixKey", name=name),
        partitions=decode.take_int(item, "numPartitions", name=name),
        schema_paths=tuple(paths),
    )


def parse_schema(data: bytes, *, name: str) -> StateSchema:
    """One schema file of any version.

    Raises:
        Trailing: a whole schema, and then something else, which Spark does not look at.
        Malformed: empty, cut, or another shape.
        Unsupported: a version newer than 3.
    """
    source = DataInput(io.BytesIO(data), name=name)
    version = decode.version(source.text(), newest=SCHEMA_NEWEST, name=name)
    if version == 1:
        families: tuple[FamilySchema, ...] = (_family(source.text(), source.text(), name=name),)
    elif version == SCHEMA_NEWEST:
        families = _families(source, name=name)
    else:
        families = (_family(_chunked(source, name=name), _chunked(source, name=name), name=name),)
    if not source.at_end():
        raise decode.Trailing(f'"{name}" goes on after its end')
    return StateSchema(version=version, families=families)


def _families(source: DataInput, *, name: str) -> tuple[FamilySchema, ...]:
    count = source.int32()
    if not 0 <= count <= _MOST_FAMILIES:
        raise Malformed(f'"{name}" says it has {count} column families')
    found = []
    for _ in range(count):
        family, key_id = source.text(), source.int16()
        key, value_id = _chunked(source, name=name), source.int16()
        value = _chunked(source, name=name)
        _chunked(source, name=name)  # how keys are encoded
        _chunked(source, name=name)  # the user's key schema
        found.append(
            FamilySchema(
                family=family,
                key=_row(key, name=name),
                value=_row(value, name=name),
                key_schema_id=key_id,
                value_schema_id=value_id,
            )
        )
    return tuple(found)


def _family(key: str, value: str, *, name: str) -> FamilySchema:
    return FamilySchema(
        family=_DEFAULT_FAMILY,
        key=_row(key, name=name),
        value=_row(value, name=name),
    )


def _row(text: str, *, name: str) -> Any:
    value = decode.json_value(text, name=name)
    check_struct(value, name=name)
    return value


def _chunked(source: DataInput, *, name: str) -> str:
    count = source.int32()
    if not 0 <= count <= _MOST_CHUNKS:
        raise Malformed(f'"{name}" says it has a text of {count} pieces')
    return "".join(source.text() for _ in range(count))

"""The types of the rows that an operator keeps, as its schema files say them."""

from typing import Any

from streamctl.checkpoint.formats.operator import OperatorMetadata, StateSchema, parse_schema
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Files
from streamctl.checkpoint.tree.state import Operator

Rows = tuple[Any, Any]
"""Spark's JSON of the struct types of key and value."""


def read_rows(
    files: Files, operator: Operator, metadata: OperatorMetadata | None
) -> dict[str, Rows]:
    """Rows by store, or by column family where there are several.

    Metadata of version 2 names its schema files, of which the last counts (`SchemaHelper`); before
    that, the first partition of each store has one.

    Raises:
        FileNotFoundError: a file vanished since the scan.
        Malformed, Unsupported: a schema cannot be read.
    """
    found: dict[str, Rows] = {}
    for store in metadata.stores if metadata else ():
        for place in store.schema_paths[-1:]:
            folder = layout.join(operator.path, layout.STATE_SCHEMA, store.name)
            found |= _rows(_schema(files, f"{folder}/{place.rpartition('/')[2]}"), store.name)
    for at in operator.stores if not found else ():
        path = layout.join(at.path, layout.OPERATOR_METADATA, "schema")
        if at.partition_id == 0 and files.exists(path):
            found |= _rows(_schema(files, path), at.name)
    return found


def _schema(files: Files, path: str) -> StateSchema:
    return parse_schema(files.read(path), name=path)


def _rows(schema: StateSchema, store: str) -> dict[str, Rows]:
    if len(schema.families) == 1:
        return {store: (schema.families[0].key, schema.families[0].value)}
    return {family.family: (family.key, family.value) for family in schema.families}

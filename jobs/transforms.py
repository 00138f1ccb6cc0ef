"""From Kafka records to typed fields, with every reason why a record cannot count.

Two ways lead to one answer. The fast way parses the JSON straight into typed columns and is
all that a good record costs. Only what it does not find good goes the slow way, which parses
into VARIANT, where the exact JSON type of each field is still known, and collects all reasons.
The fast way may send a good record the slow way, never the other way round. The session must
have `SPARK_OPTIONS`.

Both parse `[<value>,{}]` instead of `<value>`: Spark's parser stops after the first JSON value,
so `{...} garbage` would pass; inside an array it does not, and a single record is exactly two
elements.

| value | reason |
|---|---|
| null (a tombstone) | `missing:value` |
| not UTF-8, not JSON, empty, NaN, several values, text around it | `invalid_json` |
| JSON, but no object (`5`, `null`, `[{}]`) | `schema_mismatch:value` |
| field of another JSON type; text that is no ISO 8601 time | `schema_mismatch:<field>` |
| field absent or null, where it must be there | `missing:<field>` |
| a rule of the job broken | the rule's own reason |

A name given twice counts with its last value. Fields that the schema does not name are ignored.
A time without a zone is UTC. Digits past the microsecond are cut.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812  (the name that Spark's users know)

from jobs.job import Rule
from streamctl.errors import SettingsInvalid

RECORD = ("key", "value", "headers", "topic", "partition", "offset", "timestamp")

SPARK_OPTIONS = {
    # A field of another type must not leave the rest of the fast parse behind.
    "spark.sql.json.enablePartialResults": "false",
    # In the slow parse, as in the fast one, the last value of a name counts.
    "spark.sql.variant.allowDuplicateKeys": "true",
}
"""What `judge` needs of the session."""

_ISO_TIME = (
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
    "([.][0-9]{1,9})?(Z|[+-][0-9]{2}:?[0-9]{2})?$"
)
_OPTIONS = "map('allowSingleQuotes', 'false', 'allowNonNumericNumbers', 'false')"
_TEXT = "CAST(value AS STRING)"
_WRAPPED = f"concat('[', {_TEXT}, ',{{}}]')"

# The JSON types, as `schema_of_variant` calls them, that are exactly of an SQL type.
_JSON_TYPES = {
    "STRING": "STRING",
    "BOOLEAN": "BOOLEAN",
    "BIGINT": "BIGINT",
    "DOUBLE": "BIGINT|DECIMAL.*|DOUBLE",
    "TIMESTAMP": "STRING",
}
_SLOW_PARSE = f"from_json({_WRAPPED}, 'ARRAY<VARIANT>', {_OPTIONS})"
_PARSED_EXACTLY = {"BOOLEAN", "BIGINT", "DOUBLE"}  # Spark's parser takes no other JSON type


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a record: its SQL type, and whether it must be there."""

    name: str
    type: str
    required: bool

    @property
    def direct(self) -> bool:
        """Whether the fast parse may give the value itself: null can only mean "not good"."""
        return self.required and self.type in _PARSED_EXACTLY


def fields_of(schema: str) -> list[Field]:
    """Read a schema: `name TYPE [NOT NULL], ...`.

    Raises:
        SettingsInvalid: a part that is not of this form, a type that is not known, or a name
            that a Kafka record's own column has.
    """
    fields = []
    for part in filter(str.strip, schema.split(",")):
        found = re.fullmatch(r"(\w+)\s+(\w+)(\s+NOT\s+NULL)?", part.strip(), re.IGNORECASE)
        if not found or found[2].upper() not in _JSON_TYPES or found[1] in (*RECORD, "reasons"):
            raise SettingsInvalid(
                f'the job\'s schema cannot have "{part.strip()}"',
                hint=f"Write `name TYPE [NOT NULL]`; types are {', '.join(_JSON_TYPES)}, "
                f"names not {', '.join(RECORD)} or reasons.",
            )
        fields.append(Field(name=found[1], type=found[2].upper(), required=bool(found[3])))
    return fields


def reasons_of(schema: str, rules: Sequence[Rule]) -> list[str]:
    """All reasons that `judge` can give, in the order in which it gives them."""
    reasons = ["missing:value", "invalid_json", "schema_mismatch:value"]
    for field in fields_of(schema):
        reasons.append(f"schema_mismatch:{field.name}")
        if field.required:
            reasons.append(f"missing:{field.name}")
    return reasons + [rule.reason for rule in rules]


def judge(records: DataFrame, schema: str, rules: Sequence[Rule]) -> DataFrame:
    """Parse each record and find what is wrong with it.

    Args:
        records: Kafka records, see `Job.queries`; batch or streaming.
        schema: `name TYPE [NOT NULL], ...`.
        rules: each gives its reason when its predicate is true.

    Returns:
        The records with a column for each field of the schema, null where it is not of its
        type, and `reasons` (array of text, all that is wrong; null for a good record).

    Raises:
        SettingsInvalid: the schema cannot be read.
    """
    fields = fields_of(schema)
    broken = [f"coalesce({rule.broken}, false)" for rule in rules]
    return (
        records.withColumn("_fast", F.expr(_fast_parse(fields)))
        .withColumn("_typed", F.expr(_fast_values(fields)))
        .withColumn("_good", F.expr(f"coalesce({' AND '.join(_all_there(fields))}, false)"))
        .withColumn("_root", F.expr(f"CASE WHEN NOT _good THEN {_SLOW_PARSE} END"))
        .withColumns({field.name: F.expr(_value(field)) for field in fields})
        .withColumn(
            "reasons",
            F.expr(
                f"CASE WHEN {' AND '.join(['_good', *(f'NOT {one}' for one in broken)])} THEN NULL"
                f" ELSE nullif({_all_reasons(fields, rules)}, CAST(array() AS ARRAY<STRING>)) END"
            ),
        )
        .drop("_fast", "_typed", "_good", "_root")
    )


def valid(judged: DataFrame) -> DataFrame:
    """The good records, with the schema's fields and without the record's own columns."""
    return judged.where("reasons IS NULL").drop(*RECORD, "reasons")


def rejected(judged: DataFrame) -> DataFrame:
    """The records that cannot count, as they came, with `reasons`."""
    return judged.where("reasons IS NOT NULL").select(*RECORD, "reasons")


def _exact(kind: str, variant: str) -> str:
    """SQL for the value of a variant when it is exactly of the type, else null."""
    value = f"try_variant_get({variant}, '$', '{'STRING' if kind == 'TIMESTAMP' else kind}')"
    condition = f"schema_of_variant({variant}) RLIKE '^({_JSON_TYPES[kind]})$'"
    if kind in {"STRING", "BOOLEAN", "BIGINT", "TIMESTAMP"}:
        condition = f"schema_of_variant({variant}) = '{_JSON_TYPES[kind]}'"
    if kind == "TIMESTAMP":
        condition += f" AND {value} RLIKE '{_ISO_TIME}'"
        value = f"try_cast({value} AS TIMESTAMP)"
    return f"CASE WHEN {condition} THEN {value} END"


def _fast_parse(fields: Sequence[Field]) -> str:
    columns = ", ".join(f"{f.name}: {f.type if f.direct else 'VARIANT'}" for f in fields)
    return f"from_json({_WRAPPED}, 'ARRAY<STRUCT<{columns}>>', {_OPTIONS})"


def _fast_values(fields: Sequence[Field]) -> str:
    values = []
    for field in fields:
        given = f"get(_fast, 0).{field.name}"
        values.append(f"'{field.name}'")
        values.append(given if field.direct else _exact(field.type, given))
    return f"named_struct({', '.join(values)})"


def _all_there(fields: Sequence[Field]) -> list[str]:
    """Predicates that hold when the fast way found one object with all fields as they must be."""
    predicates = ["size(_fast) = 2", f"is_valid_utf8({_TEXT})"]
    for field in fields:
        there, given = f"_typed.{field.name} IS NOT NULL", f"get(_fast, 0).{field.name}"
        optional = f"({there} OR {given} IS NULL OR is_variant_null({given}))"
        predicates.append(there if field.required else optional)
    return predicates


def _value(field: Field) -> str:
    slow = _exact(field.type, _found(field))
    return f"CASE WHEN _good THEN _typed.{field.name} ELSE {slow} END"


def _found(field: Field) -> str:
    """The field in the slow parse, null where it is absent."""
    return f"try_variant_get(get(_root, 0), '$.{field.name}', 'VARIANT')"


def _all_reasons(fields: Sequence[Field], rules: Sequence[Rule]) -> str:
    of_fields = ", ".join(_field_reason(field) for field in fields)
    of_rules = ", ".join(f"CASE WHEN {rule.broken} THEN '{rule.reason}' END" for rule in rules)
    rules_only = f"CAST(array({of_rules}) AS ARRAY<STRING>)"
    return f"""
        CASE WHEN value IS NULL THEN array('missing:value')
             WHEN _good THEN array_compact({rules_only})
             WHEN NOT is_valid_utf8({_TEXT}) OR _root IS NULL OR size(_root) != 2
                 THEN array('invalid_json')
             WHEN schema_of_variant(_root[0]) NOT LIKE 'OBJECT<%'
                 THEN array('schema_mismatch:value')
             ELSE array_compact(concat(array({of_fields}), {rules_only})) END"""


def _field_reason(field: Field) -> str:
    found = _found(field)
    absent = f"'missing:{field.name}'" if field.required else "NULL"
    return (
        f"CASE WHEN {found} IS NULL OR is_variant_null({found}) THEN {absent}"
        f" WHEN {field.name} IS NULL THEN 'schema_mismatch:{field.name}' END"
    )

"""Keys and values of a query's state, read by Spark in a child.

State is kept in Spark's own row format, which only Spark reads: its `statestore` source does
(`StateDataSource`), from the logs and files alone, while the query may run.
"""

from collections.abc import Mapping
from pathlib import Path

from streamctl.checkpoint.formats.operator import OperatorMetadata
from streamctl.checkpoint.report.model import StateRow, StateRows
from streamctl.checkpoint.tree.reader import Checkpoint, again
from streamctl.checkpoint.tree.state import (
    JOIN_STORES,
    Operator,
    Store,
    read_operator_metadata,
    scan,
)
from streamctl.errors import NotFound, StreamctlError
from streamctl.job.ask import ChildFailed, ask

_JOIN = "symmetricHashJoin"


def read_state_rows(
    checkpoint: Checkpoint,
    *,
    operator_id: int = 0,
    store: str = "",
    batch_id: int | None = None,
    limit: int | None = 20,
    timeout_seconds: float = 120,
) -> StateRows:
    """Read the first rows of one store.

    Args:
        checkpoint: at a path that Spark can read too.
        operator_id: its number in the plan.
        store: one of a join's stores, or a state variable of `transformWithState`; may be empty
            where there is only one.
        batch_id: state as of the end of this batch; the last committed one by default.
        limit: rows at most; None: all.
        timeout_seconds: for the child, from its start to its end.

    Raises:
        NotFound: no such operator or store; the hint names those there are.
        JavaNotFound: no Java that Spark runs on.
        DeadlinePassed: Spark did not answer in time.
        StreamctlError: Spark could not read the state.
    """
    operators = {found.operator_id: found for found in again(lambda: scan(checkpoint.files))}
    if operator_id not in operators:
        raise NotFound(f"there is no stateful operator {operator_id}", hint=_named(operators))
    operator = operators[operator_id]
    metadata = read_operator_metadata(checkpoint.files, operator)
    variables = _variables(metadata)
    name = _chosen(store, variables or _stores(metadata, operator.stores), operator_id)
    arguments = {
        "--format-version": checkpoint.state_format_version() or 1,
        "--operator": operator_id,
        "--variable" if variables else "--store": name,
        "--batch": batch_id,
        "--limit": limit,
    }
    given = [f"{flag}={value}" for flag, value in arguments.items() if value is not None]
    try:
        rows = ask(
            "jobs.read_state",
            [checkpoint.location, *given],
            project=Path.cwd(),
            timeout_seconds=timeout_seconds,
        )
    except ChildFailed as error:
        raise StreamctlError(
            f"the state of operator {operator_id} could not be read: {error.message}",
            hint="`streamctl checkpoint verify --level deep` says which file stands in the way.",
        ) from error
    return StateRows(
        operator_id=operator_id,
        store=name,
        batch_id=batch_id,
        limit=limit,
        rows=tuple(
            StateRow(partition=row["partition"], key=row.get("key"), value=row.get("value"))
            for row in rows
        ),
    )


def _variables(metadata: OperatorMetadata | None) -> list[str]:
    """State variables of `transformWithState`, by `TransformWithStateOperatorProperties`."""
    properties = metadata.properties if metadata else None
    if not isinstance(properties, Mapping):
        return []
    return sorted(item["stateName"] for item in properties.get("stateVariables", ()))


def _stores(metadata: OperatorMetadata | None, stores: tuple[Store, ...]) -> list[str]:
    """Names as the source takes them: a join of format 3 has column families instead of stores."""
    names = {store.name for store in stores}
    join = metadata.name == _JOIN if metadata else bool(names & set(JOIN_STORES))
    return list(JOIN_STORES) if join else sorted(names)


def _chosen(store: str, there: list[str], operator_id: int) -> str:
    if not store and len(there) == 1:
        return there[0]
    if store in there:
        return store
    asked = f'has no store "{store}"' if store else "has several stores"
    raise NotFound(
        f"operator {operator_id} {asked}", hint=f"Name one with `--store`: {', '.join(there)}."
    )


def _named(operators: Mapping[int, Operator]) -> str:
    if not operators:
        return "This query keeps no state."
    numbers = ", ".join(str(number) for number in sorted(operators))
    return f"Name one with `--operator`: {numbers}."

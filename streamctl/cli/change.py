"""What all commands that change a checkpoint share: their flags, and the way from plan to change.

Every command makes a plan and applies it. `--dry-run` shows it, `--plan FILE` keeps it.
A command is registered with `change_command`, which adds the flags for that.
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamctl.cli.change_views import change_view
from streamctl.cli.command import Here, command, flags
from streamctl.cli.render import View
from streamctl.errors import StreamctlError

if TYPE_CHECKING:
    from streamctl.checkpoint.change.apply import Build, ChangeReport
    from streamctl.checkpoint.change.area import Area, Held, Target
    from streamctl.checkpoint.change.guards import Kafka
    from streamctl.checkpoint.change.plan import Plan
    from streamctl.kafka.client import Broker

PathArgument = Annotated[
    str,
    typer.Argument(metavar="[PATH]", help="Path or URL; default: this job's.", show_default=False),
]
PathOption = Annotated[
    str, typer.Option("--path", help="Path or URL; default: this job's.", show_default=False)
]
QueryOption = Annotated[
    str, typer.Option("--query", help="Which query of the job.", show_default=False)
]
SinkOption = Annotated[
    str, typer.Option("--sink", help="Output directory of its file sink.", show_default=False)
]
NoKafka = Annotated[bool, typer.Option("--no-kafka", help="Do not ask Kafka what it still has.")]
WhyOption = Annotated[str, typer.Option("--reason", help="For the journal.", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")]
PlanFile = Annotated[
    Path | None,
    typer.Option("--plan", help="Write the plan to this file for `apply`.", show_default=False),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Findings = Annotated[
    bool, typer.Option("--accept-findings", help="Although it would not start rightly.")
]
Loss = Annotated[
    bool, typer.Option("--accept-loss", help="Although Kafka no longer has some records.")
]
NewTopic = Annotated[
    bool, typer.Option("--accept-new-topic", help="Although the topic was made anew.")
]
LittleSpace = Annotated[
    bool, typer.Option("--accept-little-space", help="Although the disk is almost full.")
]
NoFileSink = Annotated[bool, typer.Option("--no-file-sink", help="No file sink writes the output.")]
Protected = Annotated[
    bool, typer.Option("--accept-protected", help="Although checkpoint.protected is set.")
]
_GUARDS = {
    "accept-findings": Findings,
    "accept-loss": Loss,
    "accept-new-topic": NewTopic,
    "accept-little-space": LittleSpace,
    "no-file-sink": NoFileSink,
    "accept-protected": Protected,
}
"""Code of the guard -> the flag that overrides it."""
EVERY_GUARD = tuple(_GUARDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How a command goes from plan to change.

    Attributes:
        accept: guards that the operator overrides, by code.
        name: what has to be typed on a terminal; "" where yes or no will do.
    """

    dry_run: bool
    plan_file: Path | None
    yes: bool
    accept: Mapping[str, bool]
    name: str = ""

    @property
    def accepted(self) -> list[str]:
        """Codes of the guards that are overridden."""
        return [code for code, yes in self.accept.items() if yes]


def change_command(
    app: typer.Typer,
    name: str,
    function: Callable[..., Any],
    *,
    accepts: tuple[str, ...] = (),
    plans: bool = True,
    view: Callable[[Any], View] = change_view,
) -> None:
    """Register a command that goes from plan to change.

    Args:
        app: the group it belongs to.
        name: as it is typed.
        function: is given `here`, `how`, and its own parameters.
        accepts: guards that the operator can override, beside `accept-protected`.
        plans: whether the plan can be shown or kept instead; not where it was kept before.
        view: draws the plan and what became of it.
    """
    guards = {code.replace("-", "_"): code for code in (*accepts, "accept-protected")}
    added: dict[str, tuple[Any, Any]] = {
        **({"dry_run": (DryRun, False), "plan": (PlanFile, None)} if plans else {}),
        "yes": (Yes, False),
        **{parameter: (_GUARDS[code], False) for parameter, code in guards.items()},
    }

    @functools.wraps(function)
    def run(here: Here, *args: Any, **kwargs: Any) -> Any:
        given = {parameter: kwargs.pop(parameter) for parameter in added}
        how = How(
            dry_run=given.get("dry_run", False),
            plan_file=given.get("plan"),
            yes=given["yes"],
            accept={code: given[parameter] for parameter, code in guards.items()},
        )
        return function(here, how, *args, **kwargs)

    here, _, *own = inspect.signature(function).parameters.values()
    run.__signature__ = inspect.Signature([here, *own, *flags(added)])  # type: ignore[attr-defined]
    command(app, name, view=view)(run)


def change(here: Here, area: "Area", make: "Callable[[], Plan]", how: How) -> "Plan | ChangeReport":
    """Plan, and unless only the plan is wanted, ask and apply it under the lease."""
    from streamctl.checkpoint.change import apply as changes
    from streamctl.checkpoint.change.area import held
    from streamctl.checkpoint.change.plan import format_plan, require
    from streamctl.checkpoint.change.quiet import require_quiet
    from streamctl.checkpoint.tree.files import local_path
    from streamctl.checkpoint.tree.reader import again
    from streamctl.cli.confirm import confirm, confirm_name

    if how.dry_run or how.plan_file:
        plan = planned(here, lambda: again(make))
        _look_around(here, area)
        if how.plan_file:
            how.plan_file.write_text(format_plan(plan), encoding="utf-8")
        return plan
    with held(area, "change") as holding:
        if (finished := changes.recover(area)) is not None:
            here.warn(
                f"An interrupted {finished.verb} of {finished.at:%H:%M:%S}Z was finished first."
            )
        plan = planned(here, make)
        require(plan, accept=how.accepted)
        path = None if area.has_generations else local_path(area.location)
        if path is not None:
            with suppress(FileNotFoundError):
                require_quiet(path)
        if plan.steps:
            what = f"{plan.verb} {plan.subject}, {len(plan.steps)} steps"
            ask = confirm_name if how.name else confirm
            ask(what, *([how.name] if how.name else []), yes=how.yes)
        changes.require_unmoved(area, plan)
        if plan.verb == "skip":
            _copy_out(here, plan)
        elif plan.verb == "archive":
            _pack(here, area, plan, holding)
        build = _builder(here, plan) if plan.verb == "restore" else None
        return changes.apply(area, plan, holding, build=build)


def _builder(here: Here, plan: "Plan") -> "Build":
    """What makes the trees of a restore, from the backup that its plan names."""
    from streamctl.checkpoint.backup.repository import Repository
    from streamctl.checkpoint.change.restore import builder

    found = Repository.open(plan.facts["repository"])
    manifest = found.manifest(plan.facts["backup"])
    keep_rows = plan.facts["keep_rows"]
    return builder(found, manifest, keep_rows=keep_rows, on_event=here.on_event)


def _pack(here: Here, area: "Area", plan: "Plan", holding: "Held") -> None:
    """Write the archives, before the generations go to the trash."""
    from streamctl.checkpoint.change.archive import pack
    from streamctl.reports import Event

    names = plan.facts["archived"]
    for number, name in enumerate(names):
        here.on_event(Event(message=f"archiving {name}", done=number, total=len(names)))
        pack(area, name, to=plan.facts["to"], held=holding, now=datetime.now(UTC))


def _copy_out(here: Here, plan: "Plan") -> None:
    """Copy what a skip passes over; a second time, if the command is run again."""
    from streamctl.checkpoint.change.guards import Range
    from streamctl.checkpoint.change.letters import copy_out
    from streamctl.reports import as_json
    from streamctl.resilience.dead_letter import SKIP

    of = Range(**as_json(plan.facts["ranges"])[0])
    job = here.settings().job.entry
    topic = plan.facts["dead_letter_topic"]
    with broker(here) as client:
        count = copy_out(client, of=of, to=topic, why=plan.why, job=job, run=SKIP)
    here.warn(f"{count} records were copied to {topic}.")


def _look_around(here: Here, area: "Area") -> None:
    """What a dry run does not touch, and the change itself would meet first."""
    from streamctl.checkpoint.change import pending
    from streamctl.checkpoint.location import lease

    holder = lease.holder(area.store, now=datetime.now(UTC))
    if holder is not None:
        here.warn(f"In use by {holder.describe()}: stop that first.")
    left = pending.read(area.store)
    if left is not None:
        here.warn(f"An interrupted {left.entry.verb} is finished first, which may alter the plan.")


def planned(here: Here, make: "Callable[[], Plan]") -> "Plan":
    """The plan with the guard of a protected context.

    Raises:
        StreamctlError: it cannot be made.
    """
    from streamctl.checkpoint.change import guards
    from streamctl.reports import Verdict

    try:
        plan = make()
    except OSError as error:
        raise StreamctlError(f"cannot look at everything: {error}") from error
    if not here.settings().checkpoint.protected:
        return plan
    obstacles = (*plan.obstacles, *guards.protected(here.context))
    return replace(plan, obstacles=obstacles, verdict=Verdict.PROBLEM)


@contextmanager
def asked(here: Here, *, no_kafka: bool) -> "Iterator[Kafka | None]":
    """What plans ask a broker for; None when it is not to be asked."""
    if no_kafka:
        yield None
        return
    from streamctl.checkpoint.change.guards import Kafka

    with broker(here) as client:
        yield Kafka(watermarks=client.watermarks, topic_id=lambda name: client.topic(name).topic_id)


@contextmanager
def broker(here: Here) -> "Iterator[Broker]":
    """The broker of the settings."""
    from streamctl.errors import BrokerUnreachable
    from streamctl.kafka.client import Broker

    try:
        with Broker.of(here.settings().kafka) as client:
            yield client
    except BrokerUnreachable as error:
        hint = f"{error.hint} --no-kafka plans without it.".strip()
        raise BrokerUnreachable(error.message, hint=hint) from error


def area_at(here: Here, path: str) -> "Area":
    """The checkpoints that a command's path means; this job's where none is given."""
    from streamctl.checkpoint.change.area import area_of

    return area_of(path or here.settings().checkpoint.location)


def target_of(here: Here, path: str, *, query: str, sink: str = "") -> "Target":
    """The checkpoint that a command's path means; this job's where none is given."""
    from streamctl.checkpoint.change.area import target

    settings = here.settings()
    location = path or settings.checkpoint.location
    output = settings.output.location if not path else ""
    return target(location, query=query, sink=sink, output=output)

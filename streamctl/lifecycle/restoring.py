"""Restores a backup for the job of some settings, in a new generation."""

from streamctl.checkpoint.backup.format import Manifest
from streamctl.checkpoint.backup.repository import Repository
from streamctl.checkpoint.change.apply import ChangeReport
from streamctl.checkpoint.change.restore import Wanted, location_area, restore_generation
from streamctl.reports import OnEvent
from streamctl.settings.model import Settings


def restore_to_job(
    settings: Settings, repository: Repository, backup_id: str, *, on_event: OnEvent
) -> ChangeReport:
    """Let the job go on from a backup, in a new generation.

    Raises:
        NotFound: no such backup.
        StreamctlError: as `restore_generation`.
    """
    wanted = wanted_by(settings, repository, repository.manifest(backup_id))
    return restore_generation(
        location_area(settings.checkpoint.location), wanted, on_event=on_event
    )


def wanted_by(
    settings: Settings, repository: Repository, manifest: Manifest, *, keep_rows: bool = True
) -> Wanted:
    """A backup for the job of these settings."""
    return Wanted(
        repository=repository,
        manifest=manifest,
        output=settings.output.location,
        job=settings.job.entry,
        keep_rows=keep_rows,
    )

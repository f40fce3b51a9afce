"""Remove from the disk what is not needed once the gate has decided."""

from ml_backend.chain.workshop import Workshop
from ml_backend.runtimes.exported import forget_exports
from ml_backend.training.dataset_folder import clear_folders
from ml_backend.training.weights import remove_leftovers


def clear_disk(workshop: Workshop) -> None:
    """Remove what was trained on, and the exported networks of who can no longer serve.

    Weights, figures and list of a training are in the store by then. Exports are kept of the
    champion, of who serves after a rollback, and of the challenger in the shadow; another model
    version that is promoted by hand is exported again. Weights stay, but for what a killed process
    left half-written beside them.

    Parameters
    ----------
    workshop : Workshop
        What to work with.
    """
    with workshop.store.snapshot() as unit:
        models = unit.models
        in_line = (models.champion(), models.previous_champion(), models.challenger())

    clear_folders(workshop.training_dir)
    remove_leftovers(workshop.settings.weights_dir, now=workshop.clock())
    forget_exports(
        workshop.settings.exports_dir, keep={one.weights_sha256 for one in in_line if one}
    )

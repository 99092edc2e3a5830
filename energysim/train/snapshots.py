"""Snapshot ensembles: the networks at the ends of the learning rate's cycles answer together (Huang et al., 2017)."""

from __future__ import annotations

from energysim.train.checkpoint import CheckpointError, read_checkpoint
from energysim.train.evaluate import Metrics, averaged, metrics_of, predict
from energysim.train.learner import Learner
from energysim.train.run import Run


def check_snapshots(run: Run, epochs_done: int) -> None:
    """Raises CheckpointError where a snapshot of a cycle that is done is not there: better before the last epoch."""
    for number, end in enumerate(run.recipe.snapshot_epochs(), start=1):
        file = run.files.snapshot(number)
        if end <= epochs_done and not file.exists():
            raise CheckpointError(
                f"the snapshot {str(file)!r} is missing", hint="put it back, or --fresh to start over"
            )


def ensemble_metrics(run: Run, learner: Learner) -> Metrics | None:
    """The mean of the snapshots' probabilities on the test images; None where the recipe keeps no snapshots.

    The learner's model is left with the last one's weights. Raises CheckpointError where one is damaged.
    """
    parts = []
    for number, _ in enumerate(run.recipe.snapshot_epochs(), start=1):
        learner.state.model.load_state_dict(read_checkpoint(run.files.snapshot(number))["model"])
        parts.append(predict(learner.wrapped, run.data.batches("test", run.recipe.batch)))
    return metrics_of(averaged(parts)) if parts else None

"""A trained model as files, and back: `<folder>/<model_version>/{model.skops, card.md, card.html, metadata.json}`.

Only types on the list below are ever loaded: a model file is data, not code. Where the folder lies, and how many
versions are kept, belongs in `orchestration`.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import skops.io
from sklearn.base import BaseEstimator

from ml.common.calibration import Calibrator
from ml.common.pipeline import TrainResult, score_members
from ml.common.tasks import Task

MODEL_FILE, CARD_FILE, HTML_CARD_FILE, METADATA_FILE = "model.skops", "card.md", "card.html", "metadata.json"

# What our own candidates need beyond the types skops trusts by itself. None of them runs code of the file's choosing;
# the two tree types trust the arrays they are given, so the artifacts folder must be writable by the pipeline only.
ALLOWED_TYPES = frozenset(
    {
        "ml.common.estimators.SignedLog1p",
        "numpy.dtype",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
    }
)


class UntrustedModelError(ValueError):
    """The model file holds a type that no candidate of this project uses."""


class ArtifactConflictError(ValueError):
    """The same model_version is already there with other content."""


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model read back; `score` gives what the training run gave for the same rows."""

    estimator: BaseEstimator
    calibrator: Calibrator
    metadata: dict[str, Any]

    @property
    def task(self) -> Task:
        """The task the model was trained for."""
        values = self.metadata["task"]
        return Task(**{**values, "candidate_names": tuple(values["candidate_names"])})

    def score(self, features: pd.DataFrame) -> pd.DataFrame:
        """Score the rows of one as_of_date; columns as in `ml.common.pipeline.score_members`."""
        names, version = self.metadata["feature_names"], self.metadata["model_version"]
        return score_members(self.estimator, self.calibrator, features, names, self.task, version)


def save_artifact(result: TrainResult, folder: Path) -> Path:
    """Write a trained result and return its folder. All of it appears at once, or nothing.

    Saving the same result again changes nothing. Raises ArtifactConflictError when the version is there with other
    content, ValueError for a result that was not trained.
    """
    if result.status != "trained":
        raise ValueError(f"task {result.task.name} was not trained ({result.reason}): there is nothing to save")
    target = folder / result.model_version
    metadata = json.dumps(result.metadata, indent=2, sort_keys=True, allow_nan=False) + "\n"
    if target.exists():
        return _same_or_conflict(target, metadata)
    folder.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".tmp-", dir=folder))
    try:
        parts = {"estimator": result.estimator, "calibrator": result.calibrator}
        skops.io.dump(parts, building / MODEL_FILE, compression=zipfile.ZIP_DEFLATED)
        (building / CARD_FILE).write_text(result.card, encoding="utf-8")
        (building / HTML_CARD_FILE).write_text(result.card_html, encoding="utf-8")
        (building / METADATA_FILE).write_text(metadata, encoding="utf-8")
        building.chmod(0o755)  # mkdtemp makes it readable by its owner only
        os.rename(building, target)  # noqa: PTH104 - fails if another run was first; Path.rename reads as if it replaced
    except OSError:
        if not target.exists():
            raise
        return _same_or_conflict(target, metadata)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return target


def load_artifact(folder: Path) -> LoadedModel:
    """Read the model in `folder` (one version's folder).

    Raises UntrustedModelError, before anything is built, when the file holds a type that is not on the list.
    """
    file = folder / MODEL_FILE
    unknown = set(skops.io.get_untrusted_types(file=file))
    foreign = sorted(unknown - ALLOWED_TYPES)
    if foreign:
        raise UntrustedModelError(
            f"{MODEL_FILE} of {folder.name} holds {', '.join(foreign)}: do not load it; if a candidate of this project"
            " needs the type, add it to ALLOWED_TYPES in ml/common/artifacts.py"
        )
    parts = skops.io.load(file, trusted=sorted(unknown))
    metadata = json.loads((folder / METADATA_FILE).read_text(encoding="utf-8"))
    return LoadedModel(parts["estimator"], parts["calibrator"], metadata)


def _same_or_conflict(target: Path, metadata: str) -> Path:
    # The model file is an archive with times in it; the metadata holds the data hash and every figure.
    if (target / METADATA_FILE).read_text(encoding="utf-8") != metadata:
        raise ArtifactConflictError(
            f"{target.name} is already there with other figures: raise RECIPE_VERSION in ml/common/pipeline.py if the"
            " code changed, or remove that folder"
        )
    return target

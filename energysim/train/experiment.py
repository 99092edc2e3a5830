"""Experiments: which workloads are trained on which data with which recipe, from the files of `experiments/`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from energysim.errors import did_you_mean
from energysim.spec_files import SpecFile, SpecModel, find_spec, list_specs, load_yaml, validate_model
from energysim.train.recipe import Recipe


class Entry(SpecModel):
    """A workload of an experiment. ``epochs``: instead of the recipe's (large networks in a quick experiment);
    ``recipe``: keys that are other than the recipe's for this workload, within mappings too (``optimizer: {lr: 0.01}``
    changes the learning rate alone)."""

    workload: str
    epochs: int | None = Field(default=None, ge=1)
    recipe: dict[str, Any] = Field(default_factory=dict)


def _entry(value: object) -> object:
    return {"workload": value} if isinstance(value, str) else value


class Experiment(SpecModel):
    """A file of ``experiments/``: which workloads are trained on which data set with which recipe and how often.

    ``workloads``: names, or mappings (see ``Entry``). ``data``: see ``open_data``. ``seeds``: 0, 1, ... ``seeds - 1``.
    ``arch``: the device whose energy stands beside the accuracy. ``recipe``: the recipe, or the name of the experiment
    that has it.
    """

    recipe: Recipe | str
    description: str = ""
    workloads: tuple[Annotated[Entry, BeforeValidator(_entry)], ...] = ()
    data: str = "digits"
    seeds: int = Field(default=1, ge=1)
    arch: str | None = None

    def recipe_of(self, entry: Entry) -> Recipe:
        """The recipe of one of the workloads. Raises ValidationError where ``load_experiment`` would have."""
        return Recipe.model_validate(_changed_recipe(self, entry))

    @property
    def own_recipes(self) -> dict[str, Recipe]:
        """Of the workloads that are not trained by the common one."""
        return {entry.workload: self.recipe_of(entry) for entry in self.workloads if entry.recipe or entry.epochs}


def load_experiment(name_or_path: str) -> Experiment:
    """An experiment by name or path, its recipe resolved. Raises NotFoundError or SpecError (file, line, key)."""
    spec = load_yaml(find_spec("experiments", name_or_path))
    if spec.at(("sweep",)) is not None:
        raise spec.error("this is a sweep over a design space", ("sweep",), hint=f"energysim sweep {name_or_path}")
    found = validate_model(Experiment, spec, data=_recipe_checked_alone(spec))
    if isinstance(found.recipe, str):
        if found.recipe not in list_specs("experiments"):
            hint = did_you_mean(found.recipe, list_specs("experiments"))
            raise spec.error(f"no experiment named {found.recipe!r} to take the recipe from", ("recipe",), hint)
        found = found.model_copy(update={"recipe": load_recipe(found.recipe)})
    for index, entry in enumerate(found.workloads):
        place = ("workloads", index, "recipe")
        validate_model(Recipe, spec, place, data=_changed_recipe(found, entry))
        if "precision" in entry.recipe:
            raise spec.error("the precision is that of the whole experiment", (*place, "precision"))
    return found


def load_recipe(name_or_path: str) -> Recipe:
    """The recipe of an experiment by name or path. Raises NotFoundError, or SpecError with file, line and key."""
    recipe = load_experiment(name_or_path).recipe
    assert isinstance(recipe, Recipe)
    return recipe


def _changed_recipe(experiment: Experiment, entry: Entry) -> dict[str, Any]:
    """The recipe over the entry's epochs, with the entry's keys."""
    assert isinstance(experiment.recipe, Recipe)
    common = experiment.recipe if entry.epochs is None else experiment.recipe.with_epochs(entry.epochs)
    return _merged(common.model_dump(), entry.recipe)


def _merged(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """``common`` with the keys of ``own``; where both hold a mapping, merged alike."""
    both = {
        key: _merged(common[key], value)
        for key, value in own.items()
        if isinstance(value, Mapping) and isinstance(common.get(key), Mapping)
    }
    return {**common, **own, **both}


def _recipe_checked_alone(spec: SpecFile) -> object:
    """The document with its recipe checked by itself: a message about a union of types would name no key."""
    document = spec.plain
    if isinstance(document, dict) and isinstance(document.get("recipe"), dict):
        return {**document, "recipe": validate_model(Recipe, spec, ("recipe",))}
    return document

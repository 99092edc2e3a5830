"""Real accuracy: data sets, recipes, training that resumes exactly, evaluation, comparison and figures.

Interfaces that other modules build on:

- ``data.open_data(name, ...) -> Data``: train, validation and test splits with their loaders;
- ``recipe.Recipe``: how to train, frozen, from ``experiments/*.yaml`` (``load_recipe``);
- ``hooks.Hook``: what takes part in a run (pruning, quantization, distillation, energy logging);
- ``loop.fit(model_factory, recipe, data, run_dir, seed, hooks=...) -> RunResult``;
- ``evaluate.evaluate(model, loader) -> Metrics``.
"""

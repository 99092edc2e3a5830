"""Writing Timeloop v0.4 input files: pure functions from our values to documents, and ``dump`` to text.

found = layout(arch, problem, mapping)
text = dump({**architecture_yaml(found), **problem_yaml(problem), "mapping": mapping_yaml(found, mapping)})
"""

from energysim.engines.timeloop.layout import Layout, layout
from energysim.engines.timeloop.write_architecture import architecture_yaml, nodes_yaml
from energysim.engines.timeloop.write_components import components_yaml
from energysim.engines.timeloop.write_constraints import constraints_yaml
from energysim.engines.timeloop.write_mapper import MapperSettings, mapper_yaml, metrics_of
from energysim.engines.timeloop.write_mapping import mapping_yaml
from energysim.engines.timeloop.write_problem import problem_yaml
from energysim.engines.timeloop.write_tables import actions_of, actions_of_costs, art_yaml, ert_yaml
from energysim.yaml_text import Document, Tagged, dump

__all__ = [
    "Document",
    "Layout",
    "MapperSettings",
    "Tagged",
    "actions_of",
    "actions_of_costs",
    "architecture_yaml",
    "art_yaml",
    "components_yaml",
    "constraints_yaml",
    "dump",
    "ert_yaml",
    "layout",
    "mapper_yaml",
    "mapping_yaml",
    "metrics_of",
    "nodes_yaml",
    "problem_yaml",
]

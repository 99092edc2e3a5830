"""LLVM's text to machine code of this processor."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm

ENTRY = "entry"

_OPTIMIZE = 1
"""More takes twice as long to compile and makes the search no faster."""
_LOCK = threading.Lock()  # modules share LLVM's context


@dataclass(frozen=True)
class Code:
    """``engine`` owns the code: it lasts as long as this does."""

    engine: Any
    address: int


def load(text: str) -> Code:
    """Compile a module and load it into this process."""
    with _LOCK:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=_OPTIMIZE, jit=True
        )
        module = llvm.parse_assembly(text)
        module.triple, module.data_layout = machine.triple, str(machine.target_data)
        tuning = llvm.create_pipeline_tuning_options(speed_level=_OPTIMIZE)
        tuning.loop_vectorization = tuning.slp_vectorization = tuning.loop_unrolling = False
        passes = llvm.create_pass_builder(machine, tuning)
        passes.getModulePassManager().run(module, passes)
        engine = llvm.create_mcjit_compiler(module, machine)
        engine.finalize_object()
        return Code(engine, engine.get_function_address(ENTRY))

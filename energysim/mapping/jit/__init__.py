"""A small compiler for the search's inner loops: plain Python functions become machine code in under a second.

The functions are a subset of Python over floats, ints, bools, NumPy arrays and named tuples of them; they also run
uncompiled (``kernel.function``), which is what the tests compare with. LLVM does the rest. See ``docs/mapper.md``.
"""

from energysim.mapping.jit.kernel import Kernel, compiled

__all__ = ["Kernel", "compiled"]

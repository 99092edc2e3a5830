"""Models that show what energysim computes, and the executor that runs a schedule on real tensors."""

from energysim.nn.memory_optimized import MemoryOptimizedConv2d

__all__ = ["MemoryOptimizedConv2d"]

"""Many networks as tensors: one stacked training in place of many small ones."""

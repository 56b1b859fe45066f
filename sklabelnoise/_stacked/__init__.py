"""Many networks as tensors: one stacked training in place of many small ones.

A stack is what is trained at once, G folds with K networks each; a replica is one of its networks. Losses take stacks
through their leading dimensions.
"""

"""One classifier out of many families of learners, combined with a model of how labels go wrong.

A fit goes through the files of this folder in this order: `_distinct_rows` (each row once, with a weight), `_views`
(what each family is shown), the families (`_forests`, `_boosting`, `_kernel_ridge`, `_neighbors`, `_linear`,
`_networks`, `_own_members`), which `_fitting` runs at the same time and which predict every row by models that have
not seen it, `_combination` (weights of the families), `_transition` (which label is given in place of which) and
`_decision` (from all that to a class). `_classifier` is what users see of it.
"""

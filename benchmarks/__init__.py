"""Tasks x methods x seeds: the measurements behind every figure this project states."""

"""The tables of the papers, run again: one script a table, the published figures beside ours."""

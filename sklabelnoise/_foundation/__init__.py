"""What every room stands on: what is given for each row is checked, and what is written to disk is whole."""

"""Names of modules in version 0.1: a pickle remembers where its classes lived, and loads through these."""

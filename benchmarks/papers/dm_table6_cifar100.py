"""DM Table 6 on the paper's own data: weight decay and dropout with and without DM under 40 % symmetric noise.

    python -m benchmarks.papers.dm_table6_cifar100

Wang et al., "Derivative manipulation for general example weighting", Section 4.5, on CIFAR-100; all else is as in
`dm_table6`.
"""

import dataclasses

from benchmarks.papers import dm_table6

TABLE = dataclasses.replace(dm_table6.TABLE, name="dm_table6_cifar100", document=__doc__, dataset="cifar100")

if __name__ == "__main__":
    TABLE.main()

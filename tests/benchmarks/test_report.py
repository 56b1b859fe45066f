from pathlib import Path

import pytest

from benchmarks import report as report_module
from benchmarks.report import BLOCKS, block, fill, update
from benchmarks.rows import append_row, environment

ROOT = Path(__file__).parents[2]


def test_the_block_of_noises_has_table_and_caption(results, noise_rows):
    text = block("noises", results(noises=noise_rows))
    assert "| imbalance 1:10 |" in text and "Seeds that less than half" not in text
    assert "8 tasks: 2 data sets (digits, magic), clean, symmetric 20%, imbalance 1:10, human; at most 2,000" in text


def test_the_block_of_human_noise_has_its_tasks_alone(results, noise_rows):
    text = block("human", results(noises=noise_rows))
    assert "| magic/human/0 |" in text and "magic/clean/0" not in text


def test_seeds_of_few_methods_count_among_those_alone(results, row):
    """More rows of one method must not move it against the others: another seed is another noise."""
    rows = [
        row(f"{dataset}/clean/0", method, seed, accuracy - 0.2 * (seed > 1))
        for dataset in ("magic", "digits")
        for method, accuracy, seeds in (("few", 0.7, 2), ("less", 0.6, 2), ("none", 0.5, 2), ("many", 0.8, 5))
        for seed in range(seeds)
    ]
    folder = results(noises=rows)
    paired = block("noises", folder)
    assert "| many | 1.0 | **80.0** (**1.0**) |" in paired and "| few | 2.0 | 70.0 (2.0) |" in paired
    assert "Seeds that less than half" in paired
    surer = block("noises-all-seeds", folder)
    assert "68.0" in surer and "| few |" not in surer and "| *seeds* |  | 5 |" in surer


def test_blocks_are_replaced_and_nothing_else(tmp_path, results, rows):
    folder = results(tables=rows)
    text = "Before.\n<!-- benchmark:tables -->\nstale text\n<!-- /benchmark:tables -->\nAfter.\n"
    new = fill(text, folder)
    assert new.startswith("Before.\n<!-- benchmark:tables -->\n") and new.endswith(
        "<!-- /benchmark:tables -->\nAfter.\n"
    )
    assert "stale text" not in new and "85.5 ± 0.7" in new and "40%" in new
    assert fill(new, folder) == new
    path = tmp_path / "README.md"
    path.write_text(text)
    assert update(path, folder) is True
    assert path.read_text() == new
    assert update(path, folder) is False


def test_the_last_measurement_of_a_ratio_counts(tmp_path):
    measured = {"ratio_low": 0.5, "ratio_high": 3.0, "promise": 1.2, "ours_ms": 12.34, "reference_ms": 10.0}
    for case, ratio in [("loop", 1.5), ("kernel", 1.1), ("loop", 1.2), ("search", 1.21)]:
        append_row(
            tmp_path / "speed.jsonl", {"case": case, "ratio": ratio, **measured, **environment(), "commit": "abc"}
        )
    lines = block("speed", tmp_path).splitlines()
    assert "| kernel | 12.3 | 10 | 1.10 (0.50 to 3.00) | ≤ 1.2 | yes |" in lines
    assert "| loop | 12.3 | 10 | 1.20 (0.50 to 3.00) | ≤ 1.2 | yes |" in lines
    assert "| search | 12.3 | 10 | 1.21 (0.50 to 3.00) | ≤ 1.2 | **no** |" in lines


def test_a_block_without_rows_says_so(tmp_path):
    assert "No rows in speed.jsonl yet." in block("speed", tmp_path)


def test_an_unknown_block_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=f"Unknown benchmark block 'sped'; expected one of {', '.join(BLOCKS)}"):
        fill("<!-- benchmark:sped -->\n<!-- /benchmark:sped -->\n", tmp_path)


def test_check_names_what_is_stale(tmp_path, monkeypatch):
    document = tmp_path / "README.md"
    document.write_text("<!-- benchmark:speed -->\nold\n<!-- /benchmark:speed -->\n")
    monkeypatch.setattr(report_module, "DOCUMENTS", (document,))
    monkeypatch.setattr(report_module, "RESULTS", tmp_path)
    monkeypatch.setattr("sys.argv", ["report", "--check"])
    with pytest.raises(SystemExit) as error:
        report_module.main()
    assert str(document) in error.value.code


@pytest.mark.parametrize("document", ["README.md", pytest.param("benchmarks/README.md", marks=pytest.mark.slow)])
def test_documents_say_what_the_committed_rows_say(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    assert fill(text) == text, f"{document} is stale: run python -m benchmarks.report"

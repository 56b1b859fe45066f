"""What a GPU measured stands in the guide and in the README as the rows say."""

from pathlib import Path

from benchmarks.gpu_report import gpu_block, page_lines
from benchmarks.rows import RESULTS, read_rows

PAGE = Path(__file__).parents[2] / "examples" / "guide" / "scale.rst"
ROW = {
    "tiny": False,
    "card": "a card",
    "versions": {"torch": "2.11.0"},
    "python": "3.12.3",
    "commit": "abc",
    "ours_ms": 12.0,
    "reference_ms": 10.0,
    "ratio": 1.2,
    "ratio_low": 1.1,
    "ratio_high": 1.3,
}


def test_the_guide_shows_the_committed_rates():
    page = PAGE.read_text(encoding="utf-8").replace("\n  ", " ")
    lines = page_lines(read_rows(RESULTS / "gpu.jsonl"))
    assert len(lines) == 7
    assert [line for line in lines if line not in page] == []


def test_the_last_row_of_a_case_is_shown_and_judged_by_its_promise():
    first = {**ROW, "piece": "steps", "case": "a step", "promise": 1.1}
    text = gpu_block([first, {**first, "promise": 1.25, "commit": "def"}, {**first, "case": "no size", "tiny": True}])
    assert "| a step | 12 | 10 | 1.20 (1.10 to 1.30) | ≤ 1.25 | yes |  |  | a card | def |" in text
    assert "no size" not in text and "| abc |" not in text
    assert "a card, torch 2.11.0, Python 3.12.3." in text


def test_a_bound_that_is_missed_and_tests_that_failed_are_said():
    missed = {**ROW, "piece": "search", "case": "a search", "promise": 0.02, "ratio": 0.0312}
    tests = {**ROW, "piece": "tests", "case": "tests", "said": "1 failed, 70 passed"}
    text = gpu_block([missed, tests])
    assert "| ≤ 0.02 | **no** |" in text
    assert "on one a card at commit abc: 1 failed, 70 passed." in text


def test_each_card_has_its_last_row():
    rows = [{**ROW, "piece": "steps", "case": "a step", "card": f"NVIDIA {card}", "commit": card} for card in "ABA"]
    rows[2]["ratio"] = 0.9
    text = gpu_block(rows)
    assert text.count("| a step |") == 2
    assert "0.90 (1.10 to 1.30) |  |  |  |  | A | A |" in text and "1.20 (1.10 to 1.30) |  |  |  |  | B | B |" in text


def test_the_guide_compares_images_with_the_plain_loop():
    row = {**ROW, "piece": "images", "case": "an epoch", "images_per_second": 25}
    assert page_lines([row]) == ["* an epoch: 25 images a second on one a card, 1.20 of the time of a plain loop"]

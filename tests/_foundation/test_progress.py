"""Bars that count pieces of work, in parts, and say how long it takes."""

import re
import sys
import threading

import pytest

from sklabelnoise._foundation._progress import Progress


def test_a_bar_names_what_is_done_and_the_time_that_remains(capsys):
    with Progress(4, "fitting", unit="fits", shown=1) as bar:
        bar.advance(2)
    shown = capsys.readouterr().err.split("\r")[-1]
    assert re.search(r"fitting:  50%\|.*\| 2/4 fits \[\d\d:\d\d<\d\d:\d\d\]", shown)


def test_parts_of_pieces_end_at_the_whole(capsys):
    with Progress(3, "fitting", unit="fits", shown=1) as bar:
        for _ in range(30):
            bar.advance(0.1)
        assert bar.done == 3
    assert "100%" in (shown := capsys.readouterr().err.split("\r")[-1]) and " 3/3 fits" in shown


def test_parts_that_round_below_the_whole_are_the_whole():
    assert sum([0.1] * 10) < 1
    with Progress(1, "fitting", unit="fits", shown=0) as bar:
        for _ in range(10):
            bar.advance(0.1)
        assert bar.done == 1


def test_more_than_all_is_all():
    with Progress(2, "fitting", unit="fits", shown=0) as bar:
        bar.advance(5)
        assert bar.done == 2


def test_what_is_done_early_is_done(capsys):
    with Progress(7, "rounds", unit="rounds", shown=1) as bar:
        bar.advance(2)
        bar.finish()
    assert "7/7 rounds" in capsys.readouterr().err


@pytest.mark.parametrize("shown", [0, False])
def test_nothing_is_shown_unasked(shown, capsys):
    with Progress(2, "fitting", unit="fits", shown=shown) as bar:
        bar.advance()
    assert capsys.readouterr() == ("", "")


def test_lines_go_to_the_output_with_and_without_a_bar(capsys):
    for shown in (0, 1):
        with Progress(2, "fitting", unit="fits", shown=shown) as bar:
            bar.write("a line")
        assert capsys.readouterr().out == "a line\n"


def test_what_is_beside_the_bar_keeps_its_order(capsys):
    with Progress(1, "fitting", unit="fits", shown=1) as bar:
        bar.advance(beside={"loss": "0.1", "accuracy": "0.9"})
    assert "1/1 fits" in (shown := capsys.readouterr().err.split("\r")[-1]) and "loss=0.1, accuracy=0.9" in shown


def test_nothing_to_do_is_done():
    with Progress(0, "fitting", unit="fits", shown=1) as bar:
        bar.finish()
    assert bar.done == 0


def test_threads_lose_no_piece():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with Progress(8000, "fitting", unit="fits", shown=0) as bar:
            threads = [threading.Thread(target=lambda: [bar.advance() for _ in range(1000)]) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert bar.done == 8000
    finally:
        sys.setswitchinterval(interval)


def test_an_error_closes_the_bar(capsys):
    with pytest.raises(KeyboardInterrupt), Progress(2, "fitting", unit="fits", shown=1) as bar:
        raise KeyboardInterrupt
    assert bar._bar.disable

"""What PVDBOWVectorizer costs over gensim alone, on the reviews of DM Table 5.

    python -m benchmarks.papers.pvdbow_overhead
    python -m benchmarks.papers.pvdbow_overhead --n-reviews 1000     # 50,000 take six minutes a repeat

Both learn the same texts with the same words, sizes and passes on one thread, in turns. The ratio is of processor time,
which other work on the machine does not change as it does the clock. "gensim alone" splits the texts and trains.
"""

import random
import re
import time

import gensim
import numpy as np

from benchmarks.papers._runner import command_line, frame_of, product_of, rows_path, run_jobs, use_shared_data
from sklabelnoise.datasets import fetch_imdb
from sklabelnoise.text import PVDBOWVectorizer

NAME = "pvdbow_overhead"
EPOCHS = 10


def ours(texts):
    """Seconds of processor time of the vectorizer."""
    start = time.process_time()
    PVDBOWVectorizer(epochs=EPOCHS, random_state=0).fit_transform(texts)
    return time.process_time() - start


def gensim_alone(texts):
    """Seconds of processor time of what a user of gensim would write."""
    start = time.process_time()
    find = re.compile(r"\w+|[^\w\s]").findall
    documents = [
        gensim.models.doc2vec.TaggedDocument(find(text.lower()), [number]) for number, text in enumerate(texts)
    ]
    random.Random(0).shuffle(documents)
    gensim.models.Doc2Vec(documents, dm=0, vector_size=100, sample=1e-3, min_count=2, epochs=EPOCHS, workers=1)
    return time.process_time() - start


def execute(n_reviews, repeat):
    """Time both, the first one changing from repeat to repeat."""
    imdb = fetch_imdb()
    texts = np.concatenate([imdb.X_train, imdb.X_test])
    texts = texts[np.random.default_rng(repeat).permutation(len(texts))[:n_reviews]]
    timers = {"ours": ours, "gensim": gensim_alone}
    order = list(timers) if repeat % 2 else list(timers)[::-1]
    measured = {name: timers[name](texts) for name in order}
    return {
        **{f"{name}_seconds": round(seconds, 2) for name, seconds in measured.items()},
        "ratio": round(measured["ours"] / measured["gensim"], 4),
    }


def tables(path=None):
    """Median ratio for each number of reviews."""
    frame = frame_of(path or rows_path(NAME))
    if frame.empty:
        return "No rows yet.\n"
    lines = [
        f"{n:,} reviews, {EPOCHS} passes: {part['ratio'].median():.3f} times the processor time of gensim alone "
        f"(median of {len(part)} repeats, {part['ratio'].min():.3f} to {part['ratio'].max():.3f}), "
        f"{part['ours_seconds'].median():.0f} s of ours and {part['gensim_seconds'].median():.0f} s of gensim."
        for n, part in frame.groupby("n_reviews")
    ]
    return "\n".join(f"* {line}\n" for line in lines)


def main():
    parser = command_line(__doc__, seeds=range(2))
    parser.add_argument("--n-reviews", nargs="+", type=int, default=[1000, 50_000])
    options = parser.parse_args()
    use_shared_data()
    if not options.report:
        run_jobs(rows_path(NAME), product_of(n_reviews=options.n_reviews, repeat=options.seeds), execute)
    print(tables())


if __name__ == "__main__":
    main()

"""Vectors of raw texts, for classifiers that want numbers."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklabelnoise._compat import Interval, StrOptions, fit_context
from sklabelnoise._foundation._callers_line import warn
from sklabelnoise._foundation._extras import needed
from sklabelnoise._foundation._progress import Progress
from sklabelnoise._foundation._seeds import MAX_SEED
from sklabelnoise._foundation._types import RandomState

__all__ = ["PVDBOWVectorizer"]

# gensim reads this many words of a document and silently drops the rest; longer ones are handed over in pieces.
_MAX_WORDS = 10_000
# Texts whose vectors are inferred in one task of a thread.
_CHUNK = 64
# gensim holds its counts in 32 bits: on a larger one its threads end, and training waits for them for ever.
_BEYOND_GENSIM = 2**31


class PVDBOWVectorizer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Turn raw texts into paragraph vectors: distributed bag of words, PV-DBOW [1]_.

    Each text has a vector that is trained, by gensim's ``Doc2Vec``, to predict the words of the text. No label is used,
    so wrong labels do no harm here, and texts without labels help: pass them as `unlabeled`, the texts to be predicted
    included, where they are known beforehand. The review classifiers of [2]_ and [3]_ are trained that way.

    A text that took part in `fit`, be it from X or `unlabeled`, is given the vector that was trained for it; equal
    texts share one. The vector of a new text is inferred, with the words' parameters frozen. So
    ``fit_transform(X)`` equals ``fit(X).transform(X)``. A text that is empty or has only unknown words is the zero
    vector.

    Parameters
    ----------
    vector_size : int, default=100
        Length of the vectors.

    window : int, default=10
        Greatest distance between two words that predict one another; only of use with `train_words`.

    negative : int, default=5
        Number of noise words drawn for each word; 0 for none, then `hs` must be True.

    hs : bool, default=False
        Whether to train a hierarchical softmax, alone or beside the noise words.

    sample : float, default=0.001
        Words more frequent than this share of all words are dropped at random, the more often the more frequent they
        are; 0 keeps all.

    min_count : int, default=2
        Words that occur less often are unknown.

    epochs : int, default=20
        Passes over the texts in `fit`, and over a new text when its vector is inferred.

    train_words : bool, default=False
        Whether to train word vectors by skip-gram along with those of the texts, as word2vec's sentence vectors do. It
        takes about `window` times as long.

    unlabeled : array-like of str, default=None
        Further texts to learn from. They get no row in the result of `fit_transform`.

    lowercase : bool, default=True
        Whether to lower the case of the texts.

    token_pattern : str, default="\\\\w+|[^\\\\w\\\\s]"
        Regular expression of a word; by default punctuation marks are words, too. If it has a group, this is the word;
        it may have one.

    tokenizer : callable, default=None
        Replaces `lowercase` and `token_pattern`: turns a text into a list of words.

    n_jobs : int, default=None
        Number of threads, None for 1. With more than one, threads write to the same vectors while training, and `fit`
        is no longer reproducible; what `transform` infers from a fitted model does not depend on it.

    random_state : int, RandomState instance or None, default=None
        Determines the order of the texts, the first vectors and the noise words. With an integer and one thread `fit`
        is reproducible, whatever ``PYTHONHASHSEED``.

    verbose : int, default=0
        1 shows progress bars of training and inference.

    unlabelled : array-like of str, default="deprecated"
        The old name of `unlabeled`, which goes in version 0.3.

    Attributes
    ----------
    model_ : gensim.models.Doc2Vec
        The trained model.

    vocabulary_ : dict of str to int
        Known words, in descending order of frequency.

    n_texts_ : int
        Number of different texts that were learned from.

    Notes
    -----
    The texts are shuffled before training. Review files are sorted by label, and the learning rate falls while gensim
    reads them in order: sorted, the classes are told apart far worse.

    References
    ----------
    .. [1] Q. Le, T. Mikolov, "Distributed representations of sentences and documents", ICML 2014.

    .. [2] G. Mesnil, T. Mikolov, M. Ranzato, Y. Bengio, "Ensemble of generative and discriminative techniques for
       sentiment analysis of movie reviews", ICLR workshop 2015.

    .. [3] X. Wang, E. Kodirov, Y. Hua, N. M. Robertson, "Derivative manipulation for general example weighting",
       arXiv:1905.11233, 2019, Section 4.4.

    Examples
    --------
    >>> from sklabelnoise.text import PVDBOWVectorizer
    >>> texts = ["a fine film", "a dull film", "fine acting, dull story", "a story of a film"]
    >>> vectorizer = PVDBOWVectorizer(vector_size=4, random_state=0)
    >>> vectorizer.fit_transform(texts).shape
    (4, 4)
    >>> vectorizer.transform(["a fine story", ""]).shape
    (2, 4)
    """

    model_: Any
    vocabulary_: dict[str, int]
    n_texts_: int

    _parameter_constraints = {
        "vector_size": [Interval(Integral, 1, _BEYOND_GENSIM, closed="left")],
        "window": [Interval(Integral, 1, _BEYOND_GENSIM, closed="left")],
        "negative": [Interval(Integral, 0, _BEYOND_GENSIM, closed="left")],
        "hs": ["boolean"],
        "sample": [Interval(Real, 0, 1, closed="both")],
        "min_count": [Interval(Integral, 1, _BEYOND_GENSIM, closed="left")],
        "epochs": [Interval(Integral, 1, _BEYOND_GENSIM, closed="left")],
        "train_words": ["boolean"],
        "unlabeled": ["array-like", None],
        "lowercase": ["boolean"],
        "token_pattern": [str],
        "tokenizer": [callable, None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "unlabelled": ["array-like", None, StrOptions({"deprecated"})],
    }

    def __init__(
        self,
        *,
        vector_size: int = 100,
        window: int = 10,
        negative: int = 5,
        hs: bool = False,
        sample: float = 1e-3,
        min_count: int = 2,
        epochs: int = 20,
        train_words: bool = False,
        unlabeled: Sequence[str] | None = None,
        lowercase: bool = True,
        token_pattern: str = r"\w+|[^\w\s]",
        tokenizer: Callable[..., Any] | None = None,
        n_jobs: int | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
        unlabelled: Sequence[str] = "deprecated",
    ):
        self.vector_size = vector_size
        self.window = window
        self.negative = negative
        self.hs = hs
        self.sample = sample
        self.min_count = min_count
        self.epochs = epochs
        self.train_words = train_words
        self.unlabeled = unlabeled
        self.lowercase = lowercase
        self.token_pattern = token_pattern
        self.tokenizer = tokenizer
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.unlabelled = unlabelled

    def __setstate__(self, state):
        # A pickle of version 0.1 has the parameter under its old name alone.
        if "unlabeled" not in state:
            state = {**state, "unlabeled": state.get("unlabelled"), "unlabelled": "deprecated"}
        super().__setstate__(state)

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Iterable[str], y: Any = None) -> Self:
        """Learn words and vectors from texts.

        Parameters
        ----------
        X : iterable of str
            The texts.

        y : object, default=None
            Not used; here for Pipelines.

        Returns
        -------
        self : object
            The fitted vectorizer.

        Raises
        ------
        ImportError
            If gensim is not installed.
        TypeError, ValueError
            If X holds something else than texts, or no word often enough, or there are texts under both names of
            `unlabeled`.
        """
        self._fit(_check_texts(X, "X"))
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X: Iterable[str], y: Any = None) -> NDArray[Any]:
        """Learn words and vectors from texts, and return the vectors of X.

        Parameters
        ----------
        X : iterable of str
            The texts.

        y : object, default=None
            Not used; here for Pipelines.

        Returns
        -------
        vectors : ndarray of shape (n_texts, vector_size), float32
            The trained vectors.
        """
        texts = _check_texts(X, "X")
        self._fit(texts)
        return self.model_.dv.vectors[[self._rows[_digest(text)] for text in texts]]

    def transform(self, X: Iterable[str]) -> NDArray[Any]:
        """Vectors of texts: as trained for those seen by `fit`, inferred for new ones.

        Parameters
        ----------
        X : iterable of str
            The texts.

        Returns
        -------
        vectors : ndarray of shape (n_texts, vector_size), float32
            One row a text; what a row holds does not depend on the others.
        """
        check_is_fitted(self)
        _import_gensim()
        texts = _check_texts(X, "X")
        vectors = np.empty((len(texts), self.model_.vector_size), dtype=np.float32)
        new = []
        for i, text in enumerate(texts):
            row = self._rows.get(_digest(text))
            if row is None:
                new.append(i)
            else:
                vectors[i] = self.model_.dv.vectors[row]
        chunks = [new[start : start + _CHUNK] for start in range(0, len(new), _CHUNK)]
        # Threads suffice: gensim works outside the interpreter's lock.
        inferred = Parallel(n_jobs=self.n_jobs, prefer="threads", return_as="generator")(
            delayed(self._infer)([texts[i] for i in chunk]) for chunk in chunks
        )
        with Progress(len(new), "inferring texts", unit="texts", shown=self.verbose > 0) as bar:
            for chunk, rows in zip(chunks, inferred, strict=True):
                vectors[chunk] = rows
                bar.advance(len(chunk))
        return vectors

    def _fit(self, texts):
        gensim = _import_gensim()
        if self.negative == 0 and not self.hs:
            raise ValueError("Nothing to train: with negative=0, hs must be True, got False.")
        texts = texts + self._texts_without_labels()
        if not texts:
            raise ValueError("X must hold at least one text, got none.")
        rng = check_random_state(self.random_state)
        seed = int(rng.randint(MAX_SEED))
        # Equal texts share a row, so that a text has one vector wherever it stands.
        rows = {}
        numbers = [rows.setdefault(_digest(text), len(rows)) for text in texts]
        tokenize = _interned(self._make_tokenizer())
        documents = [
            gensim.models.doc2vec.TaggedDocument(piece, (number,))
            for number, text in zip(numbers, texts, strict=True)
            for piece in _pieces(tokenize(text))
        ]
        rng.shuffle(documents)
        model = gensim.models.Doc2Vec(
            dm=0,
            dbow_words=int(self.train_words),
            vector_size=self.vector_size,
            window=self.window,
            negative=self.negative,
            hs=int(self.hs),
            sample=self.sample,
            min_count=self.min_count,
            epochs=self.epochs,
            workers=effective_n_jobs(self.n_jobs),
            seed=seed,
            hashfxn=_stable_hash,
        )
        model.build_vocab(documents)
        if not len(model.wv):
            raise ValueError(
                f"X must hold a word that occurs {self.min_count} times, got an empty vocabulary of {len(texts)} texts."
            )
        with Progress(self.epochs, "training texts", unit="epochs", shown=self.verbose > 0) as bar:
            model.train(
                documents, total_examples=model.corpus_count, epochs=self.epochs, callbacks=[_EpochProgress(bar)]
            )
        learned = {document.tags[0] for document in documents if any(word in model.wv for word in document.words)}
        model.dv.vectors[[number for number in range(len(rows)) if number not in learned]] = 0
        self.model_, self.vocabulary_, self.n_texts_ = model, model.wv.key_to_index, len(rows)
        self._rows, self._seed, self._n_features_out = rows, seed, model.vector_size

    def _texts_without_labels(self):
        if isinstance(self.unlabelled, str):
            return [] if self.unlabeled is None else _check_texts(self.unlabeled, "unlabeled")
        if self.unlabeled is not None and self.unlabelled is not None:
            raise ValueError("unlabelled is the old name of unlabeled, which must have all texts, got some in both.")
        warn(
            "The parameter unlabelled is called unlabeled now; the old name goes in version 0.3.",
            FutureWarning,
        )
        texts = self.unlabeled if self.unlabelled is None else self.unlabelled
        return [] if texts is None else _check_texts(texts, "unlabeled")

    def _infer(self, texts):
        """Vectors of new texts, by gradient descent on the vector alone."""
        from gensim.models.doc2vec import train_document_dbow

        model = copy.copy(self.model_)  # with random numbers of its own; what it learned is shared and only read
        tokenize = self._make_tokenizer()
        rates = np.linspace(model.alpha, model.min_alpha, model.epochs)
        work = np.zeros(model.layer1_size, dtype=np.float32)
        free = np.ones(1, dtype=np.float32)
        vectors = np.zeros((len(texts), model.vector_size), dtype=np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            words = [word for word in tokenize(text) if word in model.wv]
            if not words:
                continue
            # Seeded by the text: neither other rows nor threads nor Python's hashes have a say.
            model.random = np.random.RandomState(_stable_hash(text, self._seed))
            vector[:] = (model.random.random_sample(len(vector)) - 0.5) / len(vector)
            for rate in rates:
                for piece in _pieces(words):
                    train_document_dbow(
                        model,
                        piece,
                        [0],
                        rate,
                        work,
                        learn_words=False,
                        learn_hidden=False,
                        doctag_vectors=vector[np.newaxis],
                        doctags_lockf=free,
                    )
        return vectors

    def _make_tokenizer(self):
        """Text to list of words."""
        if self.tokenizer is None:
            try:
                pattern = re.compile(self.token_pattern)
            except re.error as error:
                raise ValueError(
                    f"token_pattern must be a regular expression, got {self.token_pattern!r}: {error}."
                ) from error
            if pattern.groups > 1:  # each match would be a tuple, and no word
                raise ValueError(
                    f"token_pattern must have one group at most, which is the word, got {pattern.groups} in "
                    f"{self.token_pattern!r}; (?:...) is none."
                )
            find = pattern.findall
            return (lambda text: find(text.lower())) if self.lowercase else find

        def tokenize(text):
            words = self.tokenizer(text)
            if isinstance(words, str) or not isinstance(words, Iterable):  # a text would be split into letters
                raise TypeError(f"tokenizer must return a list of words, got {words!r:.40} for {text[:40]!r}.")
            words = list(words)
            if not all(isinstance(word, str) for word in words):
                raise TypeError(f"tokenizer must return words of type str, got {words[:3]!r} for {text[:40]!r}.")
            return words

        return tokenize

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.non_deterministic = self.n_jobs not in (None, 1)
        return tags


class _EpochProgress:
    """What gensim calls while training."""

    def __init__(self, bar):
        self.bar = bar

    def on_epoch_end(self, model):
        self.bar.advance()

    def on_train_begin(self, model):
        """Nothing to do."""

    on_train_end = on_epoch_begin = on_train_begin


def _import_gensim():
    with needed("PVDBOWVectorizer", "gensim", extra="text"):
        import gensim
    return gensim


def _check_texts(texts, name):
    """The texts as a list of str."""
    if isinstance(texts, str):
        raise ValueError(f"{name} must be an iterable of texts, got a single one: {texts[:40]!r}.")
    if isinstance(texts, set | frozenset):  # in another order in each process
        raise TypeError(f"{name} must hold texts in an order, got {type(texts).__name__}.")
    if getattr(texts, "ndim", 1) != 1:
        raise ValueError(f"{name} must be one-dimensional, one text a row, got shape {texts.shape}.")
    try:
        # The items of an array of pyarrow are no texts of Python's.
        texts = texts.to_pylist() if hasattr(texts, "to_pylist") else list(texts)
    except TypeError:
        raise TypeError(f"{name} must be an iterable of texts, got {type(texts).__name__}.") from None
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            hint = "; decode it first" if isinstance(text, bytes) else ""
            raise TypeError(f"{name} must hold texts of type str, got {type(text).__name__} in row {i}{hint}.")
    return texts


def _pieces(words):
    """Words in portions that gensim reads whole; one, be it empty, at least."""
    return [words[start : start + _MAX_WORDS] for start in range(0, len(words), _MAX_WORDS)] or [words]


def _interned(tokenize):
    """The same tokenizer, with one object for all occurrences of a word: a large corpus takes a tenth of the memory."""
    known = {}
    return lambda text: [known.setdefault(word, word) for word in tokenize(text)]


def _digest(text):
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _stable_hash(text, seed=0):
    """Hash of 32 bits that is the same in every process; Python's own is salted."""
    key = seed.to_bytes(8, "little")
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4, key=key).digest(), "little")

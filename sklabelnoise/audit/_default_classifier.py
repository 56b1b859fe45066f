"""The classifier that judges the labels where the user names none."""

import re

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from sklabelnoise._foundation._frames import pandas_frame
from sklabelnoise._label_report._rows import picture_rows
from sklabelnoise.audit._plain_columns import with_plain_columns

_N_COMPONENTS = 100
_MAX_CATEGORIES = 50


def with_default_classifier(X, random_state, cv=5):
    """A pipeline that suits the rows, and the rows as it takes them.

    Texts become 100 components of their words (latent semantic analysis), in a column of a frame as well, pictures 100
    principal components of their pixels, sparse columns 100 components where they are more, categories columns of their
    own; what is a number stays one, and dates and durations become numbers. Embeddings of a pretrained network say more
    of texts and pictures than this: pass these as X and what people see as ``display``.

    Parameters
    ----------
    X : array-like, frame, sparse array, or list of texts or of paths of images
    random_state : int, RandomState instance or None
    cv : int, splitter or list of (train, test), default=5
        How it leaves rows out.

    Returns
    -------
    estimator : Pipeline
    X : what it is fitted to
    """
    pictures = picture_rows(X)
    frame = pandas_frame(X, "X")
    X = pictures if pictures is not None else X if frame is None else with_plain_columns(frame)
    return make_pipeline(*_preparation(X), _classifier(random_state, cv)), X


def _classifier(random_state, cv):
    from sklabelnoise._ensemble._classifier import NoisyLabelClassifier  # brings torch

    return NoisyLabelClassifier(cv=cv, random_state=random_state)


def _preparation(X):
    """Steps that make numbers of rows; the classifier scales them itself, and takes missing ones."""
    if sparse.issparse(X):
        return [_of_sparse(X.shape[1])]
    if isinstance(X, pd.DataFrame):
        categories = OneHotEncoder(
            handle_unknown="infrequent_if_exist", max_categories=_MAX_CATEGORIES, sparse_output=False
        )
        texts = [name for name in X.columns if _is_prose(X[name])]
        numbers = X.select_dtypes("number").columns.tolist()
        others = [name for name in X.columns if name not in {*numbers, *texts}]
        filled = FunctionTransformer(_without_gaps).set_output(transform="default")
        read = [(make_pipeline(filled, *_of_texts(_without_gaps(X[name]).tolist())), name) for name in texts]
        return [make_column_transformer(("passthrough", numbers), (categories, others), *read)]
    if _are_texts(X):
        return _of_texts(X)
    numbers = np.asarray(X)
    if numbers.ndim > 2 or numbers.dtype == np.uint8:
        n_features = int(np.prod(numbers.shape[1:]))
        components = PCA(min(_N_COMPONENTS, n_features, len(numbers) // 2), random_state=0)
        # An array, whatever scikit-learn is set to give users of its transformers: pixels have no names.
        return [FunctionTransformer(_flat).set_output(transform="default"), components]
    return []


def _are_texts(X):
    """Whether rows are texts.

    Raises
    ------
    ValueError
        If some are, and one is none.
    """
    if getattr(X, "ndim", 1) > 1:
        return False
    rows = X.tolist() if isinstance(X, pd.Series | np.ndarray) else X
    others = [number for number, text in enumerate(rows) if not isinstance(text, str)]
    if others and len(others) < len(rows):
        raise ValueError(
            f"X must hold a text in every row, got {rows[others[0]]!r} in row {others[0]}. Leave such rows out, or "
            "take an empty text for what is missing."
        )
    return not others


def _is_prose(column):
    """Whether a column holds texts of several words, more of them than categories have columns."""
    present = column.dropna()
    if pd.api.types.is_numeric_dtype(column.dtype) or present.nunique() <= _MAX_CATEGORIES:
        return False
    return all(isinstance(text, str) for text in present) and np.mean([len(text.split()) > 1 for text in present]) > 0.5


def _without_gaps(column):
    return column.astype(object).where(column.notna(), "")


def _of_texts(texts):
    words = _words_of(texts)
    return [words, _of_sparse(len(words.vocabulary))]


def _words_of(texts):
    """A vectorizer of the words of all rows: a fold without some could have fewer than there are components."""
    # Where nothing has two letters, as of smileys and grades, all between two spaces counts.
    for pattern in (r"(?u)\b\w\w+\b", r"\S+"):
        if any(re.search(pattern, text) for text in texts):
            vocabulary = TfidfVectorizer(max_features=20_000, token_pattern=pattern).fit(texts).vocabulary_
            return TfidfVectorizer(sublinear_tf=True, vocabulary=vocabulary, token_pattern=pattern, dtype=np.float32)
    raise ValueError(f"X must hold texts with words in them, got {texts[0]!r} in row 0 and nothing else in any other.")


def _of_sparse(n_columns):
    """Components of many sparse columns; few stay as they are, where one component less would lose one."""
    if n_columns > _N_COMPONENTS:
        return TruncatedSVD(_N_COMPONENTS, random_state=0)
    return FunctionTransformer(_dense, accept_sparse=True).set_output(transform="default")


def _dense(X):
    return X.toarray()


def _flat(X):
    return np.reshape(X, (len(X), -1)).astype(np.float32)

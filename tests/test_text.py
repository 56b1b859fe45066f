"""Laws of the paragraph vectors, on a language of two topics."""

import copy
import inspect
import os
import pickle
import runpy
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from packaging.version import Version
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from sklabelnoise import DMClassifierCV
from sklabelnoise.text import PVDBOWVectorizer, _stable_hash

pytest.importorskip("gensim")

SMALL = {"vector_size": 8, "epochs": 40, "min_count": 1, "random_state": 0}


def two_topics(n_texts, seed=0):
    """Texts sorted by topic; a topic has 20 words of its own beside 20 common ones."""
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1], n_texts // 2)
    words = [[*(f"own{topic}x{i}" for i in range(20)), *(f"common{i}" for i in range(20))] for topic in (0, 1)]
    return [" ".join(rng.choice(words[topic], 30)) for topic in y], y


@pytest.fixture(scope="module")
def corpus():
    return two_topics(100)


@pytest.fixture(scope="module")
def fitted(corpus):
    return PVDBOWVectorizer(**SMALL).fit(corpus[0])


class TestVectors:
    def test_they_tell_topics_apart_in_trained_and_in_new_texts(self, corpus, fitted):
        X, y = corpus
        model = LogisticRegression().fit(fitted.transform(X), y)
        new, y_new = two_topics(40, seed=1)
        assert model.score(fitted.transform(new), y_new) > 0.95  # half the words of a text give its topic away

    def test_fit_transform_is_fit_then_transform(self, corpus, fitted):
        vectors = PVDBOWVectorizer(**SMALL).fit_transform(corpus[0])
        np.testing.assert_array_equal(vectors, fitted.transform(corpus[0]))
        assert vectors.dtype == np.float32 and vectors.shape == (100, 8)

    def test_equal_texts_have_equal_vectors(self):
        vectors = PVDBOWVectorizer(**SMALL).fit_transform(["a b c", "d e f", "a b c"])
        np.testing.assert_array_equal(vectors[0], vectors[2])

    def test_a_new_text_has_its_vector_whatever_stands_beside_it(self, fitted):
        texts, _ = two_topics(80, seed=2)
        whole = fitted.transform(texts)
        np.testing.assert_array_equal(fitted.transform(texts[::-1])[::-1], whole)
        np.testing.assert_array_equal(fitted.transform(texts[7:8])[0], whole[7])

    def test_parameters_that_are_set_later_do_not_change_what_was_learned(self, fitted, corpus):
        texts, _ = two_topics(6, seed=4)
        later = copy.copy(fitted).set_params(epochs=1, vector_size=3, negative=1, min_count=9, random_state=5)
        for given in (texts, corpus[0][:3]):
            np.testing.assert_array_equal(later.transform(given), fitted.transform(given))

    def test_a_new_text_is_inferred_as_gensim_does_from_the_same_start(self, fitted, monkeypatch):
        """The rate goes down from the first one to the last one of training."""
        text = " ".join(f"own0x{i} common{i}" for i in range(12))
        inferred = fitted.transform([text])[0]

        def rewound(size, seed_string):
            # gensim begins with another vector and other random numbers in every call.
            model.random = np.random.RandomState(_stable_hash(text, fitted._seed))
            return ((model.random.random_sample(size) - 0.5) / size).astype(np.float32)

        model = copy.copy(fitted.model_)
        monkeypatch.setattr("gensim.models.doc2vec.pseudorandom_weak_vector", rewound)
        np.testing.assert_allclose(inferred, model.infer_vector(text.split()), rtol=1e-5)

    def test_threads_change_nothing_in_inference(self, fitted):
        texts, _ = two_topics(200, seed=3)
        two = clone(fitted).set_params(n_jobs=2)
        vars(two).update({name: value for name, value in vars(fitted).items() if name.endswith("_") or name[0] == "_"})
        np.testing.assert_array_equal(two.transform(texts), fitted.transform(texts))

    def test_texts_are_shuffled_before_training(self, corpus, monkeypatch):
        """Sorted reviews, read as they stand, would meet the rates of training class by class."""
        import gensim

        orders, build_vocab = [], gensim.models.Doc2Vec.build_vocab

        def recording(model, documents, **options):
            orders.append([document.tags[0] for document in documents])
            return build_vocab(model, documents, **options)

        monkeypatch.setattr(gensim.models.Doc2Vec, "build_vocab", recording)
        for seed in (0, 0, 1):
            PVDBOWVectorizer(**{**SMALL, "epochs": 1, "random_state": seed}).fit(corpus[0])
        assert all(sorted(order) == list(range(100)) for order in orders)
        assert orders[0] == orders[1] != orders[2]
        # The corpus is sorted by topic; of a random order 50 +- 5 of the first half are of the first one.
        assert 30 < sum(number < 50 for number in orders[0][:50]) * 2 < 70

    def test_the_order_of_sorted_texts_does_no_harm(self):
        X, y = two_topics(200)
        shuffled = np.random.default_rng(0).permutation(len(X))
        new, y_new = two_topics(60, seed=1)
        scores = []
        for order in (np.arange(len(X)), shuffled):
            vectorizer = PVDBOWVectorizer(**{**SMALL, "epochs": 10}).fit([X[i] for i in order])
            model = LogisticRegression().fit(vectorizer.transform(X), y)
            scores.append(model.score(vectorizer.transform(new), y_new))
        assert abs(scores[0] - scores[1]) < 0.1  # 60 texts: three standard errors at an accuracy of 0.95

    def test_words_beyond_gensims_limit_are_read(self):
        """gensim drops all but the first 10,000 words of a document."""
        long = " ".join(["filler"] * 10_000 + ["rare"] * 50)
        vectorizer = PVDBOWVectorizer(**{**SMALL, "min_count": 1, "epochs": 1}).fit([long, "filler rare"])
        assert vectorizer.model_.wv.get_vecattr("rare", "count") == 51
        assert vectorizer.model_.corpus_count == 3
        new = vectorizer.transform([long + " rare", " ".join(["filler"] * 10_000)])
        assert not np.array_equal(new[0], new[1])


class TestNothingToLearnFrom:
    @pytest.mark.parametrize("text", ["", "   \n", "unheard words"])
    def test_a_text_without_known_words_is_the_zero_vector(self, fitted, text):
        np.testing.assert_array_equal(fitted.transform([text]), np.zeros((1, 8)))

    def test_also_where_it_was_fitted(self):
        vectors = PVDBOWVectorizer(**{**SMALL, "min_count": 2}).fit_transform(["a b a b", "", "once", "a b", "a rare"])
        np.testing.assert_array_equal(np.flatnonzero(~vectors.any(axis=1)), [1, 2])

    def test_no_word_often_enough(self):
        with pytest.raises(
            ValueError, match=r"X must hold a word that occurs 3 times, got an empty vocabulary of 2 texts"
        ):
            PVDBOWVectorizer(min_count=3).fit(["a b", "c d"])
        with pytest.raises(ValueError, match="empty vocabulary"):
            PVDBOWVectorizer(min_count=1).fit([""])

    def test_no_text(self, fitted):
        with pytest.raises(ValueError, match="X must hold at least one text, got none"):
            PVDBOWVectorizer().fit([])
        assert fitted.transform([]).shape == (0, 8)

    def test_a_failed_fit_keeps_what_was_fitted(self, corpus):
        vectorizer = PVDBOWVectorizer(**SMALL).fit(corpus[0])
        before = vectorizer.transform(corpus[0])
        with pytest.raises(ValueError, match="empty vocabulary"):
            vectorizer.fit([""])
        np.testing.assert_array_equal(vectorizer.transform(corpus[0]), before)


class TestUnlabeled:
    def test_they_add_words_but_no_rows(self, corpus):
        vectorizer = PVDBOWVectorizer(**SMALL, unlabeled=["strange new words"] * 3)
        assert vectorizer.fit_transform(corpus[0]).shape == (100, 8)
        assert "strange" in vectorizer.vocabulary_
        assert vectorizer.n_texts_ == 101

    def test_their_vectors_are_the_trained_ones(self, corpus):
        X, _ = corpus
        vectorizer = PVDBOWVectorizer(**SMALL, unlabeled=pd.Series(X[60:])).fit(X[:60])
        together = PVDBOWVectorizer(**SMALL).fit(X)
        np.testing.assert_array_equal(vectorizer.transform(X[60:]), together.transform(X[60:]))

    def test_a_pipeline_carries_them_through_cross_validation(self, corpus):
        X, y = corpus
        new, _ = two_topics(20, seed=1)
        pipeline = make_pipeline(PVDBOWVectorizer(**SMALL, unlabeled=new), LogisticRegression())
        assert cross_val_score(pipeline, X, y, cv=3).min() > 0.9

    def test_wrong_ones_are_named(self, corpus):
        with pytest.raises(TypeError, match="unlabeled must hold texts of type str, got int in row 1"):
            PVDBOWVectorizer(unlabeled=["a", 1]).fit(corpus[0])


class TestReproducible:
    def test_an_integer_fixes_all(self, corpus):
        first, second = (PVDBOWVectorizer(**SMALL).fit(corpus[0]) for _ in range(2))
        np.testing.assert_array_equal(first.transform(corpus[0]), second.transform(corpus[0]))
        np.testing.assert_array_equal(first.transform(["common1 own0x1"]), second.transform(["common1 own0x1"]))

    def test_another_seed_gives_other_vectors(self, corpus, fitted):
        other = PVDBOWVectorizer(**{**SMALL, "random_state": 1}).fit(corpus[0])
        assert not np.allclose(other.transform(corpus[0]), fitted.transform(corpus[0]))

    def test_the_global_generator_is_left_alone(self, corpus):
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        PVDBOWVectorizer(**SMALL).fit_transform(corpus[0])
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002

    def test_pythons_hash_seed_has_no_say(self):
        fitted, new = ["a b c", "d e f", "a e"], ["a b c", "d b"]
        code = (
            "from sklabelnoise.text import PVDBOWVectorizer\n"
            f"vectorizer = PVDBOWVectorizer(vector_size=4, min_count=1, random_state=0).fit({fitted})\n"
            f"print(vectorizer.transform({new}).tobytes().hex())"
        )
        environment = {**os.environ, "PYTHONHASHSEED": "12345"}  # the tests' own process has another
        shown = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=300
        )
        vectorizer = PVDBOWVectorizer(vector_size=4, min_count=1, random_state=0).fit(fitted)
        assert shown.stdout.strip() == vectorizer.transform(new).tobytes().hex()

    def test_pickled_ones_infer_the_same(self, fitted, corpus):
        loaded = pickle.loads(pickle.dumps(fitted))
        np.testing.assert_array_equal(loaded.transform(corpus[0]), fitted.transform(corpus[0]))

    def test_one_loaded_by_joblib_infers_the_same(self, fitted, tmp_path, corpus):
        joblib.dump(fitted, tmp_path / "vectorizer.joblib")
        loaded = joblib.load(tmp_path / "vectorizer.joblib")
        for texts in (corpus[0], ["common1 own0x1"]):
            np.testing.assert_array_equal(loaded.transform(texts), fitted.transform(texts))


class TestParameters:
    def test_each_reaches_gensim(self, corpus):
        values = {
            "vector_size": 6,
            "window": 3,
            "negative": 2,
            "hs": True,
            "sample": 0.01,
            "min_count": 4,
            "epochs": 2,
        }
        model = PVDBOWVectorizer(**values, n_jobs=2, random_state=0).fit(corpus[0]).model_
        assert {name: getattr(model, name) for name in values} == values
        assert model.workers == 2 and model.dbow

    def test_several_threads_learn_as_well(self, corpus):
        X, y = corpus
        vectors = PVDBOWVectorizer(**SMALL, n_jobs=2).fit_transform(X)
        assert LogisticRegression().fit(vectors, y).score(vectors, y) > 0.95  # topics are told apart by half the words


class TestConventions:
    def test_fit_returns_the_object_and_leaves_its_parameters(self, corpus):
        vectorizer = PVDBOWVectorizer(**SMALL, unlabeled=["a b"])
        before = vectorizer.get_params()
        assert vectorizer.fit(corpus[0]) is vectorizer
        assert vectorizer.get_params() == before

    def test_labels_have_no_say(self, corpus, fitted):
        X, y = corpus
        np.testing.assert_array_equal(PVDBOWVectorizer(**SMALL).fit_transform(X, y), fitted.transform(X))

    def test_a_column_of_texts_beside_other_columns(self, corpus):
        frame = pd.DataFrame({"text": corpus[0], "stars": np.arange(100.0)})
        columns = make_column_transformer((PVDBOWVectorizer(**SMALL), "text"), ("passthrough", ["stars"]))
        assert columns.fit_transform(frame).shape == (100, 9)
        assert list(columns.get_feature_names_out()[[0, -1]]) == [
            "pvdbowvectorizer__pvdbowvectorizer0",
            "passthrough__stars",
        ]

    def test_raw_texts_to_a_robust_classifier_in_one_pipeline(self, corpus):
        X, y = corpus
        names = np.array(["bad", "good"])[y]
        pipeline = make_pipeline(
            PVDBOWVectorizer(**SMALL),
            DMClassifierCV(candidates=((0, 0), (0.5, 8)), cv=2, n_members=1, max_epochs=10, random_state=0),
        )
        assert pipeline.fit(X, names).score(X, names) > 0.9
        assert set(pipeline.predict(["own0x1 own0x2", ""])) <= {"bad", "good"}

    def test_features_are_named_by_class_and_number(self, fitted):
        names = fitted.get_feature_names_out()
        assert list(names[:2]) == ["pvdbowvectorizer0", "pvdbowvectorizer1"] and len(names) == 8

    @pytest.mark.skipif(
        Version(sklearn.__version__) < Version("1.9"), reason="scikit-learn 1.9 keeps the index of a Series"
    )
    def test_pandas_output_keeps_the_index(self, corpus):
        X = pd.Series(corpus[0], index=np.arange(100) + 5)
        frame = PVDBOWVectorizer(**SMALL).set_output(transform="pandas").fit_transform(X)
        assert list(frame.index) == list(X.index) and frame.shape == (100, 8)

    def test_tags_say_that_it_takes_strings(self):
        tags = PVDBOWVectorizer().__sklearn_tags__()
        assert tags.input_tags.string and not tags.input_tags.two_d_array
        assert tags.requires_fit and not tags.non_deterministic
        assert PVDBOWVectorizer(n_jobs=2).__sklearn_tags__().non_deterministic

    def test_clones_and_parameters_round_trip(self):
        vectorizer = PVDBOWVectorizer(vector_size=7, tokenizer=str.split, unlabeled=["a"])
        assert clone(vectorizer).get_params() == vectorizer.get_params()
        assert set(vectorizer.get_params()) == set(inspect.signature(PVDBOWVectorizer).parameters)

    def test_a_search_over_its_parameters_works(self, corpus):
        X, y = corpus
        pipeline = make_pipeline(PVDBOWVectorizer(**SMALL), LogisticRegression())
        search = GridSearchCV(pipeline, {"pvdbowvectorizer__vector_size": [2, 8]}, cv=2).fit(np.array(X, object), y)
        assert search.best_score_ > 0.9

    @pytest.mark.parametrize("call", [lambda v: v.transform(["a"]), lambda v: v.get_feature_names_out()])
    def test_before_fit(self, call):
        with pytest.raises(NotFittedError, match="not fitted"):
            call(PVDBOWVectorizer())

    @pytest.mark.parametrize("make", [list, tuple, iter, np.array, pd.Series, lambda X: np.array(X, dtype=object)])
    def test_any_one_dimensional_container_does(self, corpus, fitted, make):
        np.testing.assert_array_equal(fitted.transform(make(corpus[0][:5])), fitted.transform(corpus[0][:5]))

    def test_lone_surrogates_and_other_scripts_are_words(self):
        texts = ["\ud800 \u4e2d \u6587", "\u4e2d \u00e9t\u00e9 \U0001f600"]
        assert PVDBOWVectorizer(**SMALL).fit(texts).transform([*texts, "\u6587"]).any(axis=1).all()


class TestWords:
    def test_case_and_marks(self):
        vocabulary = PVDBOWVectorizer(min_count=1).fit(["Good, GOOD film!"]).vocabulary_
        assert set(vocabulary) == {"good", ",", "film", "!"}

    def test_case_can_be_kept_and_the_pattern_changed(self):
        vectorizer = PVDBOWVectorizer(min_count=1, lowercase=False, token_pattern=r"[A-Z]\w+")
        assert set(vectorizer.fit(["Good, GOOD film!"]).vocabulary_) == {"Good", "GOOD"}

    def test_a_tokenizer_replaces_both(self):
        vectorizer = PVDBOWVectorizer(min_count=1, tokenizer=str.split).fit(["Good, film!"])
        assert set(vectorizer.vocabulary_) == {"Good,", "film!"}
        assert vectorizer.transform(["Good, story"]).any()

    def test_a_tokenizer_must_return_words(self):
        with pytest.raises(TypeError, match=r"tokenizer must return words of type str, got \[1, 2\] for 'a'"):
            PVDBOWVectorizer(tokenizer=lambda text: [1, 2]).fit(["a"])

    @pytest.mark.parametrize("train_words", [False, True])
    def test_word_vectors_learn_with_train_words_only(self, corpus, train_words):
        once, twice = (
            PVDBOWVectorizer(**{**SMALL, "epochs": epochs}, train_words=train_words).fit(corpus[0]).model_.wv.vectors
            for epochs in (1, 2)
        )
        assert np.array_equal(once, twice) is not train_words

    def test_hierarchical_softmax_alone_learns(self, corpus):
        X, y = corpus
        vectors = PVDBOWVectorizer(**SMALL, hs=True, negative=0).fit_transform(X)
        assert LogisticRegression().fit(vectors, y).score(vectors, y) > 0.95


class TestBadInput:
    @pytest.mark.parametrize(
        ("X", "error", "message"),
        [
            ("one text", ValueError, "X must be an iterable of texts, got a single one: 'one text'"),
            ([b"a"], TypeError, "X must hold texts of type str, got bytes in row 0; decode it first"),
            (["a", None], TypeError, "X must hold texts of type str, got NoneType in row 1"),
            (["a", float("nan")], TypeError, "got float in row 1"),
            (pd.Series(["a", None], dtype="string"), TypeError, "got NAType in row 1"),
            (np.array([b"a"]), TypeError, "got bytes_ in row 0; decode it first"),
            (bytearray(b"ab"), TypeError, "got int in row 0"),
            ([["a", "b"]], TypeError, "got list in row 0"),
            (5, TypeError, "X must be an iterable of texts, got int"),
            (pd.DataFrame({"text": ["a"]}), ValueError, r"one-dimensional, one text a row, got shape \(1, 1\)"),
            (np.array([["a"]]), ValueError, "X must be one-dimensional"),
            ({"a", "b"}, TypeError, "X must hold texts in an order, got set"),
        ],
    )
    def test_what_is_no_list_of_texts(self, fitted, X, error, message):
        for call in (PVDBOWVectorizer().fit, PVDBOWVectorizer().fit_transform, fitted.transform):
            with pytest.raises(error, match=message):
                call(X)

    def test_nothing_to_train(self):
        with pytest.raises(ValueError, match="with negative=0, hs must be True, got False"):
            PVDBOWVectorizer(negative=0).fit(["a"])

    @pytest.mark.parametrize("name", ["vector_size", "window", "min_count", "epochs"])
    def test_numbers_below_one(self, name):
        with pytest.raises(ValueError, match=f"The '{name}' parameter of PVDBOWVectorizer must be an int in the range"):
            PVDBOWVectorizer(**{name: 0}).fit(["a"])

    @pytest.mark.parametrize("words", [None, 5, "a text"])
    def test_a_tokenizer_returns_words(self, corpus, words):
        with pytest.raises(TypeError, match=f"tokenizer must return a list of words, got {words!r} for '"):
            PVDBOWVectorizer(**SMALL, tokenizer=lambda text: words).fit(corpus[0])

    @pytest.mark.parametrize(
        ("pattern", "message"),
        [
            ("(", r"token_pattern must be a regular expression, got '\(': missing"),
            (r"(\w)(\w+)", "token_pattern must have one group at most, which is the word, got 2 in"),
        ],
    )
    def test_a_pattern_is_of_one_word(self, corpus, pattern, message):
        with pytest.raises(ValueError, match=message):
            PVDBOWVectorizer(**SMALL, token_pattern=pattern).fit(corpus[0])

    def test_without_gensim_the_error_names_the_extra(self, fitted, monkeypatch):
        monkeypatch.setitem(sys.modules, "gensim", None)
        for call in (PVDBOWVectorizer().fit, PVDBOWVectorizer().fit_transform, fitted.transform):
            with pytest.raises(ImportError, match=r"needs gensim, .*: pip install 'sklabelnoise\[text\]'"):
                call(["a a"])


def test_progress_is_shown_on_request(corpus, fitted, capsys):
    vectorizer = PVDBOWVectorizer(**{**SMALL, "epochs": 3}, verbose=1).fit(corpus[0])
    vectorizer.transform(["common1"])
    shown = capsys.readouterr().err
    assert "training texts: 100%" in shown and "inferring texts: 100%" in shown
    fitted.transform(["common1"])
    assert capsys.readouterr().err == ""


def test_training_costs_what_gensim_costs():
    """Counted in training calls, not seconds: nothing is trained twice, and no text is lost."""
    X, _ = two_topics(30)
    vectorizer = PVDBOWVectorizer(**{**SMALL, "epochs": 5}).fit(X)
    assert vectorizer.model_.corpus_count == len(X)
    assert vectorizer.model_.epochs == 5
    assert vectorizer.model_.corpus_total_words == 30 * len(X)


@pytest.mark.slow
def test_the_example_takes_the_77_intents_too(shared_data, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["plot_imdb_sentiment.py", "--banking", "--n-texts", "2500", "--seeds", "1"])
    shown = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "plot_imdb_sentiment.py"))
    assert len(shown["classes"]) == 77
    assert shown["cells"].min(axis=None) > 5 / 77  # a guess is right in one of 77
    assert (tmp_path / "output" / "banking77.png").exists()
    assert "2,500 training and 2,500 test texts" in capsys.readouterr().out


class TestTheOldName:
    """Version 0.1 spelled the parameter `unlabelled`."""

    def test_it_works_with_a_warning(self, corpus):
        X, more = corpus[0][:40], corpus[0][40:]
        new = PVDBOWVectorizer(**SMALL, unlabeled=more).fit_transform(X)
        with pytest.warns(FutureWarning, match="unlabelled is called unlabeled now"):
            old = PVDBOWVectorizer(**SMALL, unlabelled=more).fit_transform(X)
        np.testing.assert_array_equal(old, new)

    def test_texts_under_both_names_are_refused(self, corpus):
        X, more = corpus[0][:40], corpus[0][40:]
        with pytest.raises(ValueError, match="unlabeled, which must have all texts, got some in both"):
            PVDBOWVectorizer(**SMALL, unlabeled=more, unlabelled=more).fit(X)

    def test_a_pickle_of_that_version_has_the_new_one(self):
        vectorizer = PVDBOWVectorizer(unlabeled=["a b"])
        state = {name: value for name, value in vars(vectorizer).items() if name not in ("unlabeled", "unlabelled")}
        again = PVDBOWVectorizer()
        again.__setstate__({**state, "unlabelled": ["a b"]})
        assert again.get_params() == vectorizer.get_params()


@pytest.mark.parametrize("convert", [lambda pa, X: pa.array(X), lambda pa, X: pa.chunked_array([X[:3], X[3:]])])
def test_arrays_of_pyarrow_are_texts(corpus, fitted, convert):
    texts = convert(pytest.importorskip("pyarrow"), corpus[0])
    np.testing.assert_array_equal(fitted.transform(texts), fitted.transform(corpus[0]))


def test_a_group_is_the_word(corpus):
    texts, other = corpus[0][:20], ["<" + text.replace(" ", "> <") + ">" for text in corpus[0][:20]]
    plain = PVDBOWVectorizer(**SMALL, token_pattern=r"\w+").fit(texts)
    group = PVDBOWVectorizer(**SMALL, token_pattern=r"<(\w+)>").fit(other)
    assert group.vocabulary_ == plain.vocabulary_

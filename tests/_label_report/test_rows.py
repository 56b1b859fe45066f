"""Anything in: frames, lists of texts and of paths, torch Datasets, folders of images, data sets of Hugging Face."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits, load_iris
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC
from torch.utils.data import Dataset, Subset, TensorDataset

from sklabelnoise import DMClassifier
from sklabelnoise._label_report._datasets import Datasets
from sklabelnoise._label_report._views import view_of
from sklabelnoise.audit import audit_labels
from sklabelnoise.audit._default_classifier import with_default_classifier

N = 120


@pytest.fixture
def iris():
    """Flowers of which six are named wrongly, in an order of their own."""
    X, y = load_iris(return_X_y=True, as_frame=True)
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X.iloc[order], np.array(["setosa", "versicolor", "virginica"])[y.iloc[order]]
    wrong = np.flatnonzero(y == "setosa")[:6]
    y[wrong] = "virginica"
    return X, y, wrong


class Shapes(Dataset):
    """Bright and dark pictures, as tensors with a label; one of them may fail."""

    classes = ("bright", "dark")

    def __init__(self, n=N, fails=None):
        rng = np.random.default_rng(0)
        self.targets = [int(i % 2) for i in range(n)]
        self.images = torch.as_tensor(rng.normal(0, 0.3, (n, 1, 8, 8)), dtype=torch.float32)
        self.images += torch.tensor([1.0 if i % 2 == 0 else -1.0 for i in range(n)])[:, None, None, None]
        self.fails = fails
        self.targets[4] = 1  # the one that is wrong

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        if index == self.fails:
            raise OSError("the disk is gone")
        return self.images[index], self.targets[index]


class ImageFolder(Dataset):
    """As torchvision's: files in one folder a class."""

    def __init__(self, root):
        self.classes = ["bright", "dark"]
        self.samples = []
        rng = np.random.default_rng(0)
        for i in range(60):
            path = root / self.classes[i % 2] / f"{i}.png"
            path.parent.mkdir(exist_ok=True)
            shown = i % 2 if i != 8 else 1
            pixels = rng.integers(0, 60, (12 + i % 3, 10, 3)) + (0 if shown else 180)
            Image.fromarray(pixels.astype(np.uint8)).save(path)
            self.samples.append((str(path), i % 2))
        self.targets = [target for _, target in self.samples]

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        path, target = self.samples[index]
        with Image.open(path) as image:
            return image.convert("RGB"), target


class TestNames:
    def test_the_index_of_the_rows_is_that_of_the_issues(self, iris):
        X, y, wrong = iris
        report = audit_labels(make_pipeline(StandardScaler(), LogisticRegression()), X, y, random_state=0)
        pd.testing.assert_frame_equal(X.loc[report.issues.index], X.iloc[report.issues["row"]])
        assert len(set(wrong) - set(report.issues["row"])) <= 1
        chosen = report.issues.index[0]
        assert report.issues.loc[chosen, "row"] == X.index.get_loc(chosen)

    def test_the_index_of_the_labels_where_the_rows_have_none(self, iris):
        X, y, _ = iris
        report = audit_labels(
            LogisticRegression(max_iter=500), X.to_numpy(), pd.Series(y, index=X.index), random_state=0
        )
        assert (X.index[report.issues["row"]] == report.issues.index).all()

    def test_positions_where_nothing_has_an_index(self, iris):
        X, y, _ = iris
        report = audit_labels(LogisticRegression(max_iter=500), X.to_numpy(), y, random_state=0)
        assert (report.issues.index == report.issues["row"]).all()

    def test_ids_stand_beside_the_rows(self, iris):
        X, y, _ = iris
        ids = [f"flower {i}" for i in range(len(y))]
        report = audit_labels(LogisticRegression(max_iter=500), X, y, ids=ids, random_state=0)
        assert report.issues["id"].tolist() == [ids[row] for row in report.issues["row"]]

    def test_ids_of_several_parts_are_tuples(self, iris, tmp_path):
        X, y = iris[:2]
        ids = [("garden", number) for number in range(len(y))]
        for given in (ids, pd.MultiIndex.from_tuples(ids)):
            report = audit_labels(LogisticRegression(max_iter=500), X, y, ids=given, random_state=0)
            assert report.issues["id"].tolist() == [ids[row] for row in report.issues["row"]]
            assert "garden" in report.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
        with pytest.raises(ValueError, match=r"ids must hold one name for each row.*, got shape \(150, 4\)"):
            audit_labels(LogisticRegression(max_iter=500), X, y, ids=X, random_state=0)

    @pytest.mark.parametrize("name", ["ids", "display"])
    def test_as_many_as_there_are_rows(self, iris, name):
        X, y, _ = iris
        with pytest.raises(ValueError, match=f"{name} must have one row for each of 150 labels, got 2"):
            audit_labels(LogisticRegression(max_iter=500), X, y, **{name: ["a", "b"]})


class TestDatasets:
    def test_a_network_is_fitted_to_a_dataset_as_it_is(self):
        net = DMClassifier(max_epochs=30, lr=0.05, random_state=0)
        report = audit_labels(make_net_flat(net), Shapes(), random_state=0)
        assert report.in_sample and report.issues["row"].tolist() == [4]
        assert report.issues[["given_label", "suggested_label"]].iloc[0].tolist() == ["dark", "bright"]

    @pytest.mark.parametrize("estimator", ["net", LogisticRegression()])
    def test_the_report_keeps_the_dataset_itself(self, estimator):
        shapes = Shapes()
        if estimator == "net":
            estimator = make_net_flat(DMClassifier(max_epochs=30, lr=0.05, random_state=0))
        assert audit_labels(estimator, shapes, random_state=0).X is shapes

    def test_the_report_keeps_the_rows_of_a_tensor(self):
        images = Shapes().images.reshape(N, -1)
        report = audit_labels(LogisticRegression(), images, Shapes().targets, random_state=0)
        assert isinstance(report.X, np.ndarray) and report.X.shape == images.shape

    def test_out_of_fold_too(self):
        net = make_net_flat(DMClassifier(max_epochs=30, lr=0.05, random_state=0))
        report = audit_labels(net, Shapes(), evidence="out_of_fold", cv=3, random_state=0)
        assert not report.in_sample and report.issues["row"].tolist()[0] == 4

    def test_other_classifiers_get_an_array_of_its_inputs(self, tmp_path):
        report = audit_labels(LogisticRegression(), Shapes(), random_state=0)
        assert report.issues["row"].tolist() == [4]
        assert report.to_html(tmp_path / "page.html").read_text().count("data:image/png") > 1

    def test_a_subset_knows_its_labels_and_classes(self):
        rows = np.arange(2, 100)
        report = audit_labels(LogisticRegression(), Subset(Shapes(), rows), random_state=0)
        assert report.issues["row"].tolist() == [2] and set(report.classes) == {"bright", "dark"}
        twice = Subset(Subset(Shapes(), rows), np.arange(50)[::-1])
        assert audit_labels(LogisticRegression(), twice, random_state=0).issues["row"].tolist() == [47]

    def test_labels_of_tensors_and_of_items(self):
        images = Shapes()
        pairs = TensorDataset(images.images, torch.tensor(images.targets))
        assert audit_labels(LogisticRegression(), pairs, random_state=0).issues["row"].tolist() == [4]

        class Items(Dataset):
            def __len__(self):
                return N

            def __getitem__(self, index):
                return images[index]

        assert audit_labels(LogisticRegression(), Items(), random_state=0).issues["row"].tolist() == [4]

    def test_labels_of_ones_own_beat_those_of_the_dataset(self):
        y = np.array(["x", "y"])[np.arange(N) % 2]
        report = audit_labels(LogisticRegression(), Shapes(), y, random_state=0)
        assert set(report.classes) == {"x", "y"} and len(report.issues) == 0

    @pytest.mark.parametrize("estimator", [LogisticRegression(), None, "net"])
    def test_a_row_that_fails_is_named(self, estimator):
        if estimator == "net":
            estimator = make_net_flat(DMClassifier(max_epochs=2, random_state=0))
        with pytest.raises(
            ValueError, match=r"X is a Dataset whose item 17 cannot be read, got OSError\('the disk is gone'\)"
        ):
            audit_labels(estimator, Shapes(fails=17), random_state=0)

    def test_a_dataset_without_labels_is_named(self):
        class Bare(Dataset):
            def __len__(self):
                return 4

            def __getitem__(self, index):
                return torch.zeros(3)

        with pytest.raises(ValueError, match=r"items must be pairs \(x, y\) if there is no y, got Tensor"):
            audit_labels(LogisticRegression(), Bare())


def make_net_flat(net):
    """A network of this package that takes pictures of one channel."""

    class Flat(torch.nn.Module):
        def __init__(self, n_classes=2):
            super().__init__()
            self.layers = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, n_classes))

        def forward(self, X):
            return self.layers(X)

    return net.set_params(module=Flat)


class TestFolders:
    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "images").mkdir()
        return ImageFolder(tmp_path / "images")

    def test_classes_have_names_and_rows_have_paths(self, folder, tmp_path):
        report = audit_labels(KNeighborsClassifier(5), folder, random_state=0)
        assert report.classes.tolist() == ["bright", "dark"]
        assert report.issues["row"].tolist() == [8]
        assert report.issues["id"].tolist() == [folder.samples[8][0]]
        page = report.to_html(tmp_path / "page.html").read_text(encoding="utf-8")
        assert "data:image/png" in page
        part = audit_labels(KNeighborsClassifier(5), Subset(folder, range(59, 3, -1)), random_state=0)
        assert part.issues[["row", "id"]].values.tolist() == [[51, folder.samples[8][0]]]

    def test_what_is_passed_goes_before_what_a_dataset_has(self, folder):
        names, texts = [f"file {i}" for i in range(60)], [f"text {i}" for i in range(60)]
        known = audit_labels(KNeighborsClassifier(5), folder, random_state=0)
        for arguments in ({"estimator": KNeighborsClassifier(5)}, {"estimator": None, "pred_probs": known.proba}):
            report = audit_labels(X=folder, ids=names, display=texts, random_state=0, **arguments)
            assert report.issues["id"].tolist() == ["file 8"] and report.display is texts
            report = audit_labels(X=folder, random_state=0, **arguments)
            assert report.issues["id"].tolist() == [folder.samples[8][0]] and report.display is folder

    def test_a_file_that_is_gone_is_a_row_with_a_note(self, folder, tmp_path):
        report = audit_labels(KNeighborsClassifier(5), folder, random_state=0)
        (tmp_path / "images" / "bright" / "8.png").unlink()
        page = report.to_html(tmp_path / "page.html").read_text(encoding="utf-8")
        assert "file not found" in page and "8.png" in page

    def test_paths_with_the_default_classifier(self, folder, tmp_path):
        paths, y = [path for path, _ in folder.samples], folder.targets
        X = with_default_classifier(paths, 0)[1]
        assert X.shape == (60, 32 * 32 * 3)
        proba = LogisticRegression(max_iter=500).fit(X, y).predict_proba(X)
        report = audit_labels(None, paths, y, pred_probs=proba)
        assert report.to_html(tmp_path / "page.html").read_text().count("data:image/png") >= len(report.issues)

    def test_a_path_that_cannot_be_read_is_named(self, folder, tmp_path):
        paths = [path for path, _ in folder.samples]
        paths[5] = str(tmp_path / "nowhere.png")
        with pytest.raises(ValueError, match=r"X must name images that can be read, got '.*nowhere.png' in row 5"):
            with_default_classifier(paths, 0)


class ClassLabel:
    dtype = "int64"

    def __init__(self, names):
        self.names = names


class Value:
    def __init__(self, dtype):
        self.dtype = dtype


class HuggingFace:
    """What an audit uses of a ``datasets.Dataset``."""

    def __init__(self, columns, features):
        self._columns = columns
        self.features = features
        self.column_names = list(columns)

    def __len__(self):
        return len(next(iter(self._columns.values())))

    def __getitem__(self, key):
        if isinstance(key, str):
            return self._columns[key]
        return {name: values[key] for name, values in self._columns.items()}

    def to_pandas(self):
        return pd.DataFrame(self._columns)

    def remove_columns(self, name):
        kept = [column for column in self._columns if column != name]
        return HuggingFace(*({column: kind[column] for column in kept} for kind in (self._columns, self.features)))


HuggingFace.__module__ = "datasets.arrow_dataset"


class TestHuggingFace:
    def texts(self):
        texts = [f"a {'good' if i % 2 else 'bad'} film, number {i}" for i in range(60)]
        labels = [i % 2 if i != 8 else 1 for i in range(60)]
        return HuggingFace(
            {"text": texts, "label": labels}, {"text": Value("string"), "label": ClassLabel(["neg", "pos"])}
        )

    def test_texts_and_the_names_of_their_classes(self):
        estimator = make_pipeline(TfidfVectorizer(), LogisticRegression(C=100))
        report = audit_labels(estimator, self.texts(), random_state=0)
        assert report.classes.tolist() == ["neg", "pos"] and report.issues["row"].tolist() == [8]
        assert "a bad film" in report._repr_html_()

    def test_the_column_of_the_labels_by_name(self):
        data = HuggingFace(
            {"x1": np.arange(60.0), "x2": np.zeros(60), "kind": np.array(["a", "b"])[np.arange(60) // 30]},
            {"x1": Value("float64"), "x2": Value("float64"), "kind": Value("string")},
        )
        report = audit_labels(LogisticRegression(), data, "kind", random_state=0)
        assert report.classes.tolist() == ["a", "b"] and list(report.X.columns) == ["x1", "x2"]

    @pytest.mark.parametrize("other", [{}, {"label": [0] * 60}])
    def test_a_text_is_shown_and_no_label_whichever_column_the_labels_are(self, other, tmp_path):
        texts = self.texts()
        kinds = np.array(["neg", "pos"])[texts["label"]]
        data = HuggingFace({"kind": kinds.tolist(), "text": texts["text"], **other}, {
            "kind": Value("string"), "text": Value("string"), **dict.fromkeys(other, Value("int64")),
        })  # fmt: skip
        model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=100))
        report = audit_labels(model, data, "kind", random_state=0)
        own = audit_labels(model, data.remove_columns("kind"), kinds, random_state=0)
        known = audit_labels(None, data, "kind", pred_probs=report.proba)
        expected = audit_labels(model, texts["text"], kinds, random_state=0)
        for found in (report, own, known):
            assert found.issues["row"].tolist() == expected.issues["row"].tolist() == [8]
            assert found._repr_html_() == expected._repr_html_() and "a bad film" in found._repr_html_()
            page = found.to_html(tmp_path / "page.html").read_text(encoding="utf-8")
            assert page == expected.to_html(tmp_path / "expected.html").read_text(encoding="utf-8")

    def test_a_table_is_shown_as_one_whoever_judges_it(self, tmp_path):
        x = np.random.default_rng(0).normal(size=(60, 2))
        y = (x[:, 0] > 0).astype(int)
        y[8] = 1 - y[8]
        data = HuggingFace(
            {"x1": x[:, 0], "x2": x[:, 1], "label": y}, {name: Value("float64") for name in ("x1", "x2", "label")}
        )
        report = audit_labels(LogisticRegression(C=100), data, random_state=0)
        known = audit_labels(None, data, pred_probs=report.proba)
        pages = [shown.to_html(tmp_path / "page.html").read_text(encoding="utf-8") for shown in (known, report)]
        assert pages[0] == pages[1]
        assert known._repr_html_() == report._repr_html_() and "x1" in report._repr_html_()
        default = audit_labels(None, data, random_state=0)
        assert list(default.X.columns) == ["x1", "x2"] and "x1" in default.to_html(tmp_path / "page.html").read_text()

    @pytest.mark.parametrize("name", ["label", "labels", "target"])
    def test_the_column_of_the_labels_by_what_it_is_called(self, name):
        data = HuggingFace(
            {"x1": np.arange(60.0), name: np.arange(60) // 30}, {"x1": Value("float64"), name: Value("int64")}
        )
        report = audit_labels(LogisticRegression(), data, random_state=0)
        assert report.classes.tolist() == [0, 1] and list(report.X.columns) == ["x1"]

    @pytest.mark.parametrize(("columns", "is_table"), [
        ({"text": "string"}, False), ({"text": "string", "id": "int64"}, False),
        ({"text": "string", "x1": "float64", "x2": "float64"}, True), ({"x1": "float64"}, True),
        ({"question": "string", "answer": "string"}, True),
    ])  # fmt: skip
    def test_a_text_with_a_number_beside_it_is_a_text_and_more_columns_are_a_table(self, columns, is_table):
        data = HuggingFace(
            {**{name: [0] * 4 for name in columns}, "label": [0] * 4},
            {**{name: Value(dtype) for name, dtype in columns.items()}, "label": Value("int64")},
        )
        assert Datasets(data).is_table == is_table

    def test_images_are_shown_before_texts(self):
        images = [Image.new("L", (4, 4), 200 * (i % 2)) for i in range(60)]
        data = HuggingFace(
            {"text": ["of all"] * 60, "image": images, "label": [i % 2 for i in range(60)]},
            {"text": Value("string"), "image": type("Image", (), {"dtype": "PIL"})(), "label": ClassLabel(["a", "b"])},
        )
        report = audit_labels(KNeighborsClassifier(3), data, random_state=0)
        assert len(report.issues) == 0 and view_of(report.display, report.to_cleanlab()["labels"], 2).kind == "image"
        images[7] = None
        with pytest.raises(ValueError, match="X must name images that can be read, got None in row 7"):
            audit_labels(KNeighborsClassifier(3), data, random_state=0)

    def test_a_column_that_is_not_there_is_named(self):
        with pytest.raises(ValueError, match=r"y must name one of the columns \['text', 'label'\] of X, got 'kind'"):
            audit_labels(LogisticRegression(), self.texts(), "kind")
        with pytest.raises(
            ValueError, match="y must hold the labels, where X is no data set of Hugging Face, got 'kind'"
        ):
            audit_labels(LogisticRegression(), Shapes(), "kind")

    def test_no_column_of_labels_is_named(self):
        data = HuggingFace({"x1": np.arange(4.0)}, {"x1": Value("float64")})
        with pytest.raises(ValueError, match=r"X must have a column of class labels, got the columns \['x1'\]"):
            audit_labels(LogisticRegression(), data)


class TestClassifiers:
    def test_embeddings_are_fitted_and_texts_are_shown(self):
        X, y = load_digits(return_X_y=True)
        texts = [f"digit {label}" for label in y]
        report = audit_labels(LogisticRegression(max_iter=100, C=0.01), X / 16, y, display=texts, random_state=0)
        assert "digit" in report._repr_html_() and "x1" not in report._repr_html_()

    def test_texts_go_to_a_pipeline(self):
        texts = [f"a {'good' if i % 2 else 'bad'} film" for i in range(60)]
        y = np.array(["neg", "pos"])[np.arange(60) % 2]
        y[8] = "pos"
        report = audit_labels(make_pipeline(TfidfVectorizer(), LogisticRegression(C=100)), texts, y, random_state=0)
        assert report.issues["row"].tolist() == [8]

    def test_a_classifier_without_probabilities_is_named(self, iris):
        with pytest.raises(
            TypeError, match=r"estimator must have predict_proba, got LinearSVC. CalibratedClassifierCV"
        ):
            audit_labels(LinearSVC(), *iris[:2])

    def test_frames_of_another_library(self, iris):
        pyarrow = pytest.importorskip("pyarrow")
        X, y, wrong = iris
        table = pyarrow.Table.from_pandas(X, preserve_index=False)
        model = make_pipeline(FunctionTransformer(lambda table: np.asarray(table)), LogisticRegression(max_iter=500))
        proba = audit_labels(model, X, y, random_state=0).proba
        report = audit_labels(None, table, y, pred_probs=proba)
        assert "petal length" in report._repr_html_() and len(set(wrong) - set(report.issues["row"])) <= 1

    def test_a_network_shows_its_progress(self, iris, capsys):
        X, y, _ = iris
        model = make_pipeline(StandardScaler(), DMClassifier(max_epochs=2, random_state=0))
        audit_labels(model, X, y, random_state=0)
        assert capsys.readouterr().err == ""
        audit_labels(model, X, y, random_state=0, verbose=1)
        shown = capsys.readouterr()
        assert "3/3 fits" in shown.err + shown.out  # two halves and the whole
        assert "\rDMClassifier: 100%" not in shown.err
        audit_labels(model, X, y, random_state=0, verbose=2)
        assert "\rDMClassifier: 100%" in capsys.readouterr().err  # each fit has a bar of its own
        assert model[-1].verbose == 0  # it is a clone that shows

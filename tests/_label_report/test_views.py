"""What people see of a row: pictures, texts and values, whatever they come in, broken ones included."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy import sparse
from torch.utils.data import TensorDataset

from sklabelnoise._label_report._views import pixels_of, view_of
from sklabelnoise.audit import LabelReport

CODES = np.array([0, 0, 0, 0, 1, 1, 1, 1])
ROWS = np.arange(8)


def seen(data, **kwargs):
    view = view_of(data, CODES, 2, **kwargs)
    return view, view.brief(ROWS, CODES, 1 - CODES)


@pytest.fixture
def folder(tmp_path):
    """Eight paths of images; the third is not there, the fourth is no image."""
    paths = [tmp_path / f"{i}.png" for i in range(8)]
    for i, path in enumerate(paths):
        if i != 2:
            Image.fromarray(np.full((40, 30, 3), 30 * i, dtype=np.uint8)).save(path)
    paths[3].write_bytes(b"no image at all")
    return paths


class TestPictures:
    @pytest.mark.parametrize("shape", [(8, 5, 5), (8, 1, 5, 5), (8, 3, 5, 5), (8, 5, 5, 3), (8, 200, 300, 3)])
    @pytest.mark.parametrize("dtype", [np.uint8, np.float32])
    def test_arrays_of_any_layout(self, shape, dtype):
        view, contents = seen(np.random.default_rng(0).integers(0, 255, shape).astype(dtype))
        assert view.kind == "image"
        assert all(content.startswith("data:image/") for content in contents)

    def test_rows_that_are_read_as_images(self):
        view, contents = seen(np.arange(8 * 6).reshape(8, 6), image_shape=(2, 3))
        assert view.kind == "image" and len(set(contents)) == 1  # contrast is stretched, so ramps look alike

    def test_rows_of_a_frame_that_are_read_as_images(self):
        pixels = np.random.default_rng(0).integers(0, 255, (8, 6))
        expected = seen(pixels, image_shape=(2, 3))[1]
        for rows in (pd.DataFrame(pixels), pixels.tolist(), sparse.csr_array(pixels), torch.from_numpy(pixels)):
            view, contents = seen(rows, image_shape=(2, 3))
            assert view.kind == "image" and contents == expected

    def test_a_shape_of_images_that_are_none_is_refused(self, folder):
        folder[2].touch()
        pictures = TensorDataset(torch.zeros(8, 3, 4, 4), torch.zeros(8))
        texts = [f"text {i}" for i in range(8)]
        for data in (None, texts, pd.Series(texts), folder, pictures, pd.DataFrame({"a": range(8), "b": texts})):
            with pytest.raises(ValueError, match=r"image_shape is for images in rows of numbers, got \(2, 3\) "):
                seen(data, image_shape=(2, 3))

    @pytest.mark.parametrize("as_text", [True, False])
    def test_files_and_what_is_wrong_with_two_of_them(self, folder, as_text):
        view, contents = seen([str(path) for path in folder] if as_text else folder)
        assert view.kind == "image"
        assert contents[2] == {"path": str(folder[2]), "note": "file not found"}
        assert contents[3]["path"] == str(folder[3]) and "not a picture that can be read" in contents[3]["note"]
        assert [i for i, content in enumerate(contents) if isinstance(content, str)] == [0, 1, 4, 5, 6, 7]

    def test_pictures_that_are_missing_are_said_to_be_wherever_they_stand(self):
        array = np.random.default_rng(0).integers(0, 255, (4, 4), dtype=np.uint8)
        for picture in (array, Image.fromarray(array)):
            view, contents = seen([None, *[picture] * 6, np.nan])
            assert view.kind == "image" and contents[0] == contents[7] == {"note": "missing"}
            assert all(content.startswith("data:image/") for content in contents[1:7])
            assert view.line(contents[0]) == "missing" and view.pixels(0) is None

    def test_pictures_of_pillow_of_several_sizes_and_modes(self):
        pictures = [
            Image.new(mode, (10 + i, 300)) for i, mode in enumerate(["L", "RGB", "RGBA", "P", "1", "CMYK", "I", "F"])
        ]
        view, contents = seen(pictures, image_size=32)
        assert view.kind == "image" and all(content.startswith("data:image/png") for content in contents)

    @pytest.mark.parametrize("shape", [(40, 300), (300, 40)])
    def test_the_longer_side_is_as_long_as_asked_for_and_the_callers_pictures_stay(self, shape, tmp_path):
        pixels = np.random.default_rng(0).integers(0, 255, (8, *shape, 3), dtype=np.uint8)
        pictures = [Image.fromarray(array) for array in pixels]
        paths = [tmp_path / f"{i}.png" for i in range(8)]
        for picture, path in zip(pictures, paths, strict=True):
            picture.save(path)
        labels = torch.zeros(8, dtype=torch.long)
        folder = TensorDataset(torch.from_numpy(pixels), labels)
        folder.samples = [(str(path), 0) for path in paths]
        for data in (pixels, pictures, paths, TensorDataset(torch.from_numpy(pixels), labels), folder):
            for longest in (24, 60, 900):
                for uri in seen(data, image_size=longest)[1]:
                    kind, content = uri.removeprefix("data:image/").split(";base64,")
                    shown = Image.open(io.BytesIO(base64.b64decode(content)))
                    assert max(shown.size) == min(longest, 300)
                    assert (shown.size[0] < shown.size[1]) == (shape[0] > shape[1])
                    assert kind == ("png" if longest < 64 else "jpeg") == shown.format.lower()
        assert {picture.size for picture in pictures} == {shape[::-1]}

    def test_transparency_is_left_out_and_channels_stand_last(self):
        first = np.random.default_rng(0).integers(0, 255, (4, 6, 5), dtype=np.uint8)
        last = np.moveaxis(first, 0, -1)
        for image in (first, last, first[:3], last[..., :3]):
            np.testing.assert_array_equal(pixels_of(image), last[..., :3])
        np.testing.assert_array_equal(pixels_of(first[:1]), first[0])
        low = np.ascontiguousarray(first[:3, :4].transpose(1, 2, 0))  # of as many rows as there may be channels
        np.testing.assert_array_equal(pixels_of(low), low)
        with pytest.raises(ValueError, match=r"Images must have 1, 3 or 4 channels, got shape \(6, 5, 2\)"):
            pixels_of(first.transpose(1, 2, 0)[..., :2])

    def test_a_shape_that_rows_do_not_have_is_refused(self):
        with pytest.raises(ValueError, match=r"image_shape must be that of the 6 values of a row, got \(2, 2\)"):
            seen(np.zeros((8, 6)), image_shape=(2, 2))

    def test_values_that_are_not_finite(self):
        X = np.full((8, 4, 4), np.nan)
        X[:, 0, 0] = np.inf
        assert all(content.startswith("data:image/") for content in seen(X)[1])
        image = np.random.default_rng(0).normal(size=(5, 6))
        image[0, :3] = 0
        broken = image.copy()
        broken[0, :3] = np.nan, np.inf, -np.inf
        np.testing.assert_array_equal(pixels_of(broken), pixels_of(image))

    def test_five_dimensions_are_not_shown_and_refused_where_they_are_there_to_be_shown(self):
        films = np.zeros((8, 1, 1, 1, 1))
        view, contents = seen(films)
        assert view.kind == "none" and contents == [None] * len(contents)
        with pytest.raises(ValueError, match="display must hold images, texts or rows of a table, got shape"):
            seen(films, must_show=True)

    def test_pictures_without_pixels_are_refused(self):
        with pytest.raises(ValueError, match=r"Images must have pixels, got shape \(0, 3\)"):
            seen(np.zeros((8, 0, 3)))


class TestTexts:
    @pytest.mark.parametrize("wrap", [list, np.array, pd.Series, lambda x: pd.DataFrame({"text": x})])
    def test_from_anything_that_holds_them(self, wrap):
        view, contents = seen(wrap([f"text {i}" for i in range(8)]))
        assert view.kind == "text" and contents[3] == "text 3"

    def test_a_megabyte_is_short_at_once_and_longer_on_demand(self):
        view, contents = seen(["short"] * 7 + ["x" * 1_000_000])
        assert len(contents[7]) == 2000 and len(view.full(7)) == 20_000
        assert view.full(0) is None  # it was all there is

    def test_lists_of_unlike_lengths_are_shown_as_they_are(self):
        view, contents = seen([[3, 1, 4], [1]] * 4)
        assert view.kind == "text" and contents[:2] == ["[3, 1, 4]", "[1]"]

    def test_missing_ones_are_shown_as_they_are(self):
        assert seen([None, "a"] * 4)[1][:2] == ["None", "a"]


class TestValues:
    def test_what_speaks_for_the_suggestion_comes_first(self):
        y = np.repeat([0, 1], 40)
        odd = np.concatenate([np.linspace(4, 5, 40), np.linspace(80, 99, 40)])
        odd[3] = 90
        view = view_of(pd.DataFrame({"usual": [1.0, 1.1] * 40, "odd": odd, "name": np.arange(80).astype(str)}), y, 2)
        name, value, ratio = view.brief(np.array([3]), np.array([0]), np.array([1]))[0][0]
        assert (name, value) == ("odd", "90") and ratio > 2
        assert view.full(3) == ["1.1", "90", "3"]

    def test_text_columns_are_ranked_as_fairly_as_numbers(self):
        rng = np.random.default_rng(0)
        y = np.arange(400) % 2
        X = pd.DataFrame(
            {
                "city": rng.choice(list("ABCD"), 400),  # says nothing
                "unique": [f"row {i}" for i in range(400)],  # says nothing, and has a value of its own in each row
                "sound": np.where(y == 0, "moo", "woof"),
                "weight": np.where(y == 0, 500.0, 30.0) + rng.normal(0, 5, 400),
            }
        )
        X.loc[7, ["sound", "weight"]] = "moo", 500.0
        contents = view_of(X, y, 2).brief(np.array([7]), np.array([1]), np.array([0]))
        assert {name for name, _, _ in contents[0][:2]} == {"sound", "weight"}
        ratios = {name: ratio for name, _, ratio in contents[0]}
        assert ratios["city"] < 2 and ratios["unique"] == pytest.approx(1, abs=0.1)

    def test_ratio_is_how_many_times_as_frequent_a_value_is(self):
        y = np.repeat([0, 1], 100)
        sound = np.concatenate([np.repeat(["moo", "woof"], [80, 20]), np.repeat(["moo", "woof"], [10, 90])])
        contents = view_of(pd.DataFrame({"sound": sound, "z": 0}), y, 2).brief(
            np.array([0]), np.array([1]), np.array([0])
        )
        # Half a row is added to each of the four bins: two values, rare ones, missing ones.
        assert contents[0][0] == ["sound", "moo", round(80.5 / 10.5, 2)]

    def test_only_the_order_of_numbers_counts(self):
        rng = np.random.default_rng(0)
        y, x = np.arange(200) % 2, rng.normal(size=200) + np.arange(200) % 2
        rows = np.arange(200)
        plain, steep = (view_of(pd.DataFrame({"x": v}), y, 2).brief(rows, y, 1 - y) for v in (x, np.exp(9 * x)))
        assert [content[0][2] for content in plain] == [content[0][2] for content in steep]
        assert len({content[0][2] for content in plain}) > 8  # eight bins, seen from two classes

    @pytest.mark.parametrize("missing", [np.nan, np.inf, None])
    def test_that_a_value_is_missing_speaks_as_a_value_does(self, missing):
        y = np.repeat([0, 1], 100)
        x = np.ones(200)
        x[:80] = x[100:110] = np.nan if missing is None else missing
        table = pd.DataFrame({"x": x if missing is not None else pd.array(x, dtype="Float64")})
        contents = view_of(table, y, 2).brief(np.array([0, 199]), np.array([1, 0]), np.array([0, 1]))
        # Half a row is added to each of the three bins: below one, of one, and missing.
        assert contents[0][0][2] == round(80.5 / 10.5, 2)
        assert contents[1][0][2] == round(90.5 / 20.5, 2)

    def test_a_rare_flag_and_a_text_that_is_missing_speak(self):
        y = np.repeat([0, 1], 100)
        flag, text = np.zeros(200, dtype=bool), np.full(200, "moo", dtype=object)
        flag[:8] = True
        text[:50] = None
        text[100:150] = [f"row {i}" for i in range(50)]
        contents = view_of(pd.DataFrame({"flag": flag, "text": text}), y, 2).brief(np.array([0]), y[:1] + 1, y[:1])
        # Half a row is added to each bin: two values, rare and missing ones; of the texts one is frequent.
        assert contents[0] == [["text", "missing", round(50.5 / 0.5, 2)], ["flag", "True", round(8.5 / 0.5, 2)]]

    def test_missing_values_booleans_and_lists(self):
        X = pd.DataFrame({"a": [np.nan, 1] * 4, "b": pd.array([True, None] * 4, dtype="boolean"), "c": [[1], [2]] * 4})
        assert len(seen(X)[1][0]) == 3

    def test_values_as_people_write_them(self):
        X = pd.DataFrame({
            "income": [39530.12] * 8, "share": [0.123456] * 8, "tiny": [1.5e-7] * 8, "huge": [1e20] * 8,
            "gap": [np.nan] * 8, "word": [None] * 8, "day": pd.Series([pd.NaT] * 8, dtype="M8[ns]"),
            "count": pd.array([None] * 8, dtype="Int64"),
        })  # fmt: skip
        expected = ["39530", "0.1235", "1.5e-07", "1e+20", *["missing"] * 4]
        assert seen(X)[0].full(0) == expected
        assert seen(-X[["income", "share", "tiny", "huge"]])[0].full(0) == [f"-{text}" for text in expected[:4]]

    @pytest.mark.parametrize("kind", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
    @pytest.mark.parametrize("container", ["array", "matrix"])
    def test_sparse_rows_show_their_largest_entries(self, kind, container):
        X = getattr(sparse, f"{kind}_{container}")(np.diag(np.arange(1.0, 9.0)))
        view, contents = seen(X)
        assert view.kind == "values" and contents[2] == [["x2", "3", None]]

    def test_the_largest_entries_are_those_farthest_from_zero(self):
        X = np.zeros((8, 300))
        X[2, 100:250] = np.arange(1, 151) * np.where(np.arange(150) % 2, 1, -1)
        view, contents = seen(sparse.csr_array(X))
        order = [f"x{column}" for column in range(249, 99, -1)]
        assert [name for name, _, _ in contents[2]] == order[:6]
        assert contents[2][:2] == [["x249", "150", None], ["x248", "-149", None]]
        assert [name for name, _ in view.full(2)] == order[:100]

    def test_a_frame_of_another_library(self):
        pyarrow = pytest.importorskip("pyarrow")
        view, contents = seen(pyarrow.table({"size": np.arange(8.0), "name": list("abcdefgh")}))
        assert view.kind == "values" and {name for name, _, _ in contents[0]} == {"size", "name"}


NASTY = {
    "lone surrogates": (["\ud800 half"] * 8, ["a\ud800", "b"]),
    "markup": (["</script><script>alert(1)</script>"] * 8, ["<b>", "</td>"]),
    "a megabyte": (["x" * 1_000_000] * 8, ["a", "b"]),
    "sparse array": (sparse.csr_array(np.eye(8)), ["a", "b"]),
    "sparse matrix": (sparse.coo_matrix(np.eye(8)), ["a", "b"]),
    "missing file": (["nowhere.png"] * 8, ["a", "b"]),
    "nothing": (None, ["a", "b"]),
}


@pytest.mark.filterwarnings("ignore:The predictions disagree with:UserWarning")
@pytest.mark.parametrize("name", NASTY)
def test_page_and_notebook_are_written_of_anything(name, tmp_path):
    X, labels = NASTY[name]
    report = LabelReport(np.array(labels)[CODES], np.eye(2)[1 - CODES], classes=labels, X=X, in_sample=True)
    page = report.to_html(tmp_path / "page.html", title=f"{labels[0]} & more").read_text(encoding="utf-8")
    assert page.count("<script") == 2
    assert page.count("</html>") == 1 and len(page) < 3_000_000
    shown = report._repr_html_()
    assert "<script" not in shown and shown.count("<tr>") == 9
    shown.encode("utf-8")


@pytest.mark.filterwarnings("ignore:The predictions disagree with:UserWarning")
def test_five_hundred_classes_fit_on_a_page(tmp_path):
    y = np.arange(5000) % 500
    proba = np.full((5000, 500), 1e-3)
    proba[np.arange(5000), (y + (np.arange(5000) % 7 == 0)) % 500] = 0.501
    report = LabelReport(y, proba)
    page = report.to_html(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "The 100 of 500 classes that are confused most." in page
    assert len(page) < 3_000_000


@pytest.mark.parametrize("shape", [4, "22", (2.0, 3.0), [[2, 3]]], ids=repr)
def test_a_shape_is_a_tuple_of_integers(shape):
    with pytest.raises(ValueError, match="image_shape must be a tuple of integers, got"):
        seen(np.arange(8 * 6).reshape(8, 6), image_shape=shape)

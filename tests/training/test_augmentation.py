import math
import pickle

import numpy as np
import pytest
import torch

from sklabelnoise import DMClassifier
from sklabelnoise.training._augmentation import CropFlip, Cutout, average_over_views, resolve_augmentation, steps_of


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=64, channels=3, height=12, width=10, dtype=torch.uint8):
    # No pixel is zero, so zeros in an augmented batch come from the augmentation.
    pixels = torch.randint(1, 256, (n, channels, height, width), generator=generator(1))
    return pixels.to(dtype)


def crops_and_mirrors(image, padding):
    """Every window of the padded image and its mirror image, computed with numpy."""
    _, height, width = image.shape
    padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
    windows = [
        padded[:, down : down + height, right : right + width]
        for down in range(2 * padding + 1)
        for right in range(2 * padding + 1)
    ]
    return windows + [window[:, :, ::-1] for window in windows]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["crop-flip", "cutout"])
class TestEveryAugmentation:
    def test_shape_dtype_and_input_are_kept(self, name, dtype):
        batch = images(dtype=dtype)
        before = batch.clone()
        augmented = resolve_augmentation(name)(batch, generator())
        assert augmented.shape == batch.shape
        assert augmented.dtype == dtype
        assert torch.equal(batch, before)

    def test_one_seed_gives_one_result_and_another_seed_another(self, name, dtype):
        augment, batch = resolve_augmentation(name), images(dtype=dtype)
        assert torch.equal(augment(batch, generator(3)), augment(batch, generator(3)))
        assert not torch.equal(augment(batch, generator(3)), augment(batch, generator(4)))

    def test_global_generator_is_left_alone(self, name, dtype):
        before = torch.get_rng_state()
        resolve_augmentation(name)(images(dtype=dtype), generator())
        assert torch.equal(torch.get_rng_state(), before)

    def test_channels_last_is_the_same_augmentation(self, name, dtype):
        batch = images(dtype=dtype)
        last = resolve_augmentation(name, channels_last=True)(batch.permute(0, 2, 3, 1), generator())
        assert torch.equal(last.permute(0, 3, 1, 2), resolve_augmentation(name)(batch, generator()))

    def test_values_do_not_depend_on_memory_layout(self, name, dtype):
        augment, batch = resolve_augmentation(name), images(dtype=dtype)
        layout = batch.contiguous(memory_format=torch.channels_last)
        assert torch.equal(augment(layout, generator()), augment(batch, generator()))

    def test_pickle_keeps_the_augmentation(self, name, dtype):
        augment, batch = resolve_augmentation(name), images(dtype=dtype)
        again = pickle.loads(pickle.dumps(augment))
        assert torch.equal(again(batch, generator()), augment(batch, generator()))


def test_augmentation_of_uint8_and_float_images_agree():
    # Uint8 images on the device and the same images as floats see the same windows.
    batch = images()
    augment = resolve_augmentation(["crop-flip", "cutout"])
    assert torch.equal(augment(batch, generator()).double(), augment(batch.double(), generator()))


def test_crop_flip_returns_a_window_of_the_padded_image_or_its_mirror():
    batch = images(n=16, height=5, width=7)
    for image, augmented in zip(batch.numpy(), CropFlip(padding=2)(batch, generator()).numpy(), strict=True):
        assert any(np.array_equal(augmented, window) for window in crops_and_mirrors(image, padding=2))


def test_crop_flip_draws_every_window_and_mirror_equally_often():
    n, padding = 20_000, 1
    image = images(n=1, channels=1, height=3, width=4)
    augmented = CropFlip(padding)(image.expand(n, -1, -1, -1), generator()).numpy()
    windows = crops_and_mirrors(image[0].numpy(), padding)
    counts = np.array([(augmented == window).all(axis=(1, 2, 3)).sum() for window in windows])
    assert counts.sum() == n
    share = 1 / len(windows)
    # 5 standard errors of a binomial count.
    assert np.abs(counts - n * share).max() < 5 * np.sqrt(n * share * (1 - share))


@pytest.mark.parametrize("augment", [CropFlip(), resolve_augmentation("crop-flip")])
def test_crop_flip_shifts_by_up_to_four_pixels_each_way_by_default(augment):
    lit = torch.zeros(2_000, 1, 11, 11)
    lit[:, :, 5, 5] = 1
    shifted = augment(lit, generator()).sum(dim=(0, 1))
    for pixels in (shifted.sum(dim=0), shifted.sum(dim=1)):
        assert pixels.nonzero()[:, 0].tolist() == list(range(1, 10))


def test_crop_flip_without_padding_and_mirror_changes_nothing():
    batch = images()
    assert torch.equal(CropFlip(padding=0, flip=False)(batch, generator()), batch)


def test_crop_without_flip_never_mirrors():
    batch = images(n=200)
    cropped = CropFlip(padding=0)(batch, generator())
    mirrored = (cropped == batch.flip(3)).all(dim=(1, 2, 3))
    assert 0 < mirrored.sum() < len(batch)
    assert torch.equal(CropFlip(padding=0, flip=False)(batch, generator()), batch)


@pytest.mark.parametrize("size", [4, 0.4])
def test_cutout_hides_one_square_and_nothing_else(size):
    batch = images(n=500)  # shorter side 10, so 0.4 is four pixels too
    augmented = Cutout(size)(batch, generator())
    hidden = augmented == 0
    assert torch.equal(augmented[~hidden], batch[~hidden])
    for mask in hidden.numpy():
        assert (mask == mask[:1]).all()  # the same pixels in all channels
        rows, columns = mask[0].any(axis=1), mask[0].any(axis=0)
        assert np.array_equal(mask[0], np.outer(rows, columns))
        for line in (rows, columns):
            positions = np.flatnonzero(line)
            assert 1 <= len(positions) <= 4
            assert len(positions) == positions[-1] - positions[0] + 1
    assert max(mask[0].sum() for mask in hidden.numpy()) == 16


def test_cutout_hides_every_pixel_as_often_as_squares_reach_it():
    # A pixel is hidden by the centers within reach: 3 x 3 in the middle, 2 x 2 in a corner.
    n, side = 20_000, 5
    hidden = Cutout(3)(torch.ones(n, 1, side, side), generator())[:, 0].eq(0).double().mean(dim=0)
    reach = torch.tensor([2.0, 3, 3, 3, 2], dtype=torch.double)
    expected = torch.outer(reach, reach) / side**2
    standard_error = (expected * (1 - expected) / n).sqrt()
    assert ((hidden - expected).abs() < 5 * standard_error).all()


@pytest.mark.parametrize(("height", "width", "size", "side"), [
    (12, 4, 0.5, 2), (4, 12, 0.5, 2), (9, 9, 0.4, 4), (7, 9, 0.5, 4), (5, 9, 0.5, 2),
])  # fmt: skip
def test_a_fraction_is_of_the_shorter_side_rounded(height, width, size, side):
    hidden = Cutout(size)(images(n=300, height=height, width=width), generator()) == 0
    assert hidden[:, 0].any(2).sum(1).max() == hidden[:, 0].any(1).sum(1).max() == side


@pytest.mark.parametrize(("height", "width"), [(3, 7), (7, 3)])
def test_every_pixel_of_an_oblong_image_can_be_the_center(height, width):
    hidden = Cutout(1)(torch.ones(4000, 1, height, width), generator())[:, 0] == 0
    assert hidden.any(0).all()
    # one pixel of each image, all as often: 5 standard errors
    expected = 1 / (height * width)
    assert ((hidden.double().mean(0) - expected).abs() < 5 * math.sqrt(expected / 4000)).all()


def test_parts_of_a_list_know_where_the_channels_are_however_deep():
    batch = images()
    for steps in (["crop-flip", "cutout"], [CropFlip(2), ["cutout", None, CropFlip(1, flip=False)]]):
        first, last = (resolve_augmentation(steps, channels_last=layout) for layout in (False, True))
        turned = last(batch.permute(0, 2, 3, 1), generator()).permute(0, 3, 1, 2)
        assert torch.equal(turned, first(batch, generator()))


def test_the_steps_of_a_list_are_what_was_passed():
    def jitter(batch, generator):
        return batch

    nested = ["crop-flip", [jitter, None, [Cutout(2)]], []]
    for channels_last in (False, True):
        augment = resolve_augmentation(nested, channels_last=channels_last)
        assert steps_of(augment) == [CropFlip(), jitter, Cutout(2)]


def test_a_list_applies_its_parts_in_order():
    batch = images()
    shared = generator(5)
    expected = Cutout()(CropFlip()(batch, shared), shared)
    assert torch.equal(resolve_augmentation(["crop-flip", None, "cutout"])(batch, generator(5)), expected)


def test_no_augmentation_is_none():
    assert resolve_augmentation(None) is None
    assert resolve_augmentation([]) is None
    assert resolve_augmentation([None]) is None


def test_a_callable_receives_batch_and_generator_and_may_transform_tables():
    def jitter(batch, generator):
        return batch + torch.randn(batch.shape, generator=generator)

    table = torch.zeros(8, 3)
    augment = resolve_augmentation(jitter)
    assert torch.equal(augment(table, generator(2)), torch.randn(8, 3, generator=generator(2)))


def test_objects_with_parameters_are_augmentations():
    batch = images()
    augment = resolve_augmentation(CropFlip(padding=1, flip=False))
    assert torch.equal(augment(batch, generator()), CropFlip(padding=1, flip=False)(batch, generator()))


def test_views_average_to_probabilities_and_none_is_the_plain_prediction():
    batch = images(dtype=torch.float64)
    weight = torch.randn(batch[0].numel(), 4, generator=generator(), dtype=torch.double)

    def predict(batch):
        return (batch.flatten(1) / 255 @ weight).softmax(dim=1)

    augment = resolve_augmentation("crop-flip")
    assert torch.equal(average_over_views(predict, batch, augment, 0, generator()), predict(batch))

    shared = generator()
    expected = (predict(batch) + predict(augment(batch, shared)) + predict(augment(batch, shared))) / 3
    averaged = average_over_views(predict, batch, augment, 2, generator())
    # Sums in the same order: only the rounding of one division differs.
    torch.testing.assert_close(averaged, expected, rtol=1e-15, atol=0)
    torch.testing.assert_close(averaged.sum(dim=1), torch.ones(len(batch), dtype=torch.double))


def test_tables_cannot_be_cropped():
    with pytest.raises(ValueError, match=r"transforms images: X must be .* got batches of shape \(8, 3\)"):
        resolve_augmentation("crop-flip")(torch.zeros(8, 3), generator())


@pytest.mark.parametrize(
    ("returned", "message"),
    [(torch.zeros(3, 2), r"each of the 8 rows of its batch; .* got shape \(3, 2\)"), (None, "a NoneType")],
)
def test_a_callable_that_loses_rows_is_named(returned, message):
    with pytest.raises(ValueError, match=message):
        resolve_augmentation(lambda batch, generator: returned)(torch.zeros(8, 2), generator())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_network_gets_batches_of_its_own_type(dtype):
    augmentation = resolve_augmentation(lambda batch, generator: batch.to(dtype) / 2)
    batch = torch.ones(3, 2)
    augmented = augmentation(batch, torch.Generator())
    assert augmented.dtype == batch.dtype
    assert (augmented == 0.5).all()
    X, y = np.arange(12.0, dtype=np.float32)[:, None], np.arange(12) % 2
    model = DMClassifier(augment=augmentation, max_epochs=1).fit(X, y)
    assert model.predict_proba(X, n_augment=1).dtype == np.float32


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"one of 'crop-flip', 'cutout', .*; got 'mixup'"):
        resolve_augmentation("mixup")


def test_something_that_is_no_augmentation_is_a_type_error():
    with pytest.raises(TypeError, match="got 4 of type int"):
        resolve_augmentation(4)


@pytest.mark.parametrize("padding", [np.uint8(8), np.int8(8), np.uint64(8)])
def test_padding_may_be_a_small_integer_of_numpy(padding):
    batch = images(n=50)
    assert torch.equal(CropFlip(padding=padding)(batch, generator()), CropFlip(padding=8)(batch, generator()))


@pytest.mark.parametrize("padding", [-1, 1.5, True])
def test_bad_padding_is_named(padding):
    with pytest.raises(ValueError, match=f"padding of CropFlip must be a non-negative integer, got {padding}"):
        CropFlip(padding=padding)


@pytest.mark.parametrize("size", [0, -2, 1.5, "half"])
def test_bad_cutout_size_is_named(size):
    with pytest.raises(ValueError, match="size of Cutout must be a positive number of pixels, or a fraction"):
        Cutout(size=size)

"""Retrieval of tracks: frames that belong together, from one camera, most of them of one identity."""

from dataclasses import dataclass

import numpy as np

from sklabelnoise.metrics import average_sets, retrieval_scores

N_CAMERAS = 4


@dataclass(frozen=True)
class Tracks:
    """Frames of many tracks, one after the other.

    Parameters
    ----------
    frames : sequence of n_frames images
        An array (n_frames, 3, height, width) of uint8, or a torch ``Dataset``.
    track_of_frame : ndarray of shape (n_frames,)
        Number of each frame's track.
    identities, cameras : ndarray of shape (n_tracks,)
        Who is in a track, and who took it.
    """

    frames: object
    track_of_frame: np.ndarray
    identities: np.ndarray
    cameras: np.ndarray

    @property
    def identity_of_frame(self):
        """What the tracker says of each frame, right or wrong."""
        return self.identities[self.track_of_frame]

    def scores(self, features, queries):
        """Mean average precision and CMC-1 of some tracks as queries among all other tracks.

        A track is the mean of its frames' features at unit length, and tracks of the query's own identity and camera,
        itself among them, are left out of its ranking: Wang et al., arXiv:1905.11233, Section 4.3, and Zheng et al.,
        "MARS: A video benchmark for large-scale person re-identification", ECCV 2016.
        """
        tracks, numbers = average_sets(features, self.track_of_frame)
        identities, cameras = self.identities[numbers], self.cameras[numbers]
        asked = np.isin(numbers, queries)
        return retrieval_scores(
            tracks[asked],
            identities[asked],
            tracks,
            identities,
            query_groups=cameras[asked],
            gallery_groups=cameras,
            ranks=(1,),
        )


def simulate_tracks(images, n_frames, *, share=0.0, others=None, seed=0):
    """Film each image with every camera.

    A frame is a window of 40 to 100 % of the image's side, scaled up again, perhaps mirrored, with the camera's colors
    and noise of its own. The cameras are the same for all seeds.

    Parameters
    ----------
    images : ndarray of shape (n_identities, 3, side, side), uint8
        One for each identity.
    n_frames : int
        Of a track.
    share : float, default=0.0
        Probability that a frame shows something else: one of `others`.
    others : ndarray of shape (n_others, 3, side, side), uint8, default=None
        Images of no identity.
    seed : int, default=0
        Of the views.

    Returns
    -------
    tracks : Tracks
        One track for each identity and camera.
    replaced : ndarray of shape (n_frames_in_all,)
        Which frames show something else.
    """
    rng = np.random.default_rng(seed)
    identities = np.repeat(np.arange(len(images)), N_CAMERAS)
    cameras = np.tile(np.arange(N_CAMERAS), len(images))
    track_of_frame = np.repeat(np.arange(len(identities)), n_frames)
    replaced = rng.random(len(track_of_frame)) < share
    shown = images[identities[track_of_frame]]
    if replaced.any():
        shown[replaced] = others[rng.integers(len(others), size=replaced.sum())]
    frames = _film(shown, cameras[track_of_frame], rng)
    return Tracks(frames, track_of_frame, identities, cameras), replaced


def _film(images, cameras, rng):
    """One view of each image by its camera."""
    n, _, side, _ = images.shape
    rows, columns = (_window(n, side, rng) for _ in range(2))
    columns = np.where(rng.random((n, 1)) < 0.5, columns[:, ::-1], columns)
    frames = images[np.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]].transpose(0, 3, 1, 2)
    lens = np.random.default_rng(0)
    gain, offset = lens.uniform(0.6, 1.4, (N_CAMERAS, 3, 1, 1)), lens.uniform(-30, 30, (N_CAMERAS, 3, 1, 1))
    brightness = rng.uniform(0.9, 1.1, (n, 1, 1, 1))
    frames = frames * (gain[cameras] * brightness) + offset[cameras] + rng.normal(scale=8, size=frames.shape)
    return frames.round().clip(0, 255).astype(np.uint8)


def _window(n, side, rng):
    """For each of n images, the row (or column) of the image that each row of its window comes from."""
    length = rng.uniform(0.4, 1.0, (n, 1)) * side
    start = rng.random((n, 1)) * (side - length)
    return (start + (np.arange(side) + 0.5) * length / side).astype(int)

"""The atlas is the same skin every time, has no lattice, and lies flat on the face."""

from __future__ import annotations

import numpy as np
import pytest

from grainkit.analysis.face import mean_face
from grainkit.analysis.lattice import Lattice
from grainkit.analysis.uv import face_uv, made_normal_map, normal_map
from grainkit.effects.skin_texture import sample as sampler
from grainkit.effects.skin_texture.atlas import CAVITY, HEIGHT, bake, cache_folder, load_atlas, texel_for
from grainkit.effects.skin_texture.atlas_map import EXTENT, PLAIN_FROM, face_map
from tests.skin import atlas, found


@pytest.mark.slow
def test_one_seed_is_one_skin_and_another_seed_another():
    again = bake(1, "adult", 0.24)
    assert np.array_equal(atlas().relief[0], again.relief[0])
    assert np.array_equal(atlas().tints[0], again.tints[0])
    other = bake(2, "adult", 0.24).relief[0][..., HEIGHT]
    here = atlas().relief[0][..., HEIGHT]
    assert abs(np.corrcoef(here.ravel(), other.ravel())[0, 1]) < 0.1


@pytest.mark.slow
def test_age_deepens_the_lines():
    forehead = np.s_[200:330, 300:760]
    young, old = (bake(1, age, 0.24).relief[0][..., HEIGHT][forehead].std() for age in ("child", "senior"))
    assert old > 1.25 * young


@pytest.mark.slow
def test_vellus_hair_lies_only_where_it_can_be_seen():
    fine = load_atlas(1, "adult", 0.16).relief[0][..., CAVITY]
    hairs = fine < -0.05
    assert 0.001 < hairs.mean() < 0.05
    assert (atlas().relief[0][..., CAVITY] >= 0).all()
    left, top = EXTENT[:2]
    nose = np.s_[int((-30 - top) / 0.16) : int((0 - top) / 0.16), int((-8 - left) / 0.16) : int((8 - left) / 0.16)]
    assert hairs[nose].mean() < 0.1 * hairs.mean()


def test_no_lattice_stands_out_of_the_relief():
    """Peaks of the autocorrelation, 3 to 25 mm away, against those of the same spectrum with no other order."""
    plane = atlas().relief[0][..., HEIGHT][500:756, 560:816].astype(np.float64)

    def peak(p):
        spectrum = np.abs(np.fft.fft2(p - p.mean())) ** 2
        correlation = np.fft.fftshift(np.fft.ifft2(spectrum).real)
        correlation /= correlation.max()
        y, x = np.indices(p.shape) - 128
        distance = np.hypot(x, y) * 0.24
        return np.abs(correlation[(distance > 3) & (distance < 25)]).max()

    # Surrogate: noise with the plane's power, averaged over rings of one frequency.
    power = np.abs(np.fft.fft2(plane - plane.mean())) ** 2
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    ring = np.minimum((f * 256).astype(int), 180)
    smooth = (np.bincount(ring.ravel(), power.ravel()) / np.maximum(np.bincount(ring.ravel()), 1))[ring]

    def surrogate(seed):
        noise = np.random.default_rng(seed).standard_normal(plane.shape)
        return np.fft.ifft2(np.sqrt(smooth) * np.fft.fft2(noise)).real

    assert peak(plane) <= 1.5 * np.median([peak(surrogate(s)) for s in range(5)])


def test_zones_add_up_to_one():
    face = face_map()
    assert face.zones.sum(-1) == pytest.approx(np.ones(face.angle.shape), abs=1e-4)
    assert np.isfinite(face.angle).all()


@pytest.mark.slow
def test_a_damaged_cache_is_baked_again(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAINKIT_CACHE", str(tmp_path))
    first = load_atlas(3, "young", 0.24)
    (file,) = tmp_path.iterdir()
    again = load_atlas(3, "young", 0.24)
    assert np.array_equal(again.relief[0], first.relief[0])
    assert np.array_equal(again.tints[0], first.tints[0])
    file.write_bytes(file.read_bytes()[:1000])
    assert np.array_equal(load_atlas(3, "young", 0.24).relief[0], first.relief[0])
    assert file.stat().st_size > 100_000
    assert cache_folder() == tmp_path


@pytest.mark.parametrize(("scale", "texel"), [(0.8, 0.24), (2.5, 0.24), (4.3, 0.16), (12.0, 0.12)])
def test_larger_faces_get_finer_atlases(scale, texel):
    assert texel_for(scale) == texel


def test_the_flattened_face_turns_no_triangle_over_and_keeps_its_lengths():
    uv, mesh = face_uv().astype(np.float64), mean_face()
    a, b, c = (uv[mesh.triangles[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    assert (area < 0).all() or (area > 0).all()
    ends = np.concatenate([mesh.triangles[:, [0, 1]], mesh.triangles[:, [1, 2]]])
    flat, real = (np.linalg.norm(p[ends[:, 0]] - p[ends[:, 1]], axis=1) for p in (uv, mesh.vertices))
    low, high = np.percentile(flat / real, [5, 95])
    assert 0.7 < low < high < 1.12


def test_coordinates_run_at_the_faces_own_scale_and_on_past_it():
    f = found()
    across = np.gradient(f.uv[..., 0], axis=1) * f.face.px_per_mm
    down = np.gradient(f.uv[..., 1], axis=0) * f.face.px_per_mm
    x, y = f.face.points[4, :2].astype(int)
    near = np.s_[y - 10 : y + 10, x - 60 : x + 60]
    assert np.median(across[near]) == pytest.approx(1, abs=0.3)
    chin = int(f.face.points[152, 1])
    neck = np.s_[chin + 12 : chin + 60, x - 30 : x + 30]
    assert np.median(down[neck]) == pytest.approx(1, abs=0.35)
    # It never folds where skin is: the Jacobian keeps its sign.
    turn = np.gradient(f.uv[..., 0], axis=1) * np.gradient(f.uv[..., 1], axis=0)
    turn -= np.gradient(f.uv[..., 0], axis=0) * np.gradient(f.uv[..., 1], axis=1)
    assert (turn[f.matte > 0.5] > 0).mean() > 0.995


def sample(a, uv, wanted, bias):
    """(h, w, 2), the relief of the atlas at coordinates (h, w, 2) of every px."""
    return np.moveaxis(sampler.sample(a, Lattice(uv, 0.0, 0.0, 1.0), wanted, bias).relief, 0, -1)


def test_the_sampler_reads_texels_and_what_lies_between():
    a = atlas()
    x, y = np.arange(20), np.arange(15)
    uv = np.stack(np.meshgrid(EXTENT[0] + (300 + x) * a.texel, EXTENT[1] + (400 + y) * a.texel), -1).astype(np.float32)
    wanted = np.ones(uv.shape[:2], bool)
    assert sample(a, uv, wanted, -8.0) == pytest.approx(a.relief[0][400:415, 300:320], abs=0.05)
    between = sample(a, uv + np.float32(a.texel / 2), wanted, -8.0)[..., HEIGHT]
    h = a.relief[0][400:416, 300:321, HEIGHT]
    assert between == pytest.approx((h[:-1, :-1] + h[1:, :-1] + h[:-1, 1:] + h[1:, 1:]) / 4, abs=0.1)
    calm, crisp = (sample(a, uv, wanted, bias)[..., HEIGHT].std() for bias in (2.0, 0.0))
    assert calm < 0.8 * crisp
    assert not sample(a, uv, ~wanted, 0.0).any()


def sheet(left, top, step, side=96, squeeze=1.0):
    """Coordinates of a flat board: `step` mm a px, foreshortened across by `squeeze`."""
    x, y = left + np.arange(side) * step * squeeze, top + np.arange(side) * step
    return np.ascontiguousarray(np.stack(np.meshgrid(x, y), -1), np.float32)


@pytest.mark.parametrize(("left", "top"), [(0, 230), (300, 300), (-700, 500), (300, -200), (-20, 900)])
def test_skin_goes_on_beyond_the_atlas_without_streaks(left, top):
    """Shoulders, arms and hands: relief as rough both ways as on the neck, not the last row drawn out."""
    everywhere = np.ones((96, 96), bool)
    relief = sample(atlas(), sheet(left, top, 0.4), everywhere, 0.0)[..., HEIGHT]
    neck = sample(atlas(), sheet(-20, 150, 0.4), everywhere, 0.0)[..., HEIGHT]
    for axis in range(2):
        assert 0.6 < np.diff(relief, axis=axis).std() / np.diff(neck, axis=axis).std() < 2.0


@pytest.mark.parametrize(
    "edge", [EXTENT[3], EXTENT[3] + EXTENT[3] - PLAIN_FROM, EXTENT[3] + 3 * (EXTENT[3] - PLAIN_FROM)]
)
def test_relief_has_no_step_where_it_is_mirrored(edge):
    uv = sheet(-20, edge - 48 * 0.1, 0.1)
    relief = sample(atlas(), uv, np.ones((96, 96), bool), 0.0)[..., HEIGHT]
    jumps = np.abs(np.diff(relief, axis=0)).max(1)
    assert jumps[44:52].max() < 2.5 * np.percentile(jumps, 90)


def test_foreshortened_skin_keeps_its_detail_along_the_edge():
    """At the silhouette only the direction that is squeezed goes soft."""
    everywhere = np.ones((96, 96), bool)
    flat, turned = (sample(atlas(), sheet(-60, 20, 0.3, squeeze=q), everywhere, 0.0)[..., HEIGHT] for q in (1.0, 3.5))
    assert np.diff(turned, axis=0).std() > 0.45 * np.diff(flat, axis=0).std()
    coarse = sample(atlas(), sheet(-60, 20, 0.3, squeeze=3.5), everywhere, float(np.log2(3.5)))[..., HEIGHT]
    assert np.diff(turned, axis=0).std() > 1.3 * np.diff(coarse, axis=0).std()


def test_the_map_of_normals_is_the_one_that_the_mean_face_gives():
    shipped, made = normal_map(), made_normal_map()
    assert shipped.shape == made.shape == (81, 81, 3)
    np.testing.assert_allclose(shipped, made, atol=1e-5)  # scripts/make-face-normals writes it
    np.testing.assert_allclose(np.linalg.norm(shipped, axis=-1), 1.0, atol=1e-6)

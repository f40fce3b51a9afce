"""Radiograph files become upright 8-bit grey pixels, or a clear refusal."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image as Picture

from backend.formats import radiographs
from backend.formats.radiographs import Fingerprint, UnreadableImageError

RAMP = np.arange(12 * 20, dtype=np.uint8).reshape(12, 20)


def encoded(picture: Picture.Image, image_format: str = "PNG", **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, format=image_format, **options)
    return buffer.getvalue()


def grey(pixels: NDArray[np.generic] = RAMP) -> Picture.Image:
    return Picture.fromarray(pixels)


def rgba(alpha: int) -> Picture.Image:
    picture = grey().convert("RGBA")
    picture.putalpha(alpha)
    return picture


def high_bit_depth(values: NDArray[np.uint16]) -> bytes:
    return encoded(Picture.fromarray(values))


class TestDecode:
    @pytest.mark.parametrize("image_format", ["PNG", "TIFF", "BMP"])
    def test_keeps_grey_values_of_a_lossless_file(self, image_format: str) -> None:
        assert (radiographs.decode(encoded(grey(), image_format)) == RAMP).all()

    @pytest.mark.parametrize(("image_format", "tolerance"), [("JPEG", 6), ("WEBP", 12)])
    def test_reads_lossy_files(self, image_format: str, tolerance: int) -> None:
        pixels = radiographs.decode(encoded(grey(), image_format, quality=95))
        assert np.abs(pixels.astype(int) - RAMP).max() <= tolerance

    @pytest.mark.parametrize(
        "picture",
        [
            pytest.param(grey().convert("RGB"), id="RGB"),
            pytest.param(rgba(255), id="opaque RGBA"),
            pytest.param(grey().convert("LA"), id="LA"),
            pytest.param(grey().convert("RGB").quantize(256), id="palette"),
        ],
    )
    def test_sees_the_same_pixels_in_every_mode(self, picture: Picture.Image) -> None:
        assert (radiographs.decode(encoded(picture)) == RAMP).all()

    def test_lays_transparency_on_black(self) -> None:
        pixels = radiographs.decode(encoded(rgba(128)))
        assert np.abs(pixels - RAMP * (128 / 255)).max() <= 1

    def test_refuses_an_entirely_transparent_image(self) -> None:
        with pytest.raises(UnreadableImageError, match="transparent"):
            radiographs.decode(encoded(rgba(0)))

    def test_shows_one_bit_as_black_and_white(self) -> None:
        picture = Picture.fromarray(RAMP > 100)
        assert (radiographs.decode(encoded(picture)) == np.where(RAMP > 100, 255, 0)).all()

    def test_stretches_sixteen_bits_from_smallest_to_largest(self) -> None:
        values = np.array([[1000, 1500], [2000, 3000]], dtype=np.uint16)
        assert radiographs.decode(high_bit_depth(values)).tolist() == [[0, 64], [128, 255]]

    def test_makes_a_flat_sixteen_bit_image_black(self) -> None:
        assert not radiographs.decode(high_bit_depth(np.full((3, 3), 7, dtype=np.uint16))).any()

    def test_inverts_a_sixteen_bit_tiff_whose_white_is_zero(self) -> None:
        values = np.array([[0, 1000, 2000]], dtype=np.uint16)
        data = encoded(Picture.fromarray(values), "TIFF", tiffinfo={262: 0})
        assert radiographs.decode(data).tolist() == [[255, 127, 0]]

    def test_turns_the_image_upright(self) -> None:
        exif = Picture.Exif()
        exif[0x0112] = 6  # the camera was turned: rotate by 90° clockwise to view
        pixels = radiographs.decode(encoded(grey(), exif=exif))
        assert (pixels == np.rot90(RAMP, k=-1)).all()

    def test_reads_twenty_megapixels(self) -> None:
        assert radiographs.decode(encoded(Picture.new("L", (5000, 4000)))).shape == (4000, 5000)

    @pytest.mark.parametrize("size", [(9000, 8000), (10_000, 9500), (20_000, 20_000)])
    def test_refuses_a_decompression_bomb(self, size: tuple[int, int]) -> None:
        with pytest.raises(UnreadableImageError, match="at most 64 megapixels"):
            radiographs.decode(encoded(Picture.new("1", size)))

    def test_refuses_no_bytes(self) -> None:
        with pytest.raises(UnreadableImageError, match="empty"):
            radiographs.decode(b"")

    @pytest.mark.parametrize("data", [b"image_id,class_name\n", b"%PDF-1.7", b"\x00" * 200])
    def test_refuses_what_is_no_image(self, data: bytes) -> None:
        with pytest.raises(UnreadableImageError, match=r"not an image; expected .* PNG, JPEG"):
            radiographs.decode(data)

    @pytest.mark.parametrize("image_format", ["PNG", "JPEG", "TIFF", "BMP", "WEBP"])
    @pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
    def test_refuses_a_file_cut_short(self, image_format: str, share: float) -> None:
        noise = np.random.default_rng(0).integers(0, 256, size=(200, 300), dtype=np.uint8)
        whole = encoded(grey(noise), image_format)
        with pytest.raises(UnreadableImageError, match="expected"):
            radiographs.decode(whole[: int(len(whole) * share)])

    def test_refuses_several_pages(self) -> None:
        data = encoded(grey(), "TIFF", save_all=True, append_images=[grey()])
        with pytest.raises(UnreadableImageError, match="several pages"):
            radiographs.decode(data)

    def test_refuses_numbers_that_are_not_finite(self) -> None:
        values = np.array([[0.0, np.nan]], dtype=np.float32)
        with pytest.raises(UnreadableImageError, match="finite"):
            radiographs.decode(encoded(Picture.fromarray(values), "TIFF"))

    @given(
        st.binary(max_size=200), st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM"])
    )
    def test_never_fails_otherwise(self, tail: bytes, magic: bytes) -> None:
        with pytest.raises(UnreadableImageError):
            radiographs.decode(magic + tail)


class TestPixelHash:
    def test_is_equal_across_file_formats(self) -> None:
        hashes = {
            radiographs.pixel_hash(radiographs.decode(encoded(grey(), image_format)))
            for image_format in ("PNG", "TIFF", "BMP")
        }
        assert len(hashes) == 1

    def test_differs_for_another_shape_of_the_same_bytes(self) -> None:
        assert radiographs.pixel_hash(RAMP) != radiographs.pixel_hash(RAMP.reshape(20, 12))

    def test_does_not_depend_on_memory_order(self) -> None:
        assert radiographs.pixel_hash(np.asfortranarray(RAMP)) == radiographs.pixel_hash(RAMP)


class TestEncodePng:
    def test_round_trips_and_holds_nothing_else(self) -> None:
        data = radiographs.encode_png(RAMP)
        assert (radiographs.decode(data) == RAMP).all()
        with Picture.open(BytesIO(data)) as picture:
            picture.load()
            assert picture.info == {}


class TestReadFolder:
    def test_gives_every_file_in_order_and_survives_bad_ones(self, tmp_path: Path) -> None:
        paths = []
        for number in range(40):
            path = tmp_path / f"{number:02}.png"
            path.write_bytes(encoded(grey()) if number % 5 else b"")
            paths.append(path)
        paths.append(tmp_path / "missing.png")

        found = list(radiographs.read_folder(paths, workers=3))

        assert [path for path, _ in found] == paths
        unreadable = [path.stem for path, file in found if not isinstance(file, Fingerprint)]
        assert unreadable == [f"{number:02}" for number in range(0, 40, 5)] + ["missing"]

    def test_agrees_with_reading_one_file(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        path.write_bytes(encoded(grey()))
        [(_, fingerprint)] = radiographs.read_folder([path])
        file = radiographs.read_file(path)
        assert isinstance(fingerprint, Fingerprint)
        assert (fingerprint.sha256, fingerprint.pixel_hash) == (file.sha256, file.pixel_hash)
        assert (fingerprint.width_px, fingerprint.height_px) == (20, 12)

"""Picture files: grey, transparent, rotated and 16-bit ones, and those that cannot be trusted."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from figureground.core.errors import FormatError
from figureground.data.pixels import decode_picture, read_picture


def rgb(height=40, width=60) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **settings) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_colours_come_in_the_order_red_green_blue(kind):
    np.testing.assert_array_equal(decode_picture(encoded(Image.fromarray(rgb()), kind)), rgb())


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1"])
def test_every_8_bit_mode_is_what_pillow_makes_of_it(mode):
    image = Image.fromarray(rgb()).convert(mode)
    np.testing.assert_array_equal(decode_picture(encoded(image)), np.asarray(image.convert("RGB")))


def test_transparent_pixels_keep_their_colour():
    image = np.dstack([rgb(), np.zeros((40, 60), np.uint8)])
    np.testing.assert_array_equal(decode_picture(encoded(Image.fromarray(image))), rgb())


def test_the_orientation_tag_is_not_applied():
    exif = Image.Exif()
    exif[0x112] = 6
    plain, tagged = encoded(Image.fromarray(rgb()), "JPEG"), encoded(Image.fromarray(rgb()), "JPEG", exif=exif)
    np.testing.assert_array_equal(decode_picture(tagged), decode_picture(plain))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_pictures_are_refused_since_their_white_is_unknown(kind):
    image = Image.fromarray(np.full((8, 8), 4095, np.uint16))
    with pytest.raises(FormatError, match=r"uint16.*Convert it to 8 bits") as caught:
        decode_picture(encoded(image, kind), file="a.png", sample="a")
    assert caught.value.fault.code == "unreadable-picture"
    assert (caught.value.fault.file, caught.value.fault.sample) == ("a.png", "a")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("settings", [{}, {"progressive": True}, {"exif": True}])
def test_a_jpeg_that_ends_early_is_refused_and_not_filled_with_grey(share, settings):
    if "exif" in settings:  # a thumbnail in the header has an end marker of its own
        small = encoded(Image.fromarray(rgb(16, 16)), "JPEG")
        data = encoded(Image.fromarray(rgb(200, 300)), "JPEG")
        header = b"\xff\xe1" + (len(small) + 2).to_bytes(2, "big") + small
        data = data[:2] + header + data[2:]
    else:
        data = encoded(Image.fromarray(rgb(200, 300)), "JPEG", **settings)
    assert decode_picture(data).shape == (200, 300, 3)
    with pytest.raises(FormatError) as caught:
        decode_picture(data[: int(len(data) * share)], file="a.jpg")
    assert caught.value.fault.code in ("truncated-file", "unreadable-picture")


def test_bytes_after_the_end_of_a_jpeg_do_no_harm():
    data = encoded(Image.fromarray(rgb()), "JPEG")
    np.testing.assert_array_equal(decode_picture(data + b"appended by a camera"), decode_picture(data))


@pytest.mark.parametrize("data", [b"no picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", encoded(Image.fromarray(rgb()))[:300]])
def test_what_is_no_picture_is_a_fault(data):
    with pytest.raises(FormatError) as caught:
        decode_picture(data, file="a.png", sample="a")
    assert caught.value.fault.code in ("truncated-file", "unreadable-picture")


def test_absent_and_empty_files_are_faults(tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    for name, code in (("empty.png", "empty-file"), ("absent.png", "missing-file")):
        with pytest.raises(FormatError) as caught:
            read_picture(str(tmp_path / name), sample="a")
        assert caught.value.fault.code == code


def test_random_damage_gives_a_picture_or_a_fault():
    rng = np.random.default_rng(1)
    sources = [encoded(Image.fromarray(rgb()), kind) for kind in ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF")]
    for i in range(300):
        data = bytearray(sources[i % len(sources)])
        for at in rng.integers(0, len(data), rng.integers(1, 6)):
            data[at] = rng.integers(256)
        try:
            found = decode_picture(bytes(data))
        except FormatError:
            continue
        assert found.dtype == np.uint8
        assert found.ndim == 3
        assert found.shape[2] == 3

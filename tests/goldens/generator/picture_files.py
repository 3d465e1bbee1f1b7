"""picture_files.json: files of pictures as Pillow writes them, turned, with alpha, animated, of other depths and colours, by the pixels that a
browser must find in them; and files that are none."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

import jsonio

SIZE = (24, 16)
# What takes a stored picture back to the one that is shown, by the orientation in its EXIF data.
BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270,
}  # fmt: skip


def grey() -> Image.Image:
    """Blocks of eight, which a JPEG keeps to the value."""
    blocks = np.array([[0, 40, 80], [120, 160, 200]], dtype=np.uint8)
    return Image.fromarray(np.kron(blocks, np.ones((8, 8), dtype=np.uint8)), "L")


def colours() -> Image.Image:
    """Twelve colours, few enough for a palette."""
    values = np.arange(36, dtype=np.uint8).reshape(12, 3) * 7
    y, x = np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0]), indexing="ij")
    return Image.fromarray(values[(x // 3 + 5 * (y // 2)) % 12], "RGB")


def clear() -> Image.Image:
    """Colours beside nothing, and black and white that are half there."""
    rgba = np.array(colours().convert("RGBA"))
    rgba[:8, :8, 3] = 0
    rgba[8:, :8] = (0, 0, 0, 128)
    rgba[8:, 8:16] = (255, 255, 255, 128)
    return Image.fromarray(rgba, "RGBA")


def written(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def turned():
    for orientation in range(1, 9):
        stored = grey().transpose(BACK[orientation]) if orientation > 1 else grey()
        exif = Image.Exif()
        exif[0x0112] = orientation
        file = written(stored, "jpeg", quality=95, exif=exif)
        shown = ImageOps.exif_transpose(Image.open(io.BytesIO(file)))
        assert np.array_equal(np.asarray(shown), np.asarray(grey())), orientation
        yield f"turned {orientation}.jpg", file


def of_grey():
    yield from turned()
    yield "grey.png", written(grey(), "png")
    wide = np.asarray(grey()).astype(np.uint16) * 257
    yield "16 bits.png", written(Image.fromarray(wide), "png")


def of_colours():
    image = colours()
    other = ImageOps.invert(image)
    yield "colours.png", written(image, "png")
    yield "palette.png", written(image.quantize(12), "png")
    yield "colours.bmp", written(image, "bmp")
    yield "lossless.webp", written(image, "webp", lossless=True)
    frames = {"save_all": True, "append_images": [other], "duration": 100}
    yield "animated.gif", written(image, "gif", **frames)
    yield "animated.png", written(image, "png", **frames)
    yield "animated.webp", written(image, "webp", lossless=True, **frames)


def of_ink():
    """Black and white blocks: what other values become is a browser's own affair."""
    ink = np.zeros((SIZE[1], SIZE[0], 4), dtype=np.uint8)
    ink[:, :8, 3] = 255
    shown = np.where(ink[..., 3:] == 255, 0, 255).astype(np.uint8).repeat(3, axis=2)
    return shown, {"ink.jpg": written(Image.fromarray(ink, "CMYK"), "jpeg", quality=95)}


def no_pictures():
    """Files that cannot be used, and the code of the error."""
    png, jpeg = written(colours(), "png"), written(colours(), "jpeg")
    header = png[:16] + (70000).to_bytes(4, "big") + png[20:]
    yield "nothing.png", b"", "bad_picture"
    yield "too wide.png", header, "bad_picture"
    yield "head alone.png", png[:33], "picture_undecodable"
    yield "other bytes.jpg", jpeg[:20] + bytes(200), "picture_undecodable"
    yield "drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><circle r="9"/></svg>', "picture_undecodable"
    avif = written(colours(), "avif")
    yield "photo.heic", avif[:320].replace(b"avif", b"heic").replace(b"avis", b"hevc"), "picture_undecodable"
    yield "notes.png", b"Not a picture at all.\n", "picture_undecodable"


def text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def shown(pixels: np.ndarray, files: dict) -> dict:
    high, wide = pixels.shape[:2]
    coded = {name: text(data) for name, data in files.items()}
    return {"width": wide, "height": high, "rgb": text(np.ascontiguousarray(pixels).tobytes()), "files": coded}


def make(out: Path):
    from transformers.image_transforms import convert_to_rgb

    for name, data in of_colours():
        first = Image.open(io.BytesIO(data)).convert("RGB")
        assert np.array_equal(np.asarray(first), np.asarray(colours())), name
    on_white = convert_to_rgb(clear(), return_numpy=True)
    ink, files = of_ink()
    found = {
        "pictures": [
            shown(np.asarray(grey().convert("RGB")), dict(of_grey())),
            shown(np.asarray(colours()), dict(of_colours())),
            shown(on_white, {"clear.png": written(clear(), "png")}),
            shown(ink, files),
        ],
        "errors": [{"name": name, "file": text(data), "code": code} for name, data, code in no_pictures()],
    }
    jsonio.write(out / "picture_files.json", found)

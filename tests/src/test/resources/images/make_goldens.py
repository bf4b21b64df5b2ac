"""Makes the files of this folder with Pillow 11.3.0 and numpy: small images in every format that
Gatun reads, what Pillow makes of them (expected-*.png), and resized ones (resize-*.png)."""
import struct
import sys
import zlib

import numpy as np
from PIL import Image, ImageCms, ImageOps

rng = np.random.default_rng(7)
W, H = 21, 13
y, x = np.mgrid[0:H, 0:W]
base = np.stack([x * 12, y * 19, (x + y) * 7], -1).astype(np.uint8)
base[3:9, 4:11] = [250, 20, 90]
base[8:12, 14:19] = rng.integers(0, 256, (4, 5, 3))
rgb = Image.fromarray(base)
alpha = (255 - x * 11).clip(0, 255).astype(np.uint8)
alpha[5] = 0
rgba = Image.fromarray(np.dstack([base, alpha]))
grey = rgb.convert("L")


def expect(name, image):
    image.save(f"expected-{name}.png")


def file(name, image, expected=None, **options):
    image.save(name, **options)
    read = Image.open(name)
    expect(name, expected or read.convert("RGBA" if read.mode in ("RGBA", "LA") else "RGB"))


def png16(name, array):
    """A PNG of 16 bits, which Pillow cannot write in colour."""
    h, w, c = array.shape
    rows = b"".join(b"\0" + array[r].astype(">u2").tobytes() for r in range(h))
    chunk = lambda t, d: struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d))
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[c]
    head = struct.pack(">IIBBBBB", w, h, 16, kind, 0, 0, 0)
    with open(name, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head))
        f.write(chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


file("rgb.png", rgb)
file("rgba.png", rgba)
file("grey.png", grey)
file("grey-alpha.png", rgba.convert("LA"))
file("one-bit.png", grey.convert("1"))
file("palette.png", rgb.quantize(16))
deep = rng.integers(0, 65536, (H, W, 4))
for c, name in ((1, "grey16"), (2, "grey-alpha16"), (3, "rgb16"), (4, "rgba16")):
    png16(name + ".png", deep[..., :c])
    upper = (deep[..., :c] >> 8).astype(np.uint8)
    if c == 1:
        expect(name + ".png", Image.fromarray(upper[..., 0]).convert("RGB"))
    else:
        mode = {2: "LA", 3: "RGB", 4: "RGBA"}[c]
        expect(name + ".png", Image.fromarray(upper, mode).convert("RGB" if c == 3 else "RGBA"))

file("rgb.bmp", rgb)
file("palette.bmp", rgb.quantize(16))
file("grey.bmp", grey)
file("palette.gif", rgb.quantize(32))
file("lossless.webp", rgb, lossless=True)
file("alpha.webp", rgba, lossless=True, exact=True)
file("rgb.jpg", rgb, quality=95, subsampling=0)
file("progressive.jpg", rgb, quality=95, subsampling=0, progressive=True)
file("grey.jpg", grey, quality=95)
# sRGB with red and green exchanged: whoever applies it gets other colours.
profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
profile = profile.replace(b"rXYZ", b"?XYZ").replace(b"gXYZ", b"rXYZ").replace(b"?XYZ", b"gXYZ")
file("profile.jpg", rgb, quality=95, subsampling=0, icc_profile=profile)
file("profile.png", rgb, icc_profile=profile)
cmyk = Image.fromarray(np.dstack([255 - base, (x * 6 + y * 5).astype(np.uint8)]), "CMYK")
file("cmyk.jpg", cmyk, quality=95)
data = bytearray(open("cmyk.jpg", "rb").read())
data[data.index(b"Adobe") + 11] = 2  # the same numbers, called YCCK
open("ycck.jpg", "wb").write(data)
expect("ycck.jpg", Image.open("ycck.jpg").convert("RGB"))
for o in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = o
    name = f"orientation{o}.jpg"
    rgb.save(name, quality=95, subsampling=0, exif=exif)
    expect(name, ImageOps.exif_transpose(Image.open(name)))

photo = np.stack([np.hypot(x - 9, y - 5) * 20, x * y, rng.integers(0, 256, (H, W))], -1)
big = Image.fromarray(photo.clip(0, 255).astype(np.uint8)).resize((97, 61), Image.NEAREST)
noise = Image.fromarray(rng.integers(0, 256, (61, 97, 3)).astype(np.uint8))
big = Image.blend(big, noise, 0.3)
big.save("resize.png")
for name in ("BILINEAR", "BICUBIC", "LANCZOS"):
    for w, h in ((64, 40), (31, 61), (97, 20), (110, 70), (1, 1), (13, 90)):
        big.resize((w, h), getattr(Image, name)).save(f"resize-{name}-{w}x{h}.png")
big.convert("L").save("resize-grey.png")
big.convert("L").resize((40, 25), Image.BILINEAR).save("resize-grey-40x25.png")

# A photograph, segment_anything's notebooks/images/dog.jpg, in every way of WebP.
dog = Image.open(sys.argv[1]).convert("RGB").resize((33, 47))


def webp(name, image, mode=None, **how):
    image.save(name, **how)
    stored = Image.open(name)
    expect(name, stored.convert(mode) if mode else stored)


webp("lossy.webp", dog, quality=60)
webp("lossy-fine.webp", dog, quality=98)
clear = dog.copy()
clear.putalpha(dog.convert("L"))
webp("lossy-alpha.webp", clear, quality=40)
webp("animation.webp", dog, save_all=True, append_images=[dog.rotate(30)], duration=50, quality=50)
# What is transparent without a channel for it.
little = dog.resize((21, 13))
pixel = little.getpixel((3, 3))
webp("transparent-colour.png", little, "RGBA", transparency=pixel)
pixel = little.convert("L").getpixel((3, 3))
webp("transparent-grey.png", little.convert("L"), "RGBA", transparency=pixel)
alphas = bytes([0, 128, 255, 40])
webp("palette-alpha.png", little.quantize(9), "RGBA", transparency=alphas, bits=4)

y, x = np.mgrid[0:3000, 0:4000]
large = np.stack([x / 4000 * 255, y / 3000 * 255, (x // 200 + y // 200) % 2 * 120], -1)
large = Image.fromarray(large.astype(np.uint8))
large.save("12-megapixels.webp", quality=1, method=6)
large.save("12-megapixels-lossless.webp", lossless=True, quality=50, method=4)

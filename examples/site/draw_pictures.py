"""Draw the pictures of pictures.md anew, by the code on that page."""

import os
import re
from pathlib import Path

import matplotlib as mpl
from PIL import Image

HERE, COLOURS = Path(__file__).parent, 96


def main():
    mpl.use("agg")
    os.chdir(HERE)
    text = (HERE / "pictures.md").read_text(encoding="utf-8")
    session = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, "pictures.md", "exec"), session)
    for path in sorted(HERE.glob("pictures-*.png")):
        # Few colours are enough, and take a third of the bytes.
        Image.open(path).convert("RGB").quantize(
            COLOURS, dither=Image.Dither.NONE
        ).save(path, optimize=True)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()

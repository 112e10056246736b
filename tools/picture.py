# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draws the map as the README shows it: `picture.py JOURNAL LINES OUT.png FONT.ttf`, after so many lines of a journal.

Needs Pillow; PYTHONPATH is the directory that holds `ansible_collections`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ansible_collections.steady.vmss.plugins.module_utils._rollout import map as heat_map
from ansible_collections.steady.vmss.plugins.module_utils._rollout.journal_view import view

SIZE = (100, 24)  # columns and lines
GROUND, TEXT = (30, 30, 30), (220, 220, 220)


def colour(code: str) -> tuple[int, int, int]:
    """Of an SGR's 256 colours: the cube of six and the greys."""
    number = int(code.rpartition(";")[2])
    if number >= 232:
        return (8 + 10 * (number - 232),) * 3
    number -= 16
    levels = (0, 95, 135, 175, 215, 255)
    return levels[number // 36], levels[number // 6 % 6], levels[number % 6]


def main(journal: str, lines: str, out: str, font_file: str) -> None:
    found = view(Path(journal).read_text(encoding="utf-8").splitlines()[: int(lines)])
    frame = heat_map.frame([found], SIZE, (found.last or 0.0) + 5)
    font = ImageFont.truetype(font_file, 16)
    width, height = round(font.getlength("M")), 20
    image = Image.new("RGB", (width * SIZE[0] + 20, height * len(frame) + 20), GROUND)
    draw = ImageDraw.Draw(image)
    for row, line in enumerate(frame):
        column = 0
        for text, state in line:
            code = heat_map.LOOKS[state].colour if state in heat_map.LOOKS else ""
            ink = colour(code) if code else TEXT
            place = (10 + column * width, 10 + row * height)
            if code.startswith("7;"):
                draw.rectangle((*place, place[0] + width * len(text.rstrip()), place[1] + height - 1), ink)
                ink = GROUND
            for letter in text:
                draw.text((10 + column * width, place[1]), letter, ink, font)
                column += 1
    image.save(out, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

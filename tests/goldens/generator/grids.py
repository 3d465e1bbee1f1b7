"""Writes cpu/src/grids.rs, the grids of GGML's i-quants, from the gguf package: python grids.py"""

from pathlib import Path

from gguf import quants as q

out = ['''//! The grids of GGML's i-quants: facts of the formats, written by `tests/goldens/generator/grids.py` from the `gguf` package.
//!
//! An entry of a grid of eight holds eight codes of two bits, one of a grid of four holds four codes, each in a nibble; the
//! first column's is the lowest.

''']
NAMES = [(q.IQ2_XXS, "IQ2_XXS", 2), (q.IQ2_XS, "IQ2_XS", 2), (q.IQ2_S, "IQ2_S", 2), (q.IQ3_XXS, "IQ3_XXS", 4), (q.IQ3_S, "IQ3_S", 4), (q.IQ1_S, "IQ1", 2)]
for kind, name, bits in NAMES:
    kind.init_grid()
    rows, n = kind.grid_shape
    codes = [[kind.grid_map.index(int(v)) for v in row] for row in kind.grid.reshape(rows, n)]
    words = [sum(code << (bits * i) for i, code in enumerate(row)) for row in codes]
    about = "The grid of IQ1_S and IQ1_M, whose codes 0, 1, 2 are -1, 0, 1" if name == "IQ1" else f"The grid of {name}"
    out.append(f"/// {about}.\npub static {name}: [u16; {rows}] = [\n")
    for i in range(0, rows, 16):
        out.append("    " + " ".join(f"{w:#06x}," for w in words[i:i + 16]) + "\n")
    out.append("];\n\n")
path = Path(__file__).resolve().parents[3] / "cpu/src/grids.rs"
path.write_text("".join(out).rstrip("\n") + "\n", encoding="utf-8")

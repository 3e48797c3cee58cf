"""Columns as Go's text/tabwriter lays them out, which all tables of Cilium's command line go through.

A cell is what ends with a tab; what follows a line's last tab belongs to no column. A column is a run of neighbouring
lines that all have a cell there; its width is its longest cell plus the padding, but at least the minimum.
"""

from __future__ import annotations


def laid_out(text: str, minimum: int = 5, padding: int = 3) -> str:
    """Text with tab-terminated cells, as columns padded with blanks (trailing blanks of cells included)."""
    lines = [line.split("\t") for line in text.split("\n")]
    widths: list[list[int]] = [[] for _ in lines]
    _measure(lines, widths, 0, len(lines), 0, minimum, padding)
    return "\n".join(
        "".join(cell.ljust(width) for cell, width in zip(line, line_widths, strict=False)) + line[-1]
        for line, line_widths in zip(lines, widths, strict=True)
    )


def _measure(
    lines: list[list[str]], widths: list[list[int]], start: int, end: int, column: int, minimum: int, padding: int
) -> None:
    """Append the width of a column to each line of the range that has it, block by block, then go right."""
    first = start
    while first < end:
        if len(lines[first]) - 1 <= column:
            first += 1
            continue
        last = first
        while last < end and len(lines[last]) - 1 > column:
            last += 1
        width = max(minimum, *(len(line[column]) + padding for line in lines[first:last]))
        for line_widths in widths[first:last]:
            line_widths.append(width)
        _measure(lines, widths, first, last, column + 1, minimum, padding)
        first = last

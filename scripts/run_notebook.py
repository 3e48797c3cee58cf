"""Run a notebook's code without Jupyter, and keep what it shows: `python scripts/run_notebook.py NOTEBOOK [RUN]`.

RUN: a run's directory, handed to the notebook as $BGPLAB_RUN. Outputs are written into the notebook: text, tables as
HTML, plotly figures as PNG. A cell that raises ends it, and the notebook is left as it was.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


def executed(notebook: dict[str, Any], *, pictures: bool = True) -> dict[str, Any]:
    """A copy with outputs (nbformat 4.5). pictures: draw plotly figures, which takes Chromium and seconds each."""
    made = json.loads(json.dumps(notebook))
    names: dict[str, Any] = {"__name__": "__main__"}
    number = 0
    for cell in made["cells"]:
        if cell["cell_type"] == "code":
            number += 1
            cell["execution_count"] = number
            cell["outputs"] = _outputs("".join(cell["source"]), names, number, pictures)
    return made


def _outputs(source: str, names: dict[str, Any], number: int, pictures: bool) -> list[dict[str, Any]]:
    """What a cell prints, and the value of its last expression, as Jupyter keeps them."""
    tree = ast.parse(source, f"cell {number}")
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, f"cell {number}", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
    outputs: list[dict[str, Any]] = []
    if text := printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)})
    if value is not None:
        data = _shown(value, pictures)
        outputs.append({"output_type": "execute_result", "execution_count": number, "metadata": {}, "data": data})
    return outputs


def _shown(value: Any, pictures: bool) -> dict[str, Any]:
    if hasattr(value, "to_image"):
        if not pictures:
            return {"text/plain": [type(value).__name__]}
        return {"image/png": base64.b64encode(value.to_image(format="png")).decode(), "text/plain": ["a figure"]}
    data: dict[str, Any] = {"text/plain": repr(value).splitlines(keepends=True)}
    if hasattr(value, "_repr_html_"):
        data["text/html"] = value._repr_html_().splitlines(keepends=True)
    return data


def main(argv: list[str]) -> int:
    path = Path(argv[0])
    if len(argv) > 1:
        os.environ["BGPLAB_RUN"] = argv[1]
    made = executed(json.loads(path.read_text()))
    path.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

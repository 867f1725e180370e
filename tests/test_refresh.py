"""What `refresh` removes from a notebook, and what it keeps."""

import nbformat
from nbformat.v4 import new_code_cell, new_notebook, new_output
from refresh import WIDGET, refresh, settle


def test_printed_text_is_one_piece_and_widgets_go():
    pieces = [
        new_output("stream", name=n, text=t)
        for n, t in (("stdout", "a"), ("stdout", "b"))
    ]
    err = new_output("stream", name="stderr", text="c")
    shown = new_output(
        "display_data", data={WIDGET: {"model_id": "1"}, "text/plain": "s"}
    )
    notebook = new_notebook(cells=[new_code_cell("x", outputs=[*pieces, err, shown])])
    notebook.metadata["widgets"] = {"state": {}}
    settle(notebook)
    outputs = notebook.cells[0].outputs
    assert [o.get("text") for o in outputs] == ["ab", "c", None]
    assert outputs[2].data == {"text/plain": "s"}
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


def test_it_runs_from_a_clean_kernel_and_twice_gives_the_same(tmp_path):
    path = tmp_path / "made_up.ipynb"
    cells = [new_code_cell("x = 6"), new_code_cell("print(x)\nprint(7)\nx * 7")]
    nbformat.write(new_notebook(cells=cells), path)
    refresh(path)
    first = path.read_bytes()
    saved = nbformat.read(path, as_version=4).cells[1]
    assert saved.outputs[0].text == "6\n7\n"
    assert saved.outputs[1].data["text/plain"] == "42"
    refresh(path)
    assert path.read_bytes() == first

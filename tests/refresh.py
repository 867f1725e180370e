"""Run notebooks from a clean kernel and save them as they are committed.

    python tests/refresh.py lectures/09_reverse_mode.ipynb …      # these
    python tests/refresh.py                                       # all lectures and solutions

Removes what differs between runs without any significance: times, the kernel's version, live
widgets, and the splitting of printed text into chunks. The output of `progress()` depends on the
other notebooks, and is marked as not to be compared.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
WIDGET = "application/vnd.jupyter.widget-view+json"


def refresh(path):
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    with tempfile.TemporaryDirectory() as elsewhere:
        progress = str(Path(elsewhere) / "progress.json")
        client.execute(env={**os.environ, "COMP551AD_PROGRESS": progress})
    settle(notebook)
    nbformat.write(notebook, path)


def settle(notebook):
    """Remove from a notebook what differs between identical runs."""
    notebook.metadata = {
        "kernelspec": {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        if cell.source.startswith("progress("):
            cell.metadata["tags"] = ["nbval-ignore-output"]
            cell.metadata["reason"] = "counts what was done in the other notebooks too"
        outputs = []
        for output in cell.outputs:
            output.get("data", {}).pop(WIDGET, None)
            last = outputs[-1] if outputs else None
            if last and "name" in output and last.get("name") == output.name:
                last.text += output.text
            else:
                outputs.append(output)
        cell.outputs = outputs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path)
    chosen = parser.parse_args().notebooks
    every = [p for d in ("lectures", "solutions") for p in (ROOT / d).glob("*.ipynb")]
    for path in tqdm([p.resolve() for p in chosen] or sorted(every), unit="notebook"):
        refresh(path)


if __name__ == "__main__":
    sys.exit(main())

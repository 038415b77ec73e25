"""How benchmarks write down what they measured: JSON with the machine's name, and tables."""

import json
import platform
from datetime import date
from importlib.metadata import version
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
TABLES = ROOT / "docs" / "_tables"


def machine():
    """Return what a reader needs to know of where the figures come from."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = models[0].split(":")[1].strip() if models else name
    return {
        "cpu": name,
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "date": date.today().isoformat(),
        "versions": {p: version(p) for p in ("torch", "skorch", "scikit-learn", "numpy", "scipy")},
    }


def write(stem, rows, table, **settings):
    """Write `rows` as results/<stem>.json and `table` as docs/_tables/<stem>.md; print it."""
    record(stem, rows, **settings)
    place(stem, table)
    print(table)


def record(stem, rows, **settings):
    """Write `rows` as results/<stem>.json."""
    RESULTS.mkdir(exist_ok=True)
    found = {"machine": machine(), "settings": settings, "rows": rows}
    (RESULTS / f"{stem}.json").write_text(json.dumps(found, indent=1) + "\n")


def earlier(stem):
    """Return the rows that an earlier run wrote under this name, which may be of other methods."""
    path = RESULTS / f"{stem}.json"
    return json.loads(path.read_text())["rows"] if path.exists() else []


def place(stem, table):
    """Keep a table as docs/_tables/<stem>.md, and put it between its marks in README and docs."""
    TABLES.mkdir(exist_ok=True)
    (TABLES / f"{stem}.md").write_text(table + "\n")
    begin, end = f"<!-- table {stem} -->", f"<!-- end {stem} -->"
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        if not page.exists():
            continue
        text = page.read_text()
        if begin in text and end in text:
            before, rest = text.split(begin, 1)
            after = rest.split(end, 1)[1]
            page.write_text(f"{before}{begin}\n{table}\n{end}{after}")


def markdown(header, rows):
    """Return a Markdown table of strings."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)

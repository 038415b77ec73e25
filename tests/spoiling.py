"""Spoils a saved file, as somebody could who knows its format."""

import json

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from sk_dcedenoise.persistence import _file


def spoil(path, change):
    """Change content and arrays of a file, with a checksum that is right again."""
    with safe_open(path, framework="np") as opened:
        content = json.loads(opened.metadata()["sk_dcedenoise"])
        arrays = {name: np.array(opened.get_tensor(name)) for name in opened.keys()}  # noqa: SIM118
    content.pop("sha256")
    change(content, arrays)
    content["sha256"] = _file._digest(content, arrays)
    save_file(arrays, path, metadata={"sk_dcedenoise": json.dumps(content)})

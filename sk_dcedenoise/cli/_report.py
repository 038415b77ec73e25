"""The report of a run: one HTML page that holds its pictures and needs nothing beside it."""

import base64
import html
import io
from dataclasses import dataclass
from datetime import datetime
from string import Template

import numpy as np

from sk_dcedenoise.cli._pictures import pictures
from sk_dcedenoise.cli._run import middle, share_trusted
from sk_dcedenoise.cli._write import versions

_UNITS = {"Ktrans": "1/min", "kep": "1/min", "delay": "s"}

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto;
       padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; }
h2 { font-size: 1.15rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
p.sub { color: #666; margin-top: 0.2rem; overflow-wrap: anywhere; }
figure { margin: 1.2rem 0; }
figure img { max-width: 100%; height: auto; }
figcaption { color: #555; font-size: 0.92rem; max-width: 50rem; }
table { border-collapse: collapse; font-size: 0.92rem; }
th, td { text-align: left; padding: 0.2rem 1rem 0.2rem 0; vertical-align: top;
         border-bottom: 1px solid #eee; overflow-wrap: anywhere; }
th { font-weight: 600; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 0.8rem; }
dl div { background: #f5f6f8; border-radius: 6px; padding: 0.6rem 0.9rem; }
dt { color: #666; font-size: 0.85rem; }
dd { margin: 0; font-size: 1.15rem; }
</style>
</head>
<body>
<h1>$title</h1>
<p class="sub">$subtitle</p>
<dl>$facts</dl>
<h2>Parameters</h2>
<p>Median and middle 90&nbsp;% of all curves.</p>
$parameters
<h2>Pictures</h2>
$pictures
<h2>How each fit ended</h2>
$status
<h2>Settings</h2>
$settings
<h2>Versions</h2>
$versions
<p class="sub">A denoised curve is an estimate under a prior; maps of the curves as measured stand
beside the others. Nothing here has been validated for clinical use.</p>
</body>
</html>
""")


@dataclass
class Result:
    """What a run found out, as the report shows it."""

    scan: object
    nodes: tuple
    delays: tuple
    denoiser: object
    kinetic: object
    before: dict
    after: dict
    denoised: np.ndarray
    trust: np.ndarray


def write_report(path, result, settings):
    """Write the page.

    Parameters
    ----------
    path : Path
        The .html file.
    result : Result
    settings : dict
        Arguments of the command.
    """
    parts = {
        "title": "DCE-MRI parameter maps",
        "subtitle": html.escape(f"{settings['curves']}, {datetime.now():%Y-%m-%d %H:%M}"),
        "facts": "".join(f"<div><dt>{k}</dt><dd>{v}</dd></div>" for k, v in _facts(result)),
        "parameters": _table(*_parameters(result)),
        "pictures": "\n".join(_figure(*picture) for picture in pictures(result)),
        "status": _table(("status", "meaning", "curves"), _endings(result.after["status"])),
        "settings": _table(("setting", "value"), _settings(settings)),
        "versions": _table(("package", "version"), versions().items()),
    }
    path.write_text(_PAGE.substitute(parts), encoding="utf-8")


def _facts(result):
    noise = result.before["residual_std"]
    noise = noise[np.isfinite(noise)]
    level = float(np.median(noise)) if noise.size else np.nan
    peak = float(np.nanpercentile(result.scan.curves.max(axis=1), 95))
    low, high = result.delays
    return [
        ("curves", f"{len(result.trust):,}"),
        ("frames", f"{result.scan.frames.size} in {np.ptp(result.scan.frames):g} s"),
        ("noise (median)", f"{level:.3g} mM"),
        ("strong enhancement", f"{peak:.3g} mM"),
        ("trusted", f"{share_trusted(result.trust):.1%}"),
        ("without a fit", f"{np.mean(~np.isfinite(result.after['Ktrans'])):.1%}"),
        ("bolus delays", f"{low:.1f} to {high:.1f} s" if low < high else f"{low:g} s"),
        ("AIF peak", f"{result.nodes[1].max():.3g} mM"),
    ]


def _parameters(result):
    names = result.kinetic.names
    header = ("", *(f"{name} ({_UNITS[name]})" if name in _UNITS else name for name in names))
    fits = ("as measured", result.before), ("denoised", result.after)
    rows = [(title, *(middle(columns[name]) for name in names)) for title, columns in fits]
    errors = (middle(result.before[f"{name}_se"]) for name in names)
    return header, [*rows, ("standard error, as measured", *errors)]


def _endings(status):
    from sk_dcedenoise.fitting import FitStatus

    values, counts = np.unique(status, return_counts=True)
    meanings = {0: "optimum inside all bounds"}
    rows = []
    for i in np.argsort(-counts):
        flags = ", ".join(flag.name for flag in FitStatus(int(values[i])) if flag)
        share = f"{counts[i]:,} ({counts[i] / status.size:.1%})"
        rows.append((values[i], meanings.get(int(values[i]), flags), share))
    return rows


def _settings(settings):
    shown = {name: value for name, value in settings.items() if name != "frames"}
    return [(name, value) for name, value in shown.items() if value not in (None, False)]


def _table(header, rows):
    head = "".join(f"<th>{html.escape(str(cell))}</th>" for cell in header)
    lines = [
        "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) for row in map(tuple, rows)
    ]
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table>\n<tr>{head}</tr>\n{body}\n</table>"


def _figure(title, caption, figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    title, caption = html.escape(title), html.escape(caption)
    image = f'<img alt="{title}" src="data:image/png;base64,{data}">'
    return f"<figure>{image}<figcaption><b>{title}.</b> {caption}</figcaption></figure>"

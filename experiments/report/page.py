"""One self-contained HTML page of tables and pictures: no network, no scripts; prints well, reads well on a phone."""

import base64
import textwrap
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

STYLE = """
:root { color-scheme: light; --ink: #1d2430; --soft: #5b6675; --line: #dde2e8; --accent: #1f6feb; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 4rem; color: var(--ink); background: #fff;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.4rem 0 .4rem; padding-top: .8rem; border-top: 1px solid var(--line); }
p { margin: .3rem 0 .8rem; color: var(--soft); max-width: 46rem; overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: 1rem 0; font-size: .95rem; }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; min-width: 50%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td:first-child { font-weight: 600; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: .5rem 0; } img { max-width: 100%; height: auto; display: block; }
@media (max-width: 40rem) { body { font-size: 15px; padding: 1rem .8rem 3rem; } td, th { padding-right: .6rem; }
  table.stacked thead { display: none; } table.stacked tr { display: block; border-bottom: 1px solid var(--line);
  padding: .4rem 0; } table.stacked td { display: block; border: 0; padding: .1rem 0; text-align: left;
  white-space: normal; }
  table.stacked td::before { content: attr(data-label) " "; color: var(--soft); font-weight: 400; } }
@media print { nav { display: none; } body { max-width: none; }
  h2 { break-after: avoid; } tr, figure { break-inside: avoid; } }
"""

WIDTH = 110  # of notes in a terminal


class Table(NamedTuple):
    """Rows of text and numbers under a title; the note says how to read them."""

    title: str
    note: str
    header: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]


class Figure(NamedTuple):
    """A PNG under a title."""

    title: str
    note: str
    path: Path


def page(title: str, lead: str, parts: list[Table | Figure]) -> str:
    """The whole page, pictures inside."""
    links = "".join(f'<a href="#part{place}">{escape(part.title)}</a>' for place, part in enumerate(parts))
    sections = "".join(_section(place, part) for place, part in enumerate(parts))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1><p>{escape(lead)}</p><nav>{links}</nav>"
        f"{sections}</body></html>\n"
    )


def plain(table: Table) -> str:
    """The table for a terminal: aligned columns, the last one as long as it is, and the note below."""
    cells = [[shown(value) for value in row] for row in [table.header, *table.rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(table.header))]
    right = [_is_number(table, column) for column in range(len(table.header))]
    lines = [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width) for cell, width, number in zip(row, widths, right)
        ).rstrip()
        for row in cells
    ]
    return "\n".join([table.title, *lines, *textwrap.wrap(table.note, WIDTH)])


def shown(value: object) -> str:
    """A cell as text: three significant digits for small numbers, one decimal for large ones."""
    if isinstance(value, float):
        return "-" if value != value else f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _section(place: int, part: Table | Figure) -> str:
    note = f"<p>{escape(part.note)}</p>" if part.note else ""
    head = f'<section id="part{place}"><h2>{escape(part.title)}</h2>{note}'
    if isinstance(part, Figure):
        data = base64.b64encode(part.path.read_bytes()).decode()
        return f'{head}<figure><img alt="{escape(part.title)}" src="data:image/png;base64,{data}"></figure></section>'
    kinds = [' class="number"' if _is_number(part, column) else "" for column in range(len(part.header))]
    top = "".join(f"<th{kind}>{escape(name)}</th>" for name, kind in zip(part.header, kinds))
    rows = "".join(
        "<tr>"
        + "".join(
            f'<td{kind} data-label="{escape(name)}">{escape(shown(value))}</td>'
            for value, kind, name in zip(row, kinds, part.header)
        )
        + "</tr>"
        for row in part.rows
    )
    stacked = ' class="stacked"' if len(part.header) > 2 else ""
    table = f"<table{stacked}><thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table>"
    return f'{head}<div class="table">{table}</div></section>'


def _is_number(table: Table, column: int) -> bool:
    return bool(table.rows) and all(isinstance(row[column], int | float) for row in table.rows)

"""A card as one HTML page, without scripts or external resources. All text from users is escaped."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from pathlib import Path

from registry.card.blocks import Block, Code, Confusion, Facts, Page, Plot, Points, Section, Table, Words
from registry.card.card import Card
from registry.card.page import page_of

STYLE = Path(__file__).with_name("card.css").read_text(encoding="utf-8")
_digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_digest}'; base-uri 'none'; form-action 'none'"  # also sent as a header
)


def card_html(card: Card) -> str:
    page = page_of(card)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(page.title)} · model card</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"{_head(page)}\n<main>\n{''.join(map(_section, page.sections))}</main>\n"
        f"<footer>{escape(page.foot)}</footer>\n</body>\n</html>\n"
    )


def _head(page: Page) -> str:
    state, *others = page.lines
    live = " live" if page.selected else ""
    lines = f'<li class="state{live}">{escape(state)}</li>' + "".join(
        f'<li class="tag">{escape(line[1:])}</li>' if line.startswith("#") else f"<li>{escape(line)}</li>"
        for line in others
    )
    lede = f'<p class="lede">{escape(page.lede)}</p>' if page.lede else ""
    return (
        f'<header><p class="kind">Model card</p><h1>{escape(page.title)}</h1><ul class="lines">{lines}</ul>'
        f'<p class="verdict">{escape(page.verdict)}</p>{lede}</header>'
    )


def _section(section: Section) -> str:
    blocks = section.blocks
    has_plots = any(isinstance(block, Plot | Confusion) for block in blocks)
    inner = "".join(map(_block, blocks))
    if has_plots:
        inner = f'<div class="plots">{inner}</div>'
    note = f'<p class="note">{escape(section.note)}</p>' if section.note else ""
    return (
        f'<section class="span-{section.span}"><div class="top"><h2>{escape(section.title)}</h2>{note}</div>'
        f"{inner}</section>\n"
    )


def _block(block: Block) -> str:
    match block:
        case Words(text):
            return f"<p>{escape(text)}</p>"
        case Facts(pairs):
            return f"<dl>{''.join(f'<dt>{escape(k)}</dt><dd>{escape(v)}</dd>' for k, v in pairs)}</dl>"
        case Table():
            return f'<div class="scroll" tabindex="0">{_table(block)}</div>'
        case Points(items):
            return f'<ul class="points">{"".join(f"<li>{escape(item)}</li>" for item in items)}</ul>'
        case Plot(title, note, svg, table):
            details = f"<details><summary>as a table</summary>{_table(table)}</details>" if table else ""
            return f'<figure><h3>{escape(title)}</h3><p class="note">{escape(note)}</p>{svg}{details}</figure>'
        case Confusion():
            return _confusion(block)
        case Code(title, text, _):
            return f'<h3>{escape(title)}</h3><pre tabindex="0"><code>{escape(text)}</code></pre>'


def _table(table: Table) -> str:
    def kind(column: int) -> str:
        return ' class="num"' if column in table.numbers else ""

    head = "".join(f'<th scope="col"{kind(i)}>{escape(name)}</th>' for i, name in enumerate(table.head))
    body = ""
    for number, row in enumerate(table.rows):
        cells = ""
        for column, text in enumerate(row):
            shown = escape(text)
            if table.pictures is not None and column == table.pictures[0]:
                shown = table.pictures[1][number]
            cells += f'<th scope="row">{shown}</th>' if column == 0 else f"<td{kind(column)}>{shown}</td>"
        body += f"<tr>{cells}</tr>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _confusion(block: Confusion) -> str:
    """The confusion matrix: a count and its share of the row in each cell; correct halves of a row are highlighted."""
    head = "".join(f'<th scope="col" class="num">predicted {escape(label)}</th>' for label in block.labels)
    body = ""
    for index, (label, row) in enumerate(zip(block.labels, block.counts, strict=True)):
        cells = ""
        for column, count in enumerate(row):
            share = count / sum(row) if sum(row) else 0.0
            kind = "right" if column == index and share >= 0.5 else "other"
            cells += f'<td class="{kind}"><b>{count:,}</b><span>{100 * share:.1f} %</span></td>'
        body += f'<tr><th scope="row">actual {escape(label)}</th>{cells}</tr>'
    return (
        '<figure><h3>Confusion</h3><p class="note">readings, and their share of the actual label</p>'
        f'<div class="scroll" tabindex="0"><table class="cm"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></figure>"
    )

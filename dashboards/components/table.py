"""Shows a table as HTML: caption, scoped headings, markers beside the figures and their meanings below."""

from dash import html

from dashboards.components.aria import aria
from dashboards.markers import explanations
from dashboards.tables import Cell, Column, Table

Element = html.Div | html.Table | html.Tr | html.Th | html.Td


def _heading(column: Column) -> html.Th:
    numeric = "" if column.kind in ("label", "quarter") else "number"
    return html.Th(column.heading, scope="col", className=numeric)


def _figure(cell: Cell) -> html.Td:
    marker = [html.Span(f" {cell.markers}", className="marker")] if cell.markers else []
    return html.Td([cell.text, *marker], className="number")


def _row(cells: list[Cell]) -> html.Tr:
    return html.Tr([html.Th(cells[0].text, scope="row"), *(_figure(cell) for cell in cells[1:])])


def table_element(table: Table) -> html.Table:
    """Returns the table alone."""
    parts = [
        html.Caption(html.Span(table.caption), id=f"{table.name}-caption"),
        html.Thead(html.Tr([_heading(column) for column in table.columns])),
        html.Tbody([_row(cells) for cells in table.rows]),
    ]
    total = [html.Tfoot([_row(cells) for cells in table.total_rows])] if table.total_rows else []
    return html.Table([*parts, *total], className="figures")


def table_with_notes(table: Table, query: str) -> html.Div:
    """Returns the table, which scrolls on a narrow screen, with its markers' meanings and a link to its CSV file."""
    named = aria("labelledby", f"{table.name}-caption")
    frame = html.Div(table_element(table), className="table-frame", role="region", tabIndex="0", **named)
    notes = [html.Li(sentence) for sentence in explanations(table.marker_codes)]
    explained = [html.Ul(notes, className="notes")] if notes else []
    link = html.A("Download this table (CSV)", href=f"/download/{table.name}.csv{'?' if query else ''}{query}")
    return html.Div([frame, *explained, html.P(link)], className="table-block")

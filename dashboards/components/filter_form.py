"""Shows the filters as a plain GET form: a choice leads to a new address, so the address is the only state."""

from dash import html

from dashboards.components.aria import aria
from dashboards.filters import Field, Filters


def _select(field: Field, chosen: str | None) -> html.Div:
    options = [html.Option(field.any_words, value="", selected=chosen is None)]
    options += [
        html.Option(choice.words, value=choice.code, selected=choice.code == chosen) for choice in field.choices
    ]
    name = f"filter-{field.name}"
    label = html.Label(field.label, htmlFor=name)
    return html.Div([label, html.Select(options, id=name, name=field.name)], className="filter")


def filter_form(path: str, fields: tuple[Field, ...], filters: Filters) -> html.Form:
    """Returns a form that leads to the same page with the chosen filters in its address."""
    selects = [_select(field, getattr(filters, field.name)) for field in fields]
    button = html.Button("Apply filters", type="submit")
    clear = [html.A("Clear filters", href=path)] if filters.as_query else []
    buttons = html.Div([button, *clear], className="buttons")
    return html.Form(
        [html.Div(selects, className="selects"), buttons],
        action=path,
        method="get",
        autoComplete="off",  # going back must not restore a choice that is not in the address
        className="filters",
        **aria("label", "Filters"),
    )

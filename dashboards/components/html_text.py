"""Writes a tree of Dash's HTML components as text, so that a page is complete before any script has run."""

from html import escape

from dash.development.base_component import Component

VOID = frozenset({"br", "hr", "img", "input", "meta", "link"})
ATTRIBUTES = {"className": "class", "htmlFor": "for", "tabIndex": "tabindex", "colSpan": "colspan"}
CHART = "Graph"
CHART_WITHOUT_SCRIPT = "<noscript>The chart is drawn with JavaScript. Every figure in it is in the table.</noscript>"


def _style(rules: dict[str, str]) -> str:
    return ";".join(f"{name}:{value}" for name, value in rules.items())


def _attribute(name: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = ATTRIBUTES.get(name, name)
    if value is True:
        return f" {name}"
    text = _style(value) if isinstance(value, dict) else str(value)
    return f' {name}="{escape(text)}"'


def _props(component: Component) -> dict[str, object]:
    return {name: value for name, value in component.to_plotly_json()["props"].items() if name != "children"}


def html_text(node: object) -> str:
    """Returns the HTML of a component, a list of them or a text; a chart becomes a placeholder of its height."""
    if node is None:
        return ""
    if isinstance(node, list | tuple):
        return "".join(html_text(child) for child in node)
    if not isinstance(node, Component):
        return escape(str(node))
    kind = node.to_plotly_json()["type"]
    if kind == CHART:
        return f"<div{_attribute('style', _props(node)['style'])}>{CHART_WITHOUT_SCRIPT}</div>"
    tag = kind.lower()
    attributes = "".join(_attribute(name, value) for name, value in _props(node).items())
    if tag in VOID:
        return f"<{tag}{attributes}>"
    return f"<{tag}{attributes}>{html_text(getattr(node, 'children', None))}</{tag}>"

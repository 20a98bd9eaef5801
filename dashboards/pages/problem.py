"""Makes the pages for when there is nothing to show; each says what is wrong and what to do."""

from dataclasses import dataclass

from dash import html
from dash.development.base_component import Component

OK, NOT_FOUND, UNAVAILABLE = 200, 404, 503


@dataclass(frozen=True, slots=True)
class Problem:
    """A heading and sentences, with the response's status."""

    status: int
    heading: str
    sentences: tuple[str, ...]


NO_SUCH_PAGE = Problem(
    NOT_FOUND, "Page not found", ("Check the address, or start from the home page: every page is named above.",)
)
NOTHING_PUBLISHED = Problem(
    UNAVAILABLE,
    "No figures have been published yet",
    ("This store holds no published release.", "The figures appear here as soon as one is published."),
)
STORE_UNREADABLE = Problem(
    UNAVAILABLE,
    "The figures cannot be read at the moment",
    ("The store that holds them does not answer.", "Try again in a few minutes."),
)


def layout(problem: Problem) -> list[Component]:
    """Returns the page's content."""
    return [html.H1(problem.heading), *(html.P(sentence) for sentence in problem.sentences)]

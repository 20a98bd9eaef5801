"""The rules that events and cells are held to: Great Expectations suites as JSON, and what runs them."""

"""The rules for events and cells, as Great Expectations suites in JSON, and the code that runs them."""

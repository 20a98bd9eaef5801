"""Sets the headers of every response."""

from flask import Response

# Plotly writes style attributes and one style element into the page, so inline styles must be allowed. Inline scripts
# are not, except the one that starts Dash, by its hash.
POLICY = (
    ("default-src", "'none'"),
    ("script-src", "'self'"),
    ("style-src", "'self' 'unsafe-inline'"),
    ("img-src", "'self' data:"),
    ("connect-src", "'self'"),
    ("form-action", "'self'"),
    ("base-uri", "'none'"),
    ("frame-ancestors", "'none'"),
)


def content_security_policy(script_hashes: list[str]) -> str:
    """Returns the Content-Security-Policy that allows our own files and the inline scripts with these hashes."""
    hashes = "".join(f" {one}" for one in script_hashes)
    return "; ".join(f"{name} {value}{hashes if name == 'script-src' else ''}" for name, value in POLICY)


def secured(response: Response, policy: str) -> Response:
    """Sets the security headers on a response and returns it."""
    response.headers["Content-Security-Policy"] = policy
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    return response

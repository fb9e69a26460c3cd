"""What another role answered."""

from typing import Any

import httpx


def json_object(response: httpx.Response) -> dict[str, Any]:
    """The answer's JSON object; an empty one where there is none."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}

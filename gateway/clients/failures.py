"""How a call can fail."""

import httpx

# Nothing of the request left this process.
NOT_REACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

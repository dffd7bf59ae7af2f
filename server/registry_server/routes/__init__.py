"""HTTP: a route reads the request, calls one use case and shapes the answer."""

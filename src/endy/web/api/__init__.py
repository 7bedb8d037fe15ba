"""The HTTP API, one file per area: parse, call a service, render."""

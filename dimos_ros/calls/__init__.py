"""Calls between modules: proxies, the target of a call, the server that answers, JSON both ways, the directory."""

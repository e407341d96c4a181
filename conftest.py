"""Fixtures for every test; the servers behind them are tests/session_servers.py's."""

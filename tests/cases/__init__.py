"""Black-box cases: a real server, a charger on a real socket, exact frames, and what is stored behind the answers."""

"""Simulated charge points over real sockets: what `manage.py simulate` runs. They know no central system."""

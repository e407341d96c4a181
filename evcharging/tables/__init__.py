"""Tables that people give us and get from us: CSV and XLSX files."""

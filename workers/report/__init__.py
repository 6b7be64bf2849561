"""The report of a finished job: `report.json`, whose schema is published, and `report.html` for reading."""

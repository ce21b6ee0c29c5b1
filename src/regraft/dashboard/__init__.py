"""The dashboard of a site: pages that the server writes for the people who decide. It shows, asks and records."""

"""The dashboard of a site: pages written by the server for the people who decide. Shows, asks and records; computes nothing."""

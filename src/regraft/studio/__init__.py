"""The prompt studio: templates that staff write, looked at, tried on a site's own people, approved and put in use."""

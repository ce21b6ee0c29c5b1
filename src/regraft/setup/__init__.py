"""From a configuration to what the arena, a release and a server open alike: data, template, base model."""

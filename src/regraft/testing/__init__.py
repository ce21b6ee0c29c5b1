"""Contract tests for the plug-ins of third parties."""

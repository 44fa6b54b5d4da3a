"""The worker measures: it turns jobs into training runs on a device."""

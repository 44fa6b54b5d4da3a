"""A task's data, held on the device."""

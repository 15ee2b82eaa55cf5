"""Text loops on the device."""

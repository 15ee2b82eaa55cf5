"""Selection on the device."""

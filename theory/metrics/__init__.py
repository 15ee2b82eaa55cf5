"""What is measured on samples, in closed form."""

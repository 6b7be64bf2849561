"""What is measured on the machine before trials begin."""

"""The space document: read, parsed, checked; its fields and its published JSON Schema."""

"""What requests may hold, by pydantic; the OpenAPI document is made of these."""

"""Generates the OpenAPI document, the Postman collection and the data actions; the service imports nothing of it."""

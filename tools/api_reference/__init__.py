"""Generates the OpenAPI document, the Postman collection and the data action's file from schemas, errors and samples.

The service serves the generated OpenAPI document and imports nothing from here.
"""

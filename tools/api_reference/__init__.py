"""What others build against: the OpenAPI document and its page, the Postman collection, the data action's file.

All of it is made from the schemas, the error kinds and the answers' own code, so that none of it can say otherwise.
"""

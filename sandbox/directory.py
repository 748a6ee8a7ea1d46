"""The queues and users of the sandbox's org, by their names."""

QUEUE = "77777777-7777-4777-8777-777777777777"
QUEUES = {"Support": QUEUE, "Support second line": "77777777-0000-4777-8777-777777777777"}
USER = "88888888-8888-4888-8888-888888888888"
USERS = {"Alice": USER, "Bob": "88888888-0000-4888-8888-888888888888"}
# The one who logs in where a user is demanded.
SERVICE_USER = {
    "id": "88888888-1111-4888-8888-888888888888",
    "name": "Cobrowse Service",
    "email": "cobrowse.service@sandbox.example",
}
ORGANIZATION = {"id": "aaaaaaaa-1111-4aaa-8aaa-aaaaaaaaaaaa", "name": "Sandbox"}

"""What /healthz and /readyz answer."""

from marshmallow import Schema, fields, validate


class HealthSchema(Schema):
    """The process is alive."""

    status = fields.String(required=True)


class ReadinessSchema(Schema):
    """Whether a session could be started now, and what each check has found."""

    status = fields.String(required=True, validate=validate.OneOf(("ok", "failing")))
    checks = fields.Dict(fields.String(), fields.String(), required=True)

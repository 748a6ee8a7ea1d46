"""A sender of an envelope, and what it reads of a body."""

import json

from integrations.senders.registry import load_senders
from integrations.senders.requests import UnverifiedRequest
from tests.payloads import HERE

C = "2f7bf00a-6a1e-4d4c-9d1c-0f4b7a1d2e33"
SOAP = 'conversation_id = "sObject.C__c"\n'


def row(envelope="custom", more=""):
    text = f'[senders.one]\nsignature = "bearer"\nsecrets = ["$S"]\nenvelope = "{envelope}"\n{more}'
    return load_senders(text, {"S": "0123456789abcdef"}).get("one")


def came(body, headers=None, kind="application/json"):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return UnverifiedRequest("POST", "/webhooks/one", "", {"content-type": kind, **(headers or {})}, raw, "192.0.2.7")


def read(body, envelope="custom", more="", **how):
    (event,) = row(envelope, more).parse_events(came(body, **how))
    return event


def payload(name):
    return json.loads((HERE / name).read_text())["body"]


def soap(
    notifications, shared="<SessionId>00Dxx!secret</SessionId><EnterpriseUrl>http://169.254.169.254/</EnterpriseUrl>"
):
    return (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
        f'<notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>00D</OrganizationId>{shared}{notifications}</notifications>'
        "</e:Body></e:Envelope>"
    ).encode()


def notification(number, inside=f"<f:C__c>{C}</f:C__c>"):
    return f'<Notification><Id>04l{number}</Id><sObject xmlns:f="urn:sobject">{inside}</sObject></Notification>'

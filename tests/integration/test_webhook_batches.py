"""Deliveries of several events at once: HubSpot's batches, Salesforce's outbound messages."""

import pytest

from sandbox.state import ABSENT, ENDED, VOICE, WEBCHAT
from tests.integration.deliveries import KEYS, RELAY, bridge, deliver, senders

__all__ = ["bridge", "deliver", "senders"]


def hubspot(*conversations):
    return [
        {
            "eventId": 1,
            "subscriptionId": 7,
            "portalId": 1,
            "appId": 1,
            "occurredAt": 1_700_000_000_000 + number,
            "subscriptionType": "contact.propertyChange",
            "attemptNumber": 0,
            "objectId": 100 + number,
            "propertyName": "genesys_conversation_id",
            "propertyValue": conversation,
            "sourceId": "userId:9",
        }
        for number, conversation in enumerate(conversations)
    ]


def test_a_batch_has_a_result_for_each_event_and_final_failures_do_not_bring_it_again(deliver, box):
    answer = deliver("hubspot", hubspot(WEBCHAT, ENDED, VOICE, "nonsense"))
    assert answer.status_code == 200
    results = answer.json["results"]
    assert [result["status"] for result in results] == ["initiated", "failed", "initiated", "failed"]
    assert [list(result) for result in results] == [KEYS] * 4
    assert answer.json["errorCode"] == "conversation_not_active"
    assert (box.invitations(WEBCHAT), box.invitations(VOICE)) == (1, 1)


def test_a_batch_of_a_hundred_fits_into_hubspots_patience(deliver, box):
    box.options.auto_create = True
    answer = deliver("hubspot", hubspot(*[f"{number:08d}-0000-4000-8000-000000000000" for number in range(100)]))
    assert answer.status_code == 200
    assert {result["status"] for result in answer.json["results"]} == {"initiated"}
    assert box.invitations() == 100


def test_a_batch_that_failed_whole_is_sent_again_only_if_that_helps(deliver, box):
    assert deliver("hubspot", hubspot(ENDED)).status_code == 200
    box.faults.add(operation="any", kind="status", status=429, retry_after=60, times="always")
    assert deliver("hubspot", [dict(hubspot(WEBCHAT)[0], objectId=999)]).status_code == 503


SOAP = """<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">
 <soapenv:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound">
  <OrganizationId>00D5g000004XyZaEAK</OrganizationId><ActionId>04k</ActionId>
  <Notification><Id>04l000000000001</Id><sObject xsi:type="sf:Case" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"
   xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><sf:Id>500</sf:Id>
   <sf:Genesys_Conversation_Id__c>{}</sf:Genesys_Conversation_Id__c></sObject></Notification>
 </notifications></soapenv:Body></soapenv:Envelope>"""


@pytest.mark.parametrize(("conversation", "ack"), [(WEBCHAT, b"true"), (ENDED, b"true")])
def test_a_salesforce_outbound_message_gets_the_ack_it_demands(deliver, conversation, ack):
    answer = deliver("salesforce-messages", SOAP.format(conversation).encode())
    assert (answer.status_code, answer.mimetype) == (200, "text/xml")
    assert b"<Ack>" + ack + b"</Ack>" in answer.data


def test_an_outbound_message_that_can_go_through_later_is_not_acknowledged(deliver, box):
    box.faults.add(operation="any", kind="status", status=429, retry_after=60, times="always")
    assert b"<Ack>false</Ack>" in deliver("salesforce-messages", SOAP.format(WEBCHAT).encode()).data


def test_a_batch_costs_a_sender_as_many_of_its_rate_as_it_has_events(service, box):
    rows = (
        '[senders.relay]\nsignature = "bearer"\nsecrets = ["$RELAY"]\nenvelope = "hubspot"\n'
        'conversation_id = "propertyValue"\nrate_limit = "5/minute"\n'
    )
    client = service(environ=RELAY, rows=rows).client
    headers = {"Authorization": f"Bearer {RELAY['RELAY']}"}

    def deliver(*conversations):
        return client.post("/webhooks/relay", json=hubspot(*conversations), headers=headers).status_code

    assert deliver(WEBCHAT, VOICE, ENDED) == 200
    assert deliver(ABSENT, ABSENT, ABSENT) == 503  # HubSpot's way
    assert not [call for call in box.calls() if call.conversation_id == ABSENT]

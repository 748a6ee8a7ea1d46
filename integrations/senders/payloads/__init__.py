"""What senders send: how events are read from the payload formats of chats and CRMs."""

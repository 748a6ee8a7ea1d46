"""A deterministic simulation of the service: the real initiation, flows, client and tokens in a world of one seed.

Everything runs on one thread. Each delivery is a greenlet in a worker process, each caller a greenlet outside; whoever
waits (for Genesys, the ledger, a lock, time) gives way to a scheduler that knows one integer and decides from it how
long everything takes, who goes first, and what goes wrong: workers that die or stand still at any wait, answers that
are lost, 429s, 5xx, revoked and expired tokens, a ledger that can't be reached or can't be heard, sessions that the
customer closes, conversations that end. The same seed gives the same trace, byte for byte.

    python -m tests.simulation --seeds 100000 --workers 2
    python -m tests.simulation --seed 4711                 the trace of one run
    python -m tests.simulation --mutants --workers 2       the first seed that shows each mutant

What is real: cobrowse.* and integrations.genesys.* behind its `connect`. What is simulated, and what it assumes:

- Genesys (genesys, wire). The effect of a call happens at one moment, inside the time that its sender gave it, whether
  or not the sender lives to hear of it; never after, as timeouts are cut from the deadline. A conversation shows a new
  session after a lag. After an answer that was lost or was an error, the effect shows at most SETTLED_AFTER seconds
  later: just less than the probe polls for (cobrowse.flow.PROBE_DELAYS). A POST of the native flow that takes longer
  than that to show can't be told from one that never arrived, by anybody, and would be sent again: this is the one
  assumption that exactly-once rests on. What has been shown once stays so.
- The native flow's lost answer holds the session's id. If the customer has closed that session before anybody looked,
  a second invitation is no violation; in the media flow, which knows its id, it is. Likewise a native probe may take
  another request's live session in the same conversation for its own: that invites nobody, and is accepted.
- The ledger (ledger) is the protocol's text in memory: each operation is a statement on its way, a commit at one
  moment, an answer on its way back; one that was sent may be committed though its sender has died. Its clock has an
  offset and runs up to 1 % fast or slow. `save_checkpoint` and `complete` check the holder and nothing else, the
  least that the protocol allows.
- A worker that dies takes all its threads with it, sends nothing more, and is back within 20 s with nothing in memory.
- Senders deliver until they are told something final; mischief has a budget, so there is an end to it.
- A person's "run again" is held to everything that a request is held to.
- An invitation whose call was answered with a success may stay unseen for up to 55 s, which is less than the service
  lets it stand (cobrowse.existing_session.UNSEEN_SECONDS), as long as that success is known to who is at work or to the
  ledger. A success that can't be read may be a gateway's, without any effect: then nobody is told that the session was
  seen.
- In some runs agents ring before they answer, customers leave while the conversation is open, and workers admit two
  initiations at a time.
- In some runs starts and ends of one conversation take turns, faster than any of it is done, with dry runs between
  them. A waiting request sees an end at once or, as across processes, by its next read.

The modules: scheduler (time, greenlets) · mischief (what goes wrong) · conversations, genesys, wire · rows, statements,
ledger · parts (clock, lock, token store) · service (workers, deliveries) · callers · mixture, back_and_forth (who asks
for what) · scenario (one seed) · evidence, invitations, answers, invariants (what must hold) · mutants, mutant_ledgers
(the product with a part taken out, which the invariants must notice) · stored (the same world on the statements of
integrations.ledger: `--stored`) · telling (the callbacks of a run).

A change of what a run draws gives every seed another run: `--mutants` says which seeds the mutants then need.
"""

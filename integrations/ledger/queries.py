"""Every statement of the ledger, once for both databases: `:name` is a parameter, {now} the database's clock."""

from integrations.ledger.columns import BY_CHECKPOINT, BY_COMMAND, Row

_CHECKPOINT = ", ".join(f"{name} = :{name}" for name in (*BY_CHECKPOINT, "secret"))
COLUMNS = ", ".join(Row._fields[:-1]) + ", lease_until - {now} AS lease_left"

# One atomic decision. A finished row stays as it is; no row comes back then, and the reason is read after.
# {serialise_clause}: a row has its `seq` only once the claims of its conversation that came before it can be read.
_CLAIMED = ("id", "lock_key", "settings", "lease_owner", *BY_COMMAND, *BY_CHECKPOINT, "secret")
CLAIM = """
INSERT INTO initiations ({claimed}, state, lease_until, created, updated)
SELECT {values}, 'running', {now} + :lease_seconds, {now}, {now}
{serialise_clause}
ON CONFLICT (lock_key) DO UPDATE SET
    state = 'running', lease_owner = excluded.lease_owner, lease_until = excluded.lease_until,
    attempts = initiations.attempts + 1, updated = excluded.updated
WHERE (
        (initiations.state = 'failed_retryable' AND NOT :keyless)
        OR (initiations.state = 'running' AND initiations.lease_until <= {now})
    )
    AND (:keyless OR initiations.fingerprint = excluded.fingerprint)
RETURNING id, seq, attempts, updated,
    (SELECT closed_until - {now} FROM budgets WHERE name = 'api'),
    (SELECT closed_until - {now} FROM budgets WHERE name = 'token')
""".replace("{claimed}", ", ".join(_CLAIMED)).replace("{values}", ", ".join(f":{name}" for name in _CLAIMED))

# A keyless row gives its lock key away when the next claim asks for it: at its end, each index would be written again.
RELEASE_LOCK = "UPDATE initiations SET lock_key = :released_lock_key WHERE id = :id AND state <> 'running'"

# Run after a claim, by its lock key, so that neither waits for the other's answer. Only those are waited for that were
# claimed before, so no two wait for each other; of two new rows the one with the smaller number was first. Ends come
# first: one that is claimed again is about to end what was started after its row was made.
PREVIOUS = """
SELECT {columns} FROM initiations, (
    SELECT seq AS won_seq, conversation_id AS won_conversation_id, attempts AS won_attempts
    FROM initiations WHERE lock_key = :lock_key AND lease_owner = :lease_owner) AS won
WHERE conversation_id = won_conversation_id AND conversation_id <> '' AND seq <> won_seq
    AND CASE WHEN state = 'running' AND lease_until > {now} THEN won_attempts > 1 OR seq < won_seq
        ELSE may_have_notified AND ended = 0 END
ORDER BY CASE WHEN state = 'running' AND lease_until > {now} THEN CASE action WHEN 'end' THEN 0 ELSE 1 END ELSE 2 END,
    seq DESC
"""

RECLAIM = """
UPDATE initiations SET
    state = 'running', lease_owner = :lease_owner, lease_until = {now} + :lease_seconds, attempts = attempts + 1,
    lock_key = CASE WHEN state <> 'running' AND substr(lock_key, 1, 4) <> 'key:' THEN :released_lock_key
        ELSE lock_key END,
    updated = {now}
WHERE id = :id
    AND (state IN ('failed_final', 'failed_retryable') OR (state = 'running' AND lease_until <= {now}))
RETURNING {columns}
"""

# What has an index stays as the claim wrote it, or SQLite would write each such page again at each step.
# An end that is noted is of what an earlier attempt started, and what is sent out now may start another.
SAVE_CHECKPOINT = """
UPDATE initiations SET
    {checkpoint}, ended = 0, updated = {now}
WHERE id = :id AND lease_owner = :lease_owner AND state = 'running' AND lease_until > {now}
""".replace("{checkpoint}", _CHECKPOINT)

# The outcome of the attempt before becomes a line of `earlier`; of many attempts the first ones and the last are kept.
COMPLETE = """
UPDATE initiations SET
    state = :state, lease_until = 0,
    earlier = CASE WHEN outcome = '' OR attempts > :kept_attempts THEN earlier
        ELSE earlier || :separator || outcome || :tab || spans END,
    outcome = :outcome, spans = :spans, error_code = :error_code,
    {checkpoint},
    upstream_calls = upstream_calls + :upstream_calls, updated = {now}
WHERE id = :id AND lease_owner = :lease_owner AND state = 'running'
""".replace("{checkpoint}", _CHECKPOINT)

# Its session was ended, or is over: from now on it is no live invitation. The first time is kept.
MARK_ENDED = "UPDATE initiations SET ended = {now} WHERE id = :id AND ended = 0"

# Whether a settle whose answer was lost had its effect.
COMPLETED = "SELECT seq FROM initiations WHERE id = :id AND lease_owner = :lease_owner AND state = :state"

BY_ID = "SELECT {columns} FROM initiations WHERE id = :id"
BY_LOCK_KEY = "SELECT {columns} FROM initiations WHERE lock_key = :lock_key"
LIVE_LEASE_OWNER = "SELECT lease_owner FROM initiations WHERE id = :id AND state = 'running' AND lease_until > {now}"

RECENT = "SELECT {columns} FROM initiations WHERE {conditions} ORDER BY seq DESC LIMIT :limit"
CONDITIONS = {
    "before_seq": "seq < :before_seq",
    "state": "state = :state",
    "sender": "sender = :sender",
    "credential": "credential = :credential",
    "action": "action = :action",
    "conversation_id": "conversation_id = :conversation_id",
    "key": "key <> '' AND key = :key",
    "correlation_id": "correlation_id = :correlation_id",
    "since": "created >= :since",
    "until": "created < :until",
    # A union, because one index each finds them; :beyond is the first text after all those that begin with :search.
    "search": """seq IN (
        SELECT seq FROM initiations WHERE id >= :search AND id < :beyond
        UNION SELECT seq FROM initiations WHERE conversation_id >= :search AND conversation_id < :beyond
        UNION SELECT seq FROM initiations WHERE key <> '' AND key >= :search AND key < :beyond
        UNION SELECT seq FROM initiations WHERE correlation_id >= :search AND correlation_id < :beyond
        UNION SELECT seq FROM initiations
            WHERE requested_by <> '' AND requested_by >= :search AND requested_by < :beyond
        UNION SELECT seq FROM initiations WHERE error_code <> '' AND error_code = :search
    )""",
    "seconds": "created >= {now} - :seconds",
}
SAMPLES = """
SELECT created, state, upstream_calls, outcome, spans FROM initiations WHERE {conditions}
ORDER BY created DESC, seq DESC LIMIT :limit
"""

# `updated` is asked again outside: a row claimed just now stays, and one that may have invited while that counts.
PURGE = """
DELETE FROM initiations WHERE updated < {now} - :retention AND seq IN (
    SELECT seq FROM initiations
    WHERE created < {now} - :retention
        AND updated < {now} - CASE WHEN may_have_notified THEN :invited_retention ELSE :retention END
        AND NOT (state = 'running' AND lease_until > {now})
    ORDER BY created LIMIT :batch
)
"""

# What a claim would do without being one: change a page, and find the newest row and a lock key.
# `checked` only grows, whatever the clock does, so that an older copy of the database shows.
PING = "UPDATE health SET checked = CASE WHEN checked < {now} THEN {now} ELSE checked + 0.001 END, filler = :filler"
LAST_CHECKED = "SELECT checked FROM health"
PING_READ = "SELECT seq FROM initiations WHERE lock_key = :filler OR seq = (SELECT max(seq) FROM initiations)"

# What follows every text that begins with a prefix.
BEYOND = "\U0010ffff"

# Refused requests: a minute's are one row, which holds the last one's words.
_REFUSAL = "sender, code, status, address, message, hint, correlation_id, count"
ADD_REFUSAL = """
INSERT INTO refusals (minute, first, last, sender, code, status, address, message, hint, correlation_id, count)
VALUES (
    :minute, :first, :last, :sender, :code, :status, :address, :message, :hint, :correlation_id, :count
)
ON CONFLICT (minute, sender, code, address) DO UPDATE SET
    count = refusals.count + excluded.count, last = excluded.last, message = excluded.message, hint = excluded.hint,
    correlation_id = excluded.correlation_id
"""
REFUSALS = """
SELECT first, last, {refusal} FROM refusals WHERE {conditions} ORDER BY last DESC LIMIT :limit
""".replace("{refusal}", _REFUSAL)
REFUSAL_CONDITIONS = {
    "refused_sender": "sender = :refused_sender",
    "refused_search": "("
    + " OR ".join(
        f"{name} >= :refused_search AND {name} < :beyond" for name in ("sender", "code", "address", "correlation_id")
    )
    + ")",
}
LAST_REFUSALS = """
SELECT first, last, {refusal}, total FROM (
    SELECT refusals.*, sum(count) OVER (PARTITION BY sender) AS total,
        row_number() OVER (PARTITION BY sender ORDER BY last DESC) AS place
    FROM refusals) AS ranked
WHERE place = 1
""".replace("{refusal}", _REFUSAL)
PRUNE_REFUSALS = """
DELETE FROM refusals WHERE last < {now} - :retention OR (minute, sender, code, address) IN (
    SELECT minute, sender, code, address FROM (
        SELECT minute, sender, code, address, row_number() OVER (PARTITION BY code ORDER BY last DESC) AS place
        FROM refusals) AS ranked
    WHERE place > :most
)
"""

# Deliveries: an hour's are one row. Workers write a second late, in any order: the newest one's outcome stays.
ADD_DELIVERIES = """
INSERT INTO deliveries (hour, sender, last, outcome, count) VALUES (:hour, :sender, :last, :outcome, :count)
ON CONFLICT (hour, sender) DO UPDATE SET
    count = deliveries.count + excluded.count,
    outcome = CASE WHEN excluded.last < deliveries.last THEN deliveries.outcome ELSE excluded.outcome END,
    last = CASE WHEN excluded.last < deliveries.last THEN deliveries.last ELSE excluded.last END
"""
LAST_DELIVERIES = """
SELECT last, sender, outcome, total FROM (
    SELECT deliveries.*, sum(count) OVER (PARTITION BY sender) AS total,
        row_number() OVER (PARTITION BY sender ORDER BY last DESC) AS place
    FROM deliveries) AS ranked
WHERE place = 1
"""
PRUNE_DELIVERIES = "DELETE FROM deliveries WHERE last < {now} - :retention"

# The budget of calls is used up for so long. What CLAIM returns of it saves a read.
CLOSE_BUDGET = """
INSERT INTO budgets (name, closed_until) VALUES (:name, {now} + :seconds)
ON CONFLICT (name) DO UPDATE SET closed_until = excluded.closed_until
"""

BUDGETS = "SELECT name, closed_until - {now} FROM budgets"

# Tokens: the newest of a name.
NEWEST = "SELECT value, expires - {now}, version FROM tokens WHERE name = :name"
PUT = """
INSERT INTO tokens (name, version, value, expires) VALUES (:name, 1, :value, {now} + :expires_in)
ON CONFLICT (name) DO UPDATE SET version = tokens.version + 1, value = excluded.value, expires = excluded.expires
RETURNING version
"""

# Leases by name.
ACQUIRE_LEASE = """
INSERT INTO leases (name, lease_owner, lease_until) VALUES (:name, :lease_owner, {now} + :lease_seconds)
ON CONFLICT (name) DO UPDATE SET lease_owner = excluded.lease_owner, lease_until = excluded.lease_until
WHERE leases.lease_owner = excluded.lease_owner OR leases.lease_until <= {now}
RETURNING name
"""
LEASE = "SELECT lease_owner, lease_until - {now} FROM leases WHERE name = :name AND lease_until > {now}"
RELEASE_LEASE = "UPDATE leases SET lease_until = 0 WHERE name = :name AND lease_owner = :lease_owner"

# Logins of a service user. A pair is replaced only by one that was fetched with it: a late process must not undo a
# newer login. A refusal leaves the version, so that a pair that was renewed and committed late still takes its place.
GRANT = """
SELECT secret, expires - {now}, lifetime, version, refused, account, org, logged_in
FROM grants WHERE name = :name AND secret <> ''
"""
LOG_IN = """
INSERT INTO grants (name, version, secret, expires, lifetime, refused, account, org, logged_in)
VALUES (:name, 1, :secret, {now} + :expires_in, :expires_in, '', :account, :org, {now})
ON CONFLICT (name) DO UPDATE SET
    version = grants.version + 1, secret = excluded.secret, expires = excluded.expires, lifetime = excluded.lifetime,
    refused = '', account = excluded.account, org = excluded.org, logged_in = excluded.logged_in
"""
# The row stays, so that its version goes on.
LOG_OUT = "UPDATE grants SET version = version + 1, secret = '' WHERE name = :name AND secret <> ''"
ROTATE = """
UPDATE grants SET version = version + 1, secret = :secret, expires = {now} + :expires_in, lifetime = :expires_in,
    refused = ''
WHERE name = :name AND version = :version
"""
REFUSE_GRANT = "UPDATE grants SET refused = :refused WHERE name = :name AND version = :version"

# Callbacks. An event holds its own outcome, since a retry goes on in the row. A commit that is run twice adds it once.
_ADD_CALLBACK = """
INSERT INTO callbacks (initiation_id, attempt, type, sender, action, key, outcome, created, at)
SELECT id, {attempt}, :type, sender, action, key, :outcome, {now}, {now} FROM initiations
WHERE id = :id AND {condition}
ON CONFLICT (initiation_id, attempt, type) DO NOTHING
"""
ADD_OUTCOME_CALLBACK = _ADD_CALLBACK.replace("{attempt}", "attempts").replace(
    "{condition}", "lease_owner = :lease_owner AND state = :state"
)
# Before MARK_ENDED. The attempt is the one that started the session: the next one's session has an end of its own.
ADD_ENDED_CALLBACK = _ADD_CALLBACK.replace("{attempt}", ":attempt").replace("{condition}", "ended = 0")

_CALLBACK = "initiation_id, attempt, type, sender, action, key, outcome, created, state, at, tries, answer"
# A later event waits for the earlier one. coalesce: by the state's index each would be looked for among all that wait.
DUE_CALLBACKS = """
SELECT {callback} FROM callbacks AS due
WHERE state = 'pending' AND at <= {now} AND NOT EXISTS (
    SELECT seq FROM callbacks AS earlier
    WHERE earlier.initiation_id = due.initiation_id AND earlier.seq < due.seq
        AND coalesce(earlier.state, '') = 'pending')
ORDER BY at, seq LIMIT :limit
""".replace("{callback}", _CALLBACK)
# Changes nothing. It is there to be committed: without a change PostgreSQL's commit waits for nothing.
CONFIRM_CALLBACK = """
UPDATE callbacks SET at = at
WHERE initiation_id = :initiation_id AND attempt = :attempt AND type = :type AND state = 'pending'
"""
CALLBACKS_OF = """
SELECT {callback} FROM callbacks WHERE initiation_id = :initiation_id ORDER BY seq
""".replace("{callback}", _CALLBACK)
UNDELIVERED_CALLBACKS = """
SELECT {callback} FROM callbacks WHERE state IN ('pending', 'given_up') ORDER BY at DESC LIMIT :limit
""".replace("{callback}", _CALLBACK)
MARK_CALLBACK = """
UPDATE callbacks SET state = :state, at = {now} + :wait, tries = tries + 1, answer = :answer
WHERE initiation_id = :initiation_id AND attempt = :attempt AND type = :type AND state = 'pending'
"""
RESEND_CALLBACK = """
UPDATE callbacks SET state = 'pending', at = {now}, tries = 0
WHERE initiation_id = :initiation_id AND attempt = :attempt AND type = :type
"""
RESEND_CALLBACKS = """
UPDATE callbacks SET state = 'pending', at = {now}, tries = 0 WHERE seq IN (
    SELECT seq FROM callbacks WHERE state = 'given_up' OR state = 'pending' AND at > {now} LIMIT :batch)
"""
CALLBACK_BACKLOG = "SELECT count(*), coalesce({now} - min(created), 0) FROM callbacks WHERE state = 'pending'"
# Kept for as long as any initiation of their time. One that nobody has tried to send for so long is for nobody.
PURGE_CALLBACKS = """
DELETE FROM callbacks WHERE seq IN (
    SELECT seq FROM callbacks
    WHERE state IN ('delivered', 'given_up') AND at < {now} - :invited_retention
        OR state = 'pending' AND at < {now} - :untried
    LIMIT :batch
)
"""

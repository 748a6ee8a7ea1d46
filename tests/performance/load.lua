-- What wrk sends and counts: wrk -s load.lua URL -- MODE KEY SEED RAMP_MS CONNECTIONS
--
-- fresh    a data action for a new conversation each time; it names its channel, as a flow does, so three calls start it
-- keyed    the same, with an Idempotency-Key of its own
-- repeat   one of 200 data actions with their keys, over and over
-- ignored  an event of a topic that starts no session, each with an id of its own
--
-- Connections begin spread over RAMP_MS. After a 503 one connection pauses for the Retry-After that came with it; wrk
-- does not say which connection asks for its delay, so the pause may fall on another one: the load is the same.

local KNOWN = 200
local thread

function setup(created)
  thread = created
end

function init(args)
  mode, ramp_ms, starting = args[1], tonumber(args[4]), tonumber(args[5])
  seed, number = tonumber(args[3]), 0
  good, refused, failed, pauses = 0, 0, 0, {}
  headers = { ["Content-Type"] = "application/json", ["X-Api-Key"] = args[2], ["Prefer"] = "status" }
  math.randomseed(seed)
end

local function numbered_id(n)
  return string.format("%08x-0000-4000-8000-%012x", n, seed)
end

function request()
  number = number + 1
  local id = numbered_id(mode == "repeat" and number % KNOWN or number)
  if mode == "ignored" then
    local event = '{"version":"0","id":"%s","detail-type":"v2.detail.events.conversation.{id}.customer.start",' ..
      '"source":"aws.partner/genesys.com/cloud/1/bridge","time":"2026-11-24T09:00:45Z","detail":{"topicName":' ..
      '"v2.detail.events.conversation.%s.customer.start","eventBody":{"conversationId":"%s","mediaType":"CHAT"}}}'
    return wrk.format("POST", nil, headers, event:format(id, id, id))
  end
  headers["Idempotency-Key"] = mode ~= "fresh" and "bench-" .. id or nil
  return wrk.format("POST", nil, headers, '{"conversationId":"' .. id .. '","channel":"webchat"}')
end

function response(status, answered, body)
  if status == 503 and answered["Retry-After"] then
    refused = refused + 1
    pauses[#pauses + 1] = 1000 * tonumber(answered["Retry-After"])
  elseif status == 200 and (body:find('"verified":true', 1, true) or body:find('"status":"ignored"', 1, true)) then
    good = good + 1
  else
    failed = failed + 1
    sample = status .. " " .. body:sub(1, 200)
  end
end

function delay()
  if starting > 0 then
    starting = starting - 1
    return math.random(0, ramp_ms)
  end
  return table.remove(pauses) or 0
end

function done(summary, latency, _)
  local broken = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format(
    'RESULT {"good":%d,"refused":%d,"failed":%d,"broken":%d,"seconds":%.3f,"p50_ms":%.3f,"p99_ms":%.3f}\n',
    thread:get("good"), thread:get("refused"), thread:get("failed"), broken, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
  local seen = thread:get("sample")
  if seen then io.write("SAMPLE " .. seen .. "\n") end
end

-- Sends prepared requests in turn: lines of METHOD, PATH, If-Match and BODY, parted by tabs.
-- wrk … -s load.lua URL -- FILE TOKEN MEAN_DELAY
-- With MEAN_DELAY (ms) a connection waits so long between an answer and its next request, by an exponential law: the
-- requests of many connections then arrive as those of strangers do. Prints one line of JSON at the end.

local prepared, following, mean = {}, 0, 0

function init(arguments)
  mean = tonumber(arguments[3])
  math.randomseed(os.time())
  for line in io.lines(arguments[1]) do
    local method, path, tag, body = line:match("^(.-)\t(.-)\t(.-)\t(.*)$")
    local headers = {}
    if arguments[2] ~= "" then headers["Authorization"] = "Bearer " .. arguments[2] end
    if tag ~= "" then headers["If-Match"] = tag end
    if body ~= "" then headers["Content-Type"] = "application/json" end
    prepared[#prepared + 1] = wrk.format(method, path, headers, body ~= "" and body or nil)
  end
  if mean == 0 then delay = nil end
end

function request()
  following = following % #prepared + 1
  return prepared[following]
end

function delay()
  return math.floor(-mean * math.log(1 - math.random()) + 0.5)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"mean":%.1f,"wrong":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.mean,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout
  ))
end

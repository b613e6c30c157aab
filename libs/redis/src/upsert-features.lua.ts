// The scripts that Redis runs for the feature writer. A script runs alone: what it compares is still so when it
// writes. TypeScript text and no .lua file, so that tsc alone builds.

/*
 * The two that write begin with this guard. KEYS[1] is the marker's hash, KEYS[2] its list of failed keys. ARGV: 1, 2 the expected
 * generation and offset (both '' for none), 3 this writer's generation, 4 the marker's next offset,
 * 5 '1' when the marker is to be replaced since the writer stands at the beginning of the log.
 */
const MARKER_GUARD = `
local marker = redis.pcall('HMGET', KEYS[1], 'generation', 'offset', 'written', 'superseded', 'failed')
if marker.err then return {'error', marker.err} end
if (marker[1] or '') ~= ARGV[1] or (marker[2] or '') ~= ARGV[2] then return {'moved'} end
`;

/*
 * ARGV after the guard's: 6 ms a retraction is remembered, 7 failed keys listed at most; then per item: kind ('write',
 * 'delete', 'reserved', 'expired'), '1' when it counts, owner, revision, '1' when only the newest window is held,
 * window start and end ('' for none), upload, updated at, ms to live ('' for ever), number of field texts, the fields
 * with their values, number of fields to remove, those. KEYS from 3: per item the feature's key and its gone key.
 * Answers {'written', one status letter per item, written, superseded, failed}.
 */
export const UPSERT_FEATURES_LUA = `${MARKER_GUARD}
local generation, goneMs, listedMax = ARGV[3], ARGV[6], tonumber(ARGV[7])

-- Numbers as text: offsets may be beyond what a double holds exactly.
local function compare(a, b)
  if #a ~= #b then return #a < #b and -1 or 1 end
  if a == b then return 0 end
  return a < b and -1 or 1
end

local function isNewer(storedGeneration, storedRevision, revision)
  if not string.find(storedGeneration, '^%d+$') or not string.find(storedRevision, '^%d+$') then return false end
  local byGeneration = compare(storedGeneration, generation)
  if byGeneration ~= 0 then return byGeneration > 0 end
  return compare(storedRevision, revision) > 0
end

-- A retraction takes away its own window only (a session's end is unknown to it), a write gives way to a newer one.
local function keepsItsWindow(storedStart, storedEnd, item)
  storedStart, storedEnd = tonumber(storedStart), tonumber(storedEnd)
  if not storedStart or not storedEnd then return false end
  local startMs, endMs = tonumber(item.startMs), tonumber(item.endMs)
  if item.kind == 'delete' then return startMs ~= nil and storedStart ~= startMs end
  if storedEnd ~= endMs then return storedEnd > endMs end
  return storedStart > startMs
end

-- A key of another type is that key's own failure; any other error ends the script.
local function failure(reply)
  if string.find(reply.err, 'WRONGTYPE', 1, true) then return 't' end
  return nil, reply.err
end

local function errorIn(reply)
  return type(reply) == 'table' and reply.err or nil
end

-- A letter when the item may not be written, else nil, the error or nil, and what is stored.
local function refused(key, goneKey, item)
  local stored = redis.pcall('HMGET', key, '_view', '_generation', '_revision', '_window_start', '_window_end')
  if stored.err then return failure(stored) end
  if stored[1] and stored[1] ~= item.owner then return 'f' end
  if stored[1] and stored[2] and stored[3] then
    if isNewer(stored[2], stored[3], item.revision) then return 's' end
    if item.newestOnly and keepsItsWindow(stored[4], stored[5], item) then return 's' end
    return nil, nil, stored
  end
  -- Only where no hash of ours stands can a retraction be the newest that is known.
  local gone = redis.pcall('GET', goneKey)
  if errorIn(gone) then return failure(gone) end
  if gone then
    local goneGeneration, goneRevision = string.match(gone, '^(%d+) (%d+)$')
    if goneGeneration and isNewer(goneGeneration, goneRevision, item.revision) then return 's' end
  end
  return nil, nil, stored
end

-- The revision first: were it refused (OOM), the hash would still be there for the repeat.
local function retract(key, goneKey, item)
  local remembered = redis.pcall('SET', goneKey, generation .. ' ' .. item.revision, 'PX', goneMs)
  if errorIn(remembered) then return nil, remembered.err end
  local deleted = redis.pcall('DEL', key)
  if errorIn(deleted) then return nil, deleted.err end
  return 'w'
end

local function write(key, item, stored)
  local fields = {'_view', item.owner, '_generation', generation, '_revision', item.revision,
    '_updated_at', item.updatedAt, '_upload', item.upload}
  if item.startMs ~= '' then
    for _, text in ipairs({'_window_start', item.startMs, '_window_end', item.endMs}) do fields[#fields + 1] = text end
  end
  for at = item.fieldsFrom, item.fieldsTo do fields[#fields + 1] = ARGV[at] end
  -- In pieces: Lua's stack holds some 8,000 values.
  for from = 1, #fields, 2000 do
    local reply = redis.pcall('HSET', key, unpack(fields, from, math.min(from + 1999, #fields)))
    if errorIn(reply) then return nil, reply.err end
  end
  local drops = {}
  for at = item.dropsFrom, item.dropsTo do drops[#drops + 1] = ARGV[at] end
  if item.startMs == '' and stored[5] then
    drops[#drops + 1] = '_window_start'
    drops[#drops + 1] = '_window_end'
  end
  for from = 1, #drops, 2000 do
    local reply = redis.pcall('HDEL', key, unpack(drops, from, math.min(from + 1999, #drops)))
    if errorIn(reply) then return nil, reply.err end
  end
  local reply
  if item.remainingMs == '' then reply = redis.pcall('PERSIST', key)
  else reply = redis.pcall('PEXPIRE', key, item.remainingMs) end
  if errorIn(reply) then return nil, reply.err end
  return 'w'
end

local function apply(key, goneKey, item)
  if item.kind == 'reserved' then return 'r' end
  if item.kind == 'expired' then return 'e' end
  local letter, err, stored = refused(key, goneKey, item)
  if letter or err then return letter, err end
  if item.kind == 'delete' then return retract(key, goneKey, item) end
  return write(key, item, stored)
end

local at = 8
local function readItem()
  local item = {kind = ARGV[at], counts = ARGV[at + 1] == '1', owner = ARGV[at + 2], revision = ARGV[at + 3],
    newestOnly = ARGV[at + 4] == '1', startMs = ARGV[at + 5], endMs = ARGV[at + 6], upload = ARGV[at + 7],
    updatedAt = ARGV[at + 8], remainingMs = ARGV[at + 9]}
  item.fieldsFrom = at + 11
  item.fieldsTo = at + 10 + tonumber(ARGV[at + 10])
  item.dropsFrom = item.fieldsTo + 2
  item.dropsTo = item.fieldsTo + 1 + tonumber(ARGV[item.fieldsTo + 1])
  at = item.dropsTo + 1
  return item
end

local counts = {w = tonumber(marker[3]) or 0, s = tonumber(marker[4]) or 0, f = tonumber(marker[5]) or 0}
local restarts = ARGV[5] == '1'
if restarts then counts = {w = 0, s = 0, f = 0} end
local letters, failedKeys = {}, {}
for key = 3, #KEYS, 2 do
  local item = readItem()
  local letter, err = apply(KEYS[key], KEYS[key + 1], item)
  if err then return {'error', err} end
  letters[#letters + 1] = letter
  if item.counts then
    if letter == 'w' or letter == 's' then counts[letter] = counts[letter] + 1
    elseif letter ~= 'e' then
      counts.f = counts.f + 1
      if #failedKeys < listedMax then failedKeys[#failedKeys + 1] = KEYS[key] end
    end
  end
end

local moved = redis.pcall('HSET', KEYS[1], 'generation', generation, 'offset', ARGV[4],
  'written', counts.w, 'superseded', counts.s, 'failed', counts.f)
if errorIn(moved) then return {'error', moved.err} end
if restarts then redis.call('DEL', KEYS[2]) end
for _, key in ipairs(failedKeys) do
  local listed = redis.call('LRANGE', KEYS[2], 0, -1)
  local known = #listed >= listedMax
  for _, other in ipairs(listed) do known = known or other == key end
  if not known then redis.call('RPUSH', KEYS[2], key) end
end
return {'written', table.concat(letters), counts.w, counts.s, counts.f}
`;

/** Answers {'passed'}: the marker stands behind the end-of-upload record, its counts are 0 and its list is gone. */
export const PASS_END_OF_UPLOAD_LUA = `${MARKER_GUARD}
local reply = redis.pcall('HSET', KEYS[1], 'generation', ARGV[3], 'offset', ARGV[4],
  'written', 0, 'superseded', 0, 'failed', 0)
if type(reply) == 'table' and reply.err then return {'error', reply.err} end
redis.call('DEL', KEYS[2])
return {'passed'}
`;

/*
 * Answers {'marker', {generation, offset, written, superseded, failed}, failed keys}, as of one moment. A
 * script and no MULTI: a Redis without memory refuses even reads inside a MULTI.
 */
export const READ_MARKER_LUA = `
local marker = redis.pcall('HMGET', KEYS[1], 'generation', 'offset', 'written', 'superseded', 'failed')
if marker.err then return {'error', marker.err} end
local failed = redis.pcall('LRANGE', KEYS[2], 0, -1)
if failed.err then return {'error', failed.err} end
return {'marker', marker, failed}
`;

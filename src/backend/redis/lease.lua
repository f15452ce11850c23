-- One limit, and what an ask does to it: the ledger of src/algo/ledger.c, step by step, in the whole numbers that a double holds.
--
-- A limit is a hash. Field "@" is the ledger, each of 32 hexadecimal digits a session of that name. Values are little-endian 64-bit integers, then
-- text; what stands behind what is known here, and in other fields, was written by a newer library, and is kept. Times are microseconds, of the server's
-- clock or of the limit's own (clk). The level is `whole` permits and `part` of `q x g` of one more, 0 <= part < q x g; the rate is p / q permits per microsecond.
--
-- Most asks read the ledger and the session that asks, no other: how many sessions there are, how many of them are active, and hungry, stands in the ledger. All are
-- read when their leases may be over, when the clock by which they are counted makes a step, and for what concerns all of them.
--
-- Nothing is written before everything is decided, and the first write is the one that can fail.
-- The line that sets `now`, `run` and `identity` comes before this text.

local FORMAT, ROOM, SUMS = 1, 1024, 2 ^ 52
local LONGEST = 315360000000000 -- ten years: no more time than that counts, or is told
local LEDGER = '<i8i8i8i8i8i8i8i8i8i8i8i8i8i8i8i8i8i8i8i8i8i8i8i8i8i8c16c32c80'
local LEDGER_BYTES = 26 * 8 + 16 + 32 + 80
local SESSION = '<i8i8i8i8i8i8i8i8'
local NAME_BYTES = 32
local NOBODY = string.rep('0', 32)

local min, max, floor, fmod = math.min, math.max, math.floor, math.fmod
local key, verb, id = KEYS[1], ARGV[1], ARGV[2] or ''
local l, sessions, gone = nil, {}, {} -- of the sessions, those that were read and are there
local all = false                     -- were read

local function ceil_div(a, b) return floor((a + b - 1) / b) end

-- Quotient and remainder of (a + x y) / d, exactly, for 0 <= a < d.
local function divide(a, x, y, d)
  local sum = a + x * y
  if sum < 9007199254740992 then
    local r = fmod(sum, d)
    return (sum - r) / d, r
  end
  local xr = fmod(x, d)
  local xq, q, r, bit = (x - xr) / d, 0, 0, 1
  while bit <= y do bit = bit * 2 end
  while bit >= 1 do
    q, r = q * 2, r * 2
    if r >= d then q, r = q + 1, r - d end
    if y >= bit then
      y, q, r = y - bit, q + xq, r + xr
      if r >= d then q, r = q + 1, r - d end
    end
    bit = bit / 2
  end
  r = r + a
  if r >= d then q, r = q + 1, r - d end
  return q, r
end

-- ---- reading and writing ----

local function read_ledger(text)
  local format, p, q, g, burst, ttl, version, longest, shortest, time, clk, quarantine, whole, part, out, granted, used,
        back, expired, head_need, head_until, count, first, counted, active, hungry, rate, head, run, at = struct.unpack(LEDGER, text)
  return {format = format, p = p, q = q, g = g, burst = burst, ttl = ttl, version = version, longest = longest,
          shortest = shortest, time = time, clk = clk, quarantine = quarantine, whole = whole, part = part, out = out,
          granted = granted, used = used, back = back, expired = expired, head_need = head_need,
          head_until = head_until, count = count, first = first, counted = counted, active = active, hungry = hungry,
          rate = rate, head = head, run = run, more = string.sub(text, at)}
end

local function ledger_text()
  return struct.pack(LEDGER, FORMAT, l.p, l.q, l.g, l.burst, l.ttl, l.version, l.longest, l.shortest, l.time, l.clk,
                     l.quarantine, l.whole, l.part, l.out, l.granted, l.used, l.back, l.expired, l.head_need,
                     l.head_until, l.count, l.first, l.counted, l.active, l.hungry, l.rate, l.head, l.run) .. l.more
end

local function read_session(text)
  local seq, granted, used, back, renewed, expires, wanted, short, at = struct.unpack(SESSION, text)
  return {seq = seq, granted = granted, used = used, back = back, renewed = renewed, expires = expires,
          wanted = wanted, short = short, more = string.sub(text, at)}
end

local function session_text(s)
  return struct.pack(SESSION, s.seq, s.granted, s.used, s.back, s.renewed, s.expires, s.wanted, s.short) .. s.more
end

local function read_all()
  if all then return end
  all = true
  local fields = redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    local name = fields[i]
    if #name == NAME_BYTES and not sessions[name] then sessions[name] = read_session(fields[i + 1]) end
  end
end

local function out_of(s) return s.granted - s.used - s.back end

-- ---- the level ----

local function ceiling() return l.burst - l.out end

local function clip()
  if l.whole >= ceiling() then l.whole, l.part = ceiling(), 0 end
end

local function refill(us)
  us = min(us, LONGEST)
  if us * l.p / l.q >= ceiling() - l.whole + 1 then
    l.whole, l.part = ceiling(), 0
    return
  end
  local rest = fmod(l.part, l.g)
  local whole, part = divide((l.part - rest) / l.g, l.p, us, l.q)
  l.whole, l.part = l.whole + whole, part * l.g + rest
  clip()
end

local function step() return floor(l.shortest / 4) end
local function margin(ttl) return ttl + 2 * step() + ceil_div(ttl, 4) end
local function in_quarantine() return l.clk <= l.quarantine end

-- ---- sessions ----

local function remove(name)
  sessions[name] = nil
  gone[#gone + 1] = name
  l.count = l.count - 1
end

local function expire(name)
  local out = out_of(sessions[name])
  l.out, l.expired = l.out - out, (l.expired + out) % SUMS
  remove(name)
end

local function take_back(s, back)
  s.back, l.back, l.out, l.whole = s.back + back, (l.back + back) % SUMS, l.out - back, l.whole + back
  clip()
end

local function report(s, used, back)
  local more = max(0, min(used - s.used, out_of(s)))
  s.used, l.used, l.out = s.used + more, (l.used + more) % SUMS, l.out - more
  take_back(s, max(0, min(back - s.back, out_of(s))))
end

-- ---- who is counted ----

-- Adds a session to what is counted, or takes it out: those who wanted something lately, or hold something; those who got less than they wanted.
local function count(s, by)
  if out_of(s) ~= 0 or (s.wanted ~= 0 and s.wanted + 2 * l.ttl >= l.counted) then l.active = l.active + by end
  if s.short ~= 0 and s.short + floor(l.ttl / 8) >= l.counted then l.hungry = l.hungry + by end
  l.first = min(l.first, s.expires)
end

-- "Lately" goes by a clock that makes steps. `first`: before that no lease is over.
local function count_all()
  local counted = l.clk - fmod(l.clk, floor(l.ttl / 16))
  if not all and counted == l.counted then return end
  read_all()
  l.counted, l.active, l.hungry, l.first = counted, 0, 0, SUMS
  for _, s in pairs(sessions) do count(s, 1) end
end

-- ---- time ----

local function quarantine()
  read_all()
  for name in pairs(sessions) do expire(name) end
  if l.whole >= 0 then l.whole, l.part = 0, 0 end
  l.run, l.time, l.head_need = run, now, 0
  l.quarantine = l.clk + margin(l.longest)
end

local function catch_up(seen, since)
  local by = seen + min(since, LONGEST) - l.clk
  if seen == 0 or seen > l.clk or by <= 0 then return end
  read_all()
  for _, s in pairs(sessions) do
    if s.renewed >= seen then s.expires, s.dirty = s.expires + by, true end
  end
  l.clk = l.clk + by
end

local function first_over()
  if l.first >= l.clk then return nil end
  read_all()
  local first, ends
  for name, s in pairs(sessions) do
    if s.expires < l.clk and (not ends or s.expires < ends) then first, ends = name, s.expires end
  end
  return first, ends
end

local function pass_time(seen, since)
  local dt, at, refills = max(0, now - l.time), l.clk, not in_quarantine()
  l.time, l.clk = now, l.clk + min(dt, step())
  catch_up(seen, since)
  local over, ends = first_over()
  while over do
    local before = min(dt, max(at, ends) - at)
    if refills then refill(before) end
    dt, at = dt - before, max(at, ends)
    expire(over)
    over, ends = first_over()
  end
  if refills then refill(dt) end
  clip()
end

-- ---- lending ----

local function saved_for_another() return l.head_need ~= 0 and l.clk <= l.head_until and l.head ~= id end

-- The counts are of the others.
local function lendable(s, want, need)
  local there = in_quarantine() and 0 or l.whole
  if saved_for_another() then there = there - l.head_need end
  if there <= 0 then return 0 end
  local cap = max(1, floor(2 * l.burst / (l.active + 1)), need)
  local part = max(ceil_div(there, l.hungry + 1), need)
  local grant = min(want, there, max(0, cap - out_of(s)), part)
  return grant < need and 0 or grant
end

local function save(need, grant)
  if grant ~= 0 or need <= 1 then
    if l.head == id then l.head_need = 0 end
  elseif not saved_for_another() and need <= l.burst then
    l.head, l.head_need, l.head_until = id, need, l.clk + floor(l.ttl / 8)
  end
end

local function lend(s, want, need)
  local grant = lendable(s, want, need)
  save(need, grant)
  l.whole, l.out, l.granted = l.whole - grant, l.out + grant, (l.granted + grant) % SUMS
  s.granted, s.short = s.granted + grant, grant < want and l.clk or 0
  return grant
end

local function retry_after(need)
  if in_quarantine() then return l.quarantine - l.clk + 1 end
  local missing = need - l.whole - l.part / (l.q * l.g)
  return max(1, min(math.ceil(missing * l.q / l.p), LONGEST))
end

-- ---- what is there ----

local found = redis.call('HMGET', key, '@', id)
if found[1] then
  if #found[1] >= LEDGER_BYTES then l = read_ledger(found[1]) end
  if not l or l.format < FORMAT then return redis.error_reply('FLOWCTL_FOREIGN the key holds something else') end
  if l.format > FORMAT then return redis.error_reply('FLOWCTL_NEWER the limit was written by a newer library') end
  if found[2] then sessions[id] = read_session(found[2]) end
elseif redis.call('EXISTS', key) == 1 then
  return redis.error_reply('FLOWCTL_FOREIGN the key holds something else')
end

if verb == 'inspect' then
  if not l then return {} end
  read_all()
  local list, members = {}, sessions
  sessions = {} -- none ends by looking
  pass_time(0, 0)
  for name, s in pairs(members) do
    list[#list + 1] = {name, s.seq, s.granted, s.used, s.back, max(0, s.expires - l.clk),
                       (s.wanted ~= 0 and s.wanted + 2 * l.ttl >= l.clk) and 1 or 0, struct.unpack('Bc0', s.more)}
  end
  return {l.rate, l.burst, l.ttl, l.version, l.whole, l.out, l.granted, l.used, l.back, l.expired,
          in_quarantine() and l.quarantine - l.clk + 1 or 0, l.clk, list}
end

-- ---- an ask ----

local name, leaves, seq, want, need = ARGV[3], ARGV[4] == '1', tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local used, back, seen_identity, seen, since = tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10], tonumber(ARGV[11]), tonumber(ARGV[12])
local version = tonumber(ARGV[19])

local function terms()
  return {rate = ARGV[13], p = tonumber(ARGV[14]), q = tonumber(ARGV[15]), g = tonumber(ARGV[16]),
          burst = tonumber(ARGV[17]), ttl = tonumber(ARGV[18]), version = version}
end

local function begin()
  l, all = terms(), true
  l.longest, l.shortest, l.time, l.clk, l.run, l.head, l.more = l.ttl, l.ttl, now, 1, run, NOBODY, ''
  for _, field in ipairs {'whole', 'part', 'out', 'granted', 'used', 'back', 'expired', 'head_need', 'head_until',
                          'count', 'first', 'counted', 'active', 'hungry'} do l[field] = 0 end
  l.quarantine = l.clk + margin(l.longest)
end

local function adopt()
  local new, _ = terms()
  read_all()
  l.part, _ = divide(0, l.part, new.q * new.g, l.q * l.g)
  if in_quarantine() and new.ttl > l.longest then l.quarantine = l.quarantine + margin(new.ttl) - margin(l.longest) end
  for field, value in pairs(new) do l[field] = value end
  l.longest, l.shortest = max(l.longest, l.ttl), min(l.shortest, l.ttl)
  clip()
end

-- nil: nobody's that is known; and whether the session is dead.
local function whose()
  local s = sessions[id]
  if not s then return nil, seq > 1 end
  if (seen_identity ~= '0' and seen_identity ~= identity) or used > s.granted or back > s.granted - used or s.granted > SUMS then
    return nil, true
  end
  return s, false
end

if not l then begin() end
if l.run ~= run then quarantine() end
if whose() then pass_time(seen, since) else pass_time(0, 0) end
if version > l.version then adopt() end
count_all()
local s, dead = whose()
local grant, granted, retry = 0, 0, 0
if s then
  count(s, -1)
elseif not dead then
  if l.count >= ROOM then return redis.error_reply('FLOWCTL_FULL the limit has as many sessions as it can') end
  s = {seq = 0, granted = 0, used = 0, back = 0, renewed = 0, expires = 0, wanted = 0, short = 0,
       more = struct.pack('Bc0', #name, name)}
  sessions[id], l.count = s, l.count + 1
end
if s then
  report(s, used, back)
  if seq > s.seq then
    s.seq, s.renewed, s.expires = seq, l.clk, max(s.expires, l.clk + margin(l.ttl))
    if want ~= 0 then
      need = max(1, need)
      s.wanted = l.clk
      grant = lend(s, want, need)
      if grant == 0 then retry = retry_after(need) end
    end
  end
  granted, s.dirty = s.granted, true
  if leaves then
    take_back(s, out_of(s))
    if l.head == id then l.head_need = 0 end
    remove(id)
  else
    count(s, 1)
  end
end

local fields = {'@', ledger_text()}
for name, each in pairs(sessions) do
  if each.dirty then fields[#fields + 1], fields[#fields + 2] = name, session_text(each) end
end
redis.call('HSET', key, unpack(fields))
for i = 1, #gone do
  if not sessions[gone[i]] then redis.call('HDEL', key, gone[i]) end
end
if all then
  local keep = max(86400000, l.longest / 100, 2 * l.burst * l.q / l.p / 1000)
  redis.call('PEXPIRE', key, floor(min(keep, 315360000000)))
end

return {dead and 1 or 0, grant, granted, dead and 0 or l.ttl, retry, in_quarantine() and l.quarantine - l.clk + 1 or 0,
        (s and saved_for_another()) and 1 or 0, l.active, l.clk, identity, l.rate, l.burst, l.ttl, l.version,
        id, seq}

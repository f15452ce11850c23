-- One limit, and what an ask does to it: the ledger of src/algo/ledger.c, step by step, in the whole numbers that a double holds.
--
-- A limit is a hash. Field "@" is the ledger, each of 32 hexadecimal digits a session of that name. Values are little-endian 64-bit integers, then
-- text; what stands behind what is known here, and in other fields, was written by a newer library, and is kept. Times are microseconds, of the server's clock or of the limit's
-- own (clk). The level is `whole` permits and `part` of `q x g` of one more, 0 <= part < q x g; the rate is p / q permits per microsecond.
--
-- Nothing is written before everything is decided, and the first write is the one that can fail.
-- The line that sets `now`, `run` and `identity` comes before this text.

local FORMAT, ROOM, SUMS = 1, 1024, 2 ^ 52
local LONGEST = 315360000000000 -- ten years: no more time than that counts, or is told
local LEDGER = '<i8i8i8i8i8i8i8i8i8i8i8i8i8i8i8i8i8i8i8i8i8c16c32c80'
local LEDGER_BYTES = 21 * 8 + 16 + 32 + 80
local SESSION = '<i8i8i8i8i8i8i8i8'
local NAME_BYTES = 32
local NOBODY = string.rep('0', 32)

local min, max, floor, fmod = math.min, math.max, math.floor, math.fmod
local key, verb = KEYS[1], ARGV[1]
local l, sessions, count, gone = nil, {}, 0, {}

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
  local v = {struct.unpack(LEDGER, text)}
  return {p = v[2], q = v[3], g = v[4], burst = v[5], ttl = v[6], version = v[7], longest = v[8], shortest = v[9],
          time = v[10], clk = v[11], quarantine = v[12], whole = v[13], part = v[14], out = v[15], granted = v[16],
          used = v[17], back = v[18], expired = v[19], head_need = v[20], head_until = v[21], rate = v[22],
          head = v[23], run = v[24], more = string.sub(text, v[25])}
end

local function ledger_text()
  return struct.pack(LEDGER, FORMAT, l.p, l.q, l.g, l.burst, l.ttl, l.version, l.longest, l.shortest, l.time, l.clk,
                     l.quarantine, l.whole, l.part, l.out, l.granted, l.used, l.back, l.expired, l.head_need,
                     l.head_until, l.rate, l.head, l.run) .. l.more
end

local function read_session(text)
  local s, at = {}, nil
  s.seq, s.granted, s.used, s.back, s.renewed, s.expires, s.wanted, s.short, at = struct.unpack(SESSION, text)
  s.more = string.sub(text, at)
  return s
end

local function session_text(s)
  return struct.pack(SESSION, s.seq, s.granted, s.used, s.back, s.renewed, s.expires, s.wanted, s.short) .. s.more
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

local function remove(id)
  sessions[id] = nil
  gone[#gone + 1] = id
  count = count - 1
end

local function expire(id)
  local out = out_of(sessions[id])
  l.out, l.expired = l.out - out, (l.expired + out) % SUMS
  remove(id)
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

local function active()
  local n = 0
  for _, s in pairs(sessions) do
    if out_of(s) ~= 0 or (s.wanted ~= 0 and s.wanted + 2 * l.ttl >= l.clk) then n = n + 1 end
  end
  return n
end

local function hungry(self)
  local n = 1
  for _, s in pairs(sessions) do
    if s ~= self and s.short ~= 0 and s.short + floor(l.ttl / 8) >= l.clk then n = n + 1 end
  end
  return n
end

-- ---- time ----

local function quarantine()
  for id in pairs(sessions) do expire(id) end
  if l.whole >= 0 then l.whole, l.part = 0, 0 end
  l.run, l.time, l.head_need = run, now, 0
  l.quarantine = l.clk + margin(l.longest)
end

local function catch_up(seen, since)
  local by = seen + min(since, LONGEST) - l.clk
  if seen == 0 or seen > l.clk or by <= 0 then return end
  for _, s in pairs(sessions) do
    if s.renewed >= seen then s.expires, s.dirty = s.expires + by, true end
  end
  l.clk = l.clk + by
end

local function first_over()
  local first, ends
  for id, s in pairs(sessions) do
    if s.expires < l.clk and (not ends or s.expires < ends) then first, ends = id, s.expires end
  end
  return first, ends
end

local function pass_time(seen, since)
  local dt, at, refills = max(0, now - l.time), l.clk, not in_quarantine()
  l.time, l.clk = now, l.clk + min(dt, step())
  catch_up(seen, since)
  local id, ends = first_over()
  while id do
    local before = min(dt, max(at, ends) - at)
    if refills then refill(before) end
    dt, at = dt - before, max(at, ends)
    expire(id)
    id, ends = first_over()
  end
  if refills then refill(dt) end
  clip()
end

-- ---- lending ----

local function saved_for_another(id) return l.head_need ~= 0 and l.clk <= l.head_until and l.head ~= id end

local function lendable(id, s, want, need, members)
  local there = in_quarantine() and 0 or l.whole
  if saved_for_another(id) then there = there - l.head_need end
  if there <= 0 then return 0 end
  local cap = max(1, floor(2 * l.burst / max(1, members)), need)
  local share = max(ceil_div(there, hungry(s)), need)
  local grant = min(want, there, max(0, cap - out_of(s)), share)
  return grant < need and 0 or grant
end

local function save(id, need, grant)
  if grant ~= 0 or need <= 1 then
    if l.head == id then l.head_need = 0 end
  elseif not saved_for_another(id) and need <= l.burst then
    l.head, l.head_need, l.head_until = id, need, l.clk + floor(l.ttl / 8)
  end
end

local function lend(id, s, want, need)
  local grant = lendable(id, s, want, need, active())
  save(id, need, grant)
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

local head = redis.call('HGET', key, '@')
if head then
  local format = #head >= LEDGER_BYTES and struct.unpack('<i8', head) or 0
  if format > FORMAT then return redis.error_reply('FLOWCTL_NEWER the limit was written by a newer library') end
  if format < FORMAT then return redis.error_reply('FLOWCTL_FOREIGN the key holds something else') end
  l = read_ledger(head)
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    if #all[i] == NAME_BYTES then sessions[all[i]], count = read_session(all[i + 1]), count + 1 end
  end
elseif redis.call('EXISTS', key) == 1 then
  return redis.error_reply('FLOWCTL_FOREIGN the key holds something else')
end

if verb == 'inspect' then
  if not l then return {} end
  local list, all = {}, sessions
  sessions = {} -- none ends by looking
  pass_time(0, 0)
  for id, s in pairs(all) do
    local name = struct.unpack('Bc0', s.more)
    list[#list + 1] = {id, s.seq, s.granted, s.used, s.back, max(0, s.expires - l.clk),
                       (s.wanted ~= 0 and s.wanted + 2 * l.ttl >= l.clk) and 1 or 0, name}
  end
  return {l.rate, l.burst, l.ttl, l.version, l.whole, l.out, l.granted, l.used, l.back, l.expired,
          in_quarantine() and l.quarantine - l.clk + 1 or 0, l.clk, list}
end

-- ---- an ask ----

local id, name, leaves = ARGV[2], ARGV[3], ARGV[4] == '1'
local seq, want, need, used, back = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local seen_identity, seen, since = ARGV[10], tonumber(ARGV[11]), tonumber(ARGV[12])
local terms = {rate = ARGV[13], p = tonumber(ARGV[14]), q = tonumber(ARGV[15]), g = tonumber(ARGV[16]),
               burst = tonumber(ARGV[17]), ttl = tonumber(ARGV[18]), version = tonumber(ARGV[19])}

local function begin()
  l = {time = now, clk = 1, whole = 0, part = 0, out = 0, granted = 0, used = 0, back = 0, expired = 0, head_need = 0,
       head_until = 0, head = NOBODY, run = run, more = '', longest = terms.ttl, shortest = terms.ttl}
  for name, value in pairs(terms) do l[name] = value end
  l.quarantine = l.clk + margin(l.longest)
end

local function adopt()
  local _
  l.part, _ = divide(0, l.part, terms.q * terms.g, l.q * l.g)
  if in_quarantine() and terms.ttl > l.longest then l.quarantine = l.quarantine + margin(terms.ttl) - margin(l.longest) end
  for name, value in pairs(terms) do l[name] = value end
  l.longest, l.shortest = max(l.longest, terms.ttl), min(l.shortest, terms.ttl)
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
if terms.version > l.version then adopt() end
local s, dead = whose()
local grant, granted, retry = 0, 0, 0
if not s and not dead then
  if count >= ROOM then return redis.error_reply('FLOWCTL_FULL the limit has as many sessions as it can') end
  s = {seq = 0, granted = 0, used = 0, back = 0, renewed = 0, expires = 0, wanted = 0, short = 0,
       more = struct.pack('Bc0', #name, name)}
  sessions[id], count = s, count + 1
end
if s then
  report(s, used, back)
  if seq > s.seq then
    s.seq, s.renewed, s.expires = seq, l.clk, max(s.expires, l.clk + margin(l.ttl))
    if want ~= 0 then
      need = max(1, need)
      s.wanted = l.clk
      grant = lend(id, s, want, need)
      if grant == 0 then retry = retry_after(need) end
    end
  end
  granted, s.dirty = s.granted, true
  if leaves then
    take_back(s, out_of(s))
    if l.head == id then l.head_need = 0 end
    remove(id)
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
local keep = max(86400000, l.longest / 100, 2 * l.burst * l.q / l.p / 1000)
redis.call('PEXPIRE', key, floor(min(keep, 315360000000)))

return {dead and 1 or 0, grant, granted, dead and 0 or l.ttl, retry, in_quarantine() and l.quarantine - l.clk + 1 or 0,
        (s and saved_for_another(id)) and 1 or 0, active(), l.clk, identity, l.rate, l.burst, l.ttl, l.version}

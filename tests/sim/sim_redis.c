/* The script of the Redis backend, in a real server, under the adversary of the credit simulation. */
#include "sim/credit_world.h"
#include "sim/planted_script.h"
#include "sim/redis_numbers.h"

#include <stdio.h>
#include <stdlib.h>

#define SCRIPT .store = &redis_store

static const struct {
    const char *name;
    uint64_t seeds;
    struct credit_config config;
} sound[] = {
    {"pauses, kills, loss", 40, {SCRIPT, .members = 4}},
    {"steps of the store's time", 40, {SCRIPT, .members = 4, .steps = true}},
    {"restarts and lost state", 40, {SCRIPT, .members = 4, .restarts = true}},
    {"all of it, few members", 40, {SCRIPT, .members = 2, .steps = true, .restarts = true}},
    {"all of it, many members", 40, {SCRIPT, .members = 8, .steps = true, .restarts = true}},
    {"changes of the settings", 40, {SCRIPT, .members = 4, .steps = true, .configs = true}},
    {"all of it, and changes", 40, {SCRIPT, .members = 4, .steps = true, .restarts = true, .configs = true}},
};

#define GUARD                                                                                                                     \
    "if (seen_identity ~= '0' and seen_identity ~= identity) or used > s.granted or back > s.granted - used or s.granted > SUMS " \
    "then"

/* Each has to break O1 or O1' within so many runs from `first`, which is where one that does was found. */
static const struct {
    struct planted_script script;
    uint64_t first, seeds;
    struct credit_config config;
} controls[] = {
    {{"refill up to the burst, whatever is out", {{"return l.burst - l.out end", "return l.burst end"}}},
     1,
     20,
     {SCRIPT, .members = 4}},
    {{"a grant does not count as out", {{"l.out + grant,", "l.out,"}}}, 1, 20, {SCRIPT, .members = 4}},
    {{"what a lease leaves is lent again",
      {{"l.out, l.expired = l.out - out,", "l.whole, l.out, l.expired = l.whole + out, l.out - out,"}}},
     1,
     20,
     {SCRIPT, .members = 4}},
    {{"leases end by the server's clock", {{"l.clk + min(dt, step())", "l.clk + dt"}}},
     1,
     20,
     {SCRIPT, .members = 4, .steps = true}},
    {{"leases are kept no longer than they last", {{"return ttl + 2 * step() + ceil_div(ttl, 4) end", "return ttl end"}}},
     450,
     20,
     {SCRIPT, .members = 4, .steps = true}},
    {{"leases end before the refill", {{"min(dt, max(at, ends) - at)", "0"}}}, 1, 20, {SCRIPT, .members = 2}},
    {{"who vouches ends younger leases", {{"if s.renewed >= seen then", "if false then"}}}, 340, 20, {SCRIPT, .members = 4}},
    {{"no quarantine after a restart", {{"if l.run ~= run then quarantine() end", "l.run = run"}}},
     50,
     20,
     {SCRIPT, .members = 4, .restarts = true}},
    {{"a quarantine that is over at once",
      {{"now, 0\n  l.quarantine = l.clk + margin(l.longest)", "now, 0\n  l.quarantine = 0"}}},
     1,
     20,
     {SCRIPT, .members = 4, .restarts = true}},
    {{"a quarantine in which permits gather", {{"not in_quarantine()", "true"}}}, 1, 20, {SCRIPT, .members = 4, .restarts = true}},
    {{"sessions kept over a quarantine", {{"for name in pairs(sessions) do expire(name) end", "l.out = 0"}}},
     1,
     20,
     {SCRIPT, .members = 4, .restarts = true}},
    {{"full after a loss", {{"end\n  l.quarantine = l.clk + margin(l.longest)", "end\n  l.quarantine, l.whole = 0, l.burst"}}},
     1,
     20,
     {SCRIPT, .members = 4, .restarts = true}},
    {{"another account of the name taken for one's own", {{GUARD, "if false then"}}},
     20,
     20,
     {SCRIPT, .members = 2, .restarts = true, .defect = CREDIT_ANY_ACCOUNT}},
    {{"a late report pays for a newer lease", {{"return nil, seq > 1", "return nil, false"}, {GUARD, "if false then"}}},
     1,
     20,
     {SCRIPT, .members = 4, .defect = CREDIT_LATE_REPORT}},
};

/* These break no limit, but the script is no longer the ledger. */
static const struct {
    struct planted_script script;
    struct credit_config config;
    bool numbers;
} differences[] = {
    {{"who is first gets all that is there", {{"ceil_div(there, l.hungry + 1)", "there"}}}, {SCRIPT, .members = 4}, false},
    {{"saved for twice as long", {{"need, l.clk + floor(l.ttl / 8)", "need, l.clk + floor(l.ttl / 4)"}}},
     {SCRIPT, .members = 4},
     false},
    {{"who leaves takes what it held along", {{"    take_back(s, out_of(s))\n", ""}}}, {SCRIPT, .members = 4}, false},
    {{"older settings replace newer ones", {{"if version > l.version", "if version ~= l.version"}}},
     {SCRIPT, .members = 4, .configs = true},
     false},
    {{"who asks is counted twice", {{"  count(s, -1)\n", ""}}}, {SCRIPT, .members = 4}, false},
    {{"who is counted once is counted for ever", {{"if not all and counted == l.counted then", "if not all then"}}},
     {SCRIPT, .members = 4},
     false},
    {{"nobody knows when the first lease is over", {{"l.first = min(l.first, s.expires)", ""}}}, {SCRIPT, .members = 4}, false},
    {{"a wait without the part of a permit that is there", {{" - l.part / (l.q * l.g)", ""}}}, {SCRIPT, .members = 4}, false},
    {{"with other settings the part of a permit is lost", {{"divide(0, l.part, new.q * new.g, l.q * l.g)", "0, 0"}}},
     {SCRIPT},
     true},
    {{"parts of a permit divided as doubles", {{"if sum < 9007199254740992 then", "if true then"}}}, {SCRIPT}, true},
    {{"a long division without its last step", {{"  r = r + a\n  if r >= d then q, r = q + 1, r - d end", "  r = r + a"}}},
     {SCRIPT},
     true},
    {{"full a permit early", {{"ceiling() - l.whole + 1 then", "ceiling() - l.whole - 1 then"}}}, {SCRIPT}, true},
    {{"the next ten years count", {{"us = min(us, LONGEST)", ""}}}, {SCRIPT}, true},
};

static bool finds(const struct planted_script *planted, const struct credit_config *config, bool compared, bool numbers,
                  uint64_t seeds, const struct sim_options *options) {
    struct redis_store_script script = planted_script_load(planted);
    struct credit_config spoilt = *config;
    struct sim_case c = {planted->what, &spoilt, seeds, numbers ? numbers_generate : credit_generate,
                         numbers ? numbers_run : credit_run};
    spoilt.script = &script;
    script.compared = compared;
    return sim_finds(&c, options);
}

static bool find(const struct sim_options *options) {
    struct sim_options o = *options;
    bool fine = true;
    /* Shrinking takes its time here: only for who wants to know how a defect works. */
    if (o.only == NULL) o.budget = 1;
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++) {
        o.first = controls[i].first;
        fine &= finds(&controls[i].script, &controls[i].config, false, false, controls[i].seeds, &o);
    }
    o.first = 1;
    for (size_t i = 0; i < sizeof differences / sizeof *differences; i++)
        fine &= finds(&differences[i].script, &differences[i].config, true, differences[i].numbers, 60, &o);
    return fine;
}

static bool hold(const struct sim_options *options) {
    bool fine = true;
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++) {
        struct sim_case c = {sound[i].name, &sound[i].config, sound[i].seeds, credit_generate, credit_run};
        fine &= sim_holds(&c, options, NULL);
    }
    struct credit_config any = {SCRIPT};
    struct sim_case numbers = {"numbers", &any, 100, numbers_generate, numbers_run};
    return fine & sim_holds(&numbers, options, NULL);
}

int main(int argc, char **argv) {
    struct sim_options options;
    if (!sim_options_read(&options, argc, argv)) return 2;
    redis_store_connect();
    bool fine = hold(&options);
    fine &= find(&options);
    redis_store_disconnect();
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}

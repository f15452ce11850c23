/* What servers say when they can't or won't, and what it is taken for. As Redis 7.0 and Valkey 8.0 said it to us, and as the sources of others have it. */
#include "unit/fixture.h"

#include "redis.h"

#define SHA " script: c00cc63bb85d8a9162bf449cd785855846172f77, on @user_script:1."
#define OLD "ERR Error running script (call to f_c00cc63bb85d8a9162bf449cd785855846172f77): @user_script:17: "

static const struct {
    const char *message;
    flowctl_redis_fault fault;
} messages[] = {
    /* Who we are. */
    {"NOAUTH Authentication required.", FLOWCTL_REDIS_REFUSED},
    {"WRONGPASS invalid username-password pair or user is disabled.", FLOWCTL_REDIS_REFUSED},
    {"ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
     FLOWCTL_REDIS_REFUSED},
    {"ERR Client sent AUTH, but no password is set", FLOWCTL_REDIS_REFUSED},     /* Redis 5 */
    {"ERR invalid password", FLOWCTL_REDIS_REFUSED},                             /* Redis 5 */
    {"ERR wrong number of arguments for 'auth' command", FLOWCTL_REDIS_REFUSED}, /* Redis 5: a user */
    {"NOPERM this user has no permissions to run the 'evalsha' command or its subcommand", FLOWCTL_REDIS_REFUSED}, /* 6.2 */
    {"NOPERM this user has no permissions to run the 'script|load' command", FLOWCTL_REDIS_REFUSED},
    {"NOPERM this user has no permissions to access one of the keys used as arguments", FLOWCTL_REDIS_REFUSED},
    {"NOPERM User ann has no permissions to run the 'evalsha' command", FLOWCTL_REDIS_REFUSED}, /* Valkey */
    {"NOPERM No permissions to access a key", FLOWCTL_REDIS_REFUSED},
    {"ERR The user executing the script can't run this command or subcommand" SHA, FLOWCTL_REDIS_REFUSED},
    {"ERR The user executing the script can't access at least one of the keys mentioned in the command arguments" SHA,
     FLOWCTL_REDIS_REFUSED},
    {"ERR ACL failure in script: User ann has no permissions to run the 'info' command" SHA, FLOWCTL_REDIS_REFUSED},
    {"ERR ACL failure in script: No permissions to access a key" SHA, FLOWCTL_REDIS_REFUSED},
    {OLD "The user executing the script can't run this command or subcommand", FLOWCTL_REDIS_REFUSED}, /* 6.2 */
    {"DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user.",
     FLOWCTL_REDIS_REFUSED},
    {"ERR max number of clients reached", FLOWCTL_REDIS_REFUSED},
    {"ERR max number of clients + cluster connections reached", FLOWCTL_REDIS_REFUSED},
    /* Not now. */
    {"LOADING Redis is loading the dataset in memory", FLOWCTL_REDIS_LOADING},
    {"LOADING Valkey is loading the dataset in memory", FLOWCTL_REDIS_LOADING},
    {"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", FLOWCTL_REDIS_BUSY},
    {"BUSY Valkey is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", FLOWCTL_REDIS_BUSY},
    {"BUSY Redis is busy running a module command.", FLOWCTL_REDIS_BUSY},
    {"READONLY You can't write against a read only replica.", FLOWCTL_REDIS_READONLY},
    {"READONLY You can't write against a read only replica." SHA, FLOWCTL_REDIS_READONLY},
    {OLD "@user_script: 17: -READONLY You can't write against a read only replica.", FLOWCTL_REDIS_READONLY},
    {"FLOWCTL_REPLICA this server is a replica", FLOWCTL_REDIS_READONLY},
    {"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", FLOWCTL_REDIS_READONLY},
    {OLD "@user_script: 17: -MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
     FLOWCTL_REDIS_READONLY},
    {"OOM command not allowed when used memory > 'maxmemory'.", FLOWCTL_REDIS_OUT_OF_MEMORY},
    {"OOM command not allowed when used memory > 'maxmemory'." SHA, FLOWCTL_REDIS_OUT_OF_MEMORY},
    {OLD "@user_script: 17: -OOM command not allowed when used memory > 'maxmemory'.", FLOWCTL_REDIS_OUT_OF_MEMORY},
    {"NOREPLICAS Not enough good replicas to write.", FLOWCTL_REDIS_CANNOT_WRITE},
    {"NOREPLICAS Not enough good replicas to write." SHA, FLOWCTL_REDIS_CANNOT_WRITE},
    {OLD "@user_script: 17: -NOREPLICAS Not enough good replicas to write.", FLOWCTL_REDIS_CANNOT_WRITE},
    {"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify "
     "the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails "
     "(stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.",
     FLOWCTL_REDIS_CANNOT_WRITE},
    {"MISCONF Errors writing to the AOF file: No space left on device", FLOWCTL_REDIS_CANNOT_WRITE},
    {OLD "@user_script: 17: -MISCONF Errors writing to the AOF file: No space left on device", FLOWCTL_REDIS_CANNOT_WRITE},
    {"NOSCRIPT No matching script. Please use EVAL.", FLOWCTL_REDIS_SCRIPT_LOST},
    {"NOSCRIPT No matching script.", FLOWCTL_REDIS_SCRIPT_LOST}, /* Valkey */
    /* Not here. */
    {"MOVED 15495 127.0.0.1:7001", FLOWCTL_REDIS_CLUSTER},
    {"ASK 15495 127.0.0.1:7001", FLOWCTL_REDIS_CLUSTER},
    {"CLUSTERDOWN Hash slot not served", FLOWCTL_REDIS_CLUSTER},
    {"CLUSTERDOWN The cluster is down", FLOWCTL_REDIS_CLUSTER},
    {"CROSSSLOT Keys in request don't hash to the same slot", FLOWCTL_REDIS_CLUSTER},
    {"TRYAGAIN Multiple keys request during rehashing of slot", FLOWCTL_REDIS_CLUSTER},
    {"ERR SELECT is not allowed in cluster mode", FLOWCTL_REDIS_CLUSTER},
    {"ERR DB index is out of range", FLOWCTL_REDIS_BAD_DATABASE},
    {"ERR invalid DB index", FLOWCTL_REDIS_BAD_DATABASE},
    /* What is at the key. */
    {"WRONGTYPE Operation against a key holding the wrong kind of value", FLOWCTL_REDIS_FOREIGN_KEY},
    {"WRONGTYPE Operation against a key holding the wrong kind of value" SHA, FLOWCTL_REDIS_FOREIGN_KEY},
    {OLD "WRONGTYPE Operation against a key holding the wrong kind of value", FLOWCTL_REDIS_FOREIGN_KEY},
    {"ERR value is not an integer or out of range", FLOWCTL_REDIS_FOREIGN_KEY},
    {"FLOWCTL_FOREIGN the key holds something else", FLOWCTL_REDIS_FOREIGN_KEY},
    {"FLOWCTL_NEWER the limit was written by a newer library", FLOWCTL_REDIS_NEWER_LIMIT},
    {"FLOWCTL_FULL the limit has as many sessions as it can", FLOWCTL_REDIS_FULL},
    {"ERR increment or decrement would overflow", FLOWCTL_REDIS_OVERFLOW},
    /* A word counts as a whole, and where it stands. */
    {"BUSYKEY Target key name already exists.", FLOWCTL_REDIS_OTHER},
    {"ASKING", FLOWCTL_REDIS_OTHER},
    {"OOMPH", FLOWCTL_REDIS_OTHER},
    {"ERR no such thing as OOM", FLOWCTL_REDIS_OTHER},
    {"ERR unknown command 'EVALSHA', with args beginning with: ", FLOWCTL_REDIS_OTHER},
    {"ERR Script killed by user with SCRIPT KILL..." SHA, FLOWCTL_REDIS_OTHER},
    {"ERR user_script:1: attempt to index local 'a' (a nil value)" SHA, FLOWCTL_REDIS_OTHER},
    {OLD "Script killed by user with SCRIPT KILL...", FLOWCTL_REDIS_OTHER},
    {"NOSCRIPT", FLOWCTL_REDIS_SCRIPT_LOST},
    {"", FLOWCTL_REDIS_OTHER},
    {" ", FLOWCTL_REDIS_OTHER},
};

static void every_message_has_its_kind(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(messages); i++) {
        flowctl_redis_fault fault = fc_redis_fault_of(messages[i].message);
        if (fault != messages[i].fault)
            fail_msg("\"%s\" is taken for \"%s\"", messages[i].message, flowctl_redis_fault_name(fault));
    }
}

static void every_kind_is_met(void **state) {
    (void)state;
#define MET(id, value, name, status)                                                   \
    {                                                                                  \
        bool met = value <= FLOWCTL_REDIS_SILENT; /* nothing that a server says */     \
        for (size_t i = 0; i < COUNT(messages); i++) met |= messages[i].fault == (id); \
        if (!met) fail_msg("no message is \"%s\"", name);                              \
    }
    FLOWCTL_REDIS_FAULT_MAP(MET)
#undef MET
}

static void every_kind_has_a_name_and_a_status(void **state) {
    (void)state;
#define KIND(id, value, name, status)                        \
    assert_int_equal(id, value);                             \
    assert_string_equal(flowctl_redis_fault_name(id), name); \
    assert_int_equal(fc_redis_fault_status(id), status);
    FLOWCTL_REDIS_FAULT_MAP(KIND)
#undef KIND
    assert_string_equal(flowctl_redis_fault_name((flowctl_redis_fault)999), "unknown");
    assert_int_equal(fc_redis_fault_status((flowctl_redis_fault)999), FLOWCTL_UNAVAILABLE);
}

/* Only what went well is answered as well; only what may pass is worth trying again. */
static void no_fault_is_taken_for_success(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(messages); i++) assert_int_not_equal(fc_redis_fault_status(messages[i].fault), FLOWCTL_OK);
}

/* Some servers repeat a command that they don't know, and what came with it. */
static void nothing_is_shown_of_a_password(void **state) {
    static const struct {
        const char *message, *secret;
        size_t shown;
    } shown[] = {
        {"WRONGPASS invalid password", "secret", 26},
        {"ERR unknown command 'AUTH', with args beginning with: 'secret' ", "secret", 26},
        {"ERR unknown command 'AUTH', with args beginning with: 'se' 'cret' ", "secret", 26},
        {"ERR 'secret' is wrong, with args", "secret", 5},
        {"ERR secret", "ecret", 5},
        {"ERR secret", "", 10},
        {"", "secret", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(shown); i++)
        assert_int_equal(fc_redis_shown(shown[i].message, shown[i].secret), shown[i].shown);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_has_its_kind),         cmocka_unit_test(every_kind_is_met),
        cmocka_unit_test(every_kind_has_a_name_and_a_status), cmocka_unit_test(no_fault_is_taken_for_success),
        cmocka_unit_test(nothing_is_shown_of_a_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

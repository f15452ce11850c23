/* The options of the Redis backend: defaults, what is refused, and options that are given twice. */
#include "unit/fixture.h"

#include "redis.h"

#define SECRET "Tr0ub4dor"

struct read {
    struct fc_redis_settings settings;
    flowctl_error err;
    flowctl_status status;
};

static struct read read_options(flowctl_redis_options options) {
    struct read r = {.err = fixture_error()};
    options.size = sizeof options;
    memset(&r.settings, 0x5a, sizeof r.settings); /* nothing of what was there counts */
    r.status = fc_redis_settings_read(&r.settings, &options, &r.err);
    if (r.status == FLOWCTL_OK) assert_true(fixture_error_untouched(&r.err));
    return r;
}
#define READ(...) read_options((flowctl_redis_options){__VA_ARGS__})

static void assert_text(const char *text, const char *expected) {
    if (expected == NULL) assert_null(text);
    else assert_non_null(text), assert_string_equal(text, expected);
}

/* Refused, for a field; nothing is left behind, and nothing is told of passwords. */
static void assert_refused(struct read r, const char *field, const char *why) {
    const struct fc_redis_settings nothing = {.port = 0};
    assert_int_equal(r.status, FLOWCTL_INVALID_ARGUMENT);
    assert_int_equal(r.err.status, FLOWCTL_INVALID_ARGUMENT);
    assert_contains(r.err.message, "redis: ");
    assert_contains(r.err.message, field);
    assert_contains(r.err.message, why);
    assert_null(strstr(r.err.message, SECRET));
    assert_memory_equal(&r.settings, &nothing, sizeof nothing);
}

static void accept(struct read r) {
    if (r.status != FLOWCTL_OK) fail_msg("%s", r.err.message);
    fc_redis_settings_free(&r.settings);
}

/* ---- defaults ---- */

static void nothing_but_defaults(void **state) {
    (void)state;
    struct read r = READ(.host = NULL);
    assert_int_equal(r.status, FLOWCTL_OK);
    assert_text(r.settings.host, "127.0.0.1");
    assert_int_equal(r.settings.port, 6379);
    assert_text(r.settings.unix_socket, NULL);
    assert_text(r.settings.user, NULL);
    assert_text(r.settings.password, NULL);
    assert_int_equal(r.settings.database, 0);
    assert_string_equal(r.settings.prefix, "flowctl:");
    assert_int_equal(r.settings.connect_timeout_ns, FLOWCTL_NS_PER_SEC);
    assert_int_equal(r.settings.reply_timeout_ns, FLOWCTL_NS_PER_SEC);
    assert_int_equal(r.settings.backoff_min_ns, 50 * FLOWCTL_NS_PER_MS);
    assert_int_equal(r.settings.backoff_max_ns, 2 * FLOWCTL_NS_PER_SEC);
    assert_int_equal(r.settings.start, FLOWCTL_REDIS_START_FAIL);
    fc_redis_settings_free(&r.settings);
}

static void all_of_it(void **state) {
    (void)state;
    struct read r = READ(.host = "h", .port = 1, .user = "ann", .password = SECRET, .database = 2,
                         .connect_timeout_ns = FLOWCTL_NS_PER_MS, .reply_timeout_ns = FLOWCTL_NS_PER_HOUR,
                         .backoff_min_ns = FLOWCTL_NS_PER_SEC, .backoff_max_ns = FLOWCTL_NS_PER_SEC, .key_prefix = "",
                         .start = FLOWCTL_REDIS_START_DEGRADED);
    assert_int_equal(r.status, FLOWCTL_OK);
    assert_text(r.settings.host, "h");
    assert_int_equal(r.settings.port, 1);
    assert_text(r.settings.user, "ann");
    assert_text(r.settings.password, SECRET);
    assert_int_equal(r.settings.database, 2);
    assert_string_equal(r.settings.prefix, "");
    assert_int_equal(r.settings.connect_timeout_ns, FLOWCTL_NS_PER_MS);
    assert_int_equal(r.settings.reply_timeout_ns, FLOWCTL_NS_PER_HOUR);
    assert_int_equal(r.settings.backoff_min_ns, FLOWCTL_NS_PER_SEC);
    assert_int_equal(r.settings.backoff_max_ns, FLOWCTL_NS_PER_SEC);
    assert_int_equal(r.settings.start, FLOWCTL_REDIS_START_DEGRADED);
    fc_redis_settings_free(&r.settings);
    assert_text(r.settings.password, NULL);
}

static void a_socket_has_no_host(void **state) {
    (void)state;
    struct read r = READ(.unix_socket = "/s");
    assert_int_equal(r.status, FLOWCTL_OK);
    assert_text(r.settings.unix_socket, "/s");
    assert_text(r.settings.host, NULL);
    assert_int_equal(r.settings.port, 0);
    fc_redis_settings_free(&r.settings);
}

static void the_initialiser_is_a_function_too(void **state) {
    (void)state;
    flowctl_redis_options by_macro = FLOWCTL_REDIS_OPTIONS_INIT, by_function;
    memset(&by_function, 0x5a, sizeof by_function);
    flowctl_redis_options_init(&by_function, sizeof by_function);
    assert_int_equal(by_function.size, sizeof by_function);
    assert_null(by_function.url);
    assert_int_equal(by_function.start, by_macro.start);
    assert_int_equal(fc_redis_settings_read(&(struct fc_redis_settings){.port = 0}, NULL, NULL), FLOWCTL_INVALID_ARGUMENT);
    flowctl_redis_options_init(NULL, sizeof by_function);
    flowctl_redis_options_init(&by_function, 1);
    assert_int_equal(by_function.size, sizeof by_function);
}

/* ---- what is refused ---- */

static void refuses_what_is_out_of_range(void **state) {
    (void)state;
    assert_refused(READ(.port = -1), "port is -1", "0 … 65535");
    assert_refused(READ(.port = 65536), "port is 65536", "0 … 65535");
    assert_refused(READ(.database = -1), "database is -1", "0 … 1000000");
    assert_refused(READ(.database = 1000001), "database is 1000001", "0 … 1000000");
    assert_refused(READ(.connect_timeout_ns = FLOWCTL_NS_PER_MS - 1), "connect_timeout_ns is 999999", "a millisecond");
    assert_refused(READ(.reply_timeout_ns = FLOWCTL_NS_PER_HOUR + 1), "reply_timeout_ns is 3600000000001", "an hour");
    assert_refused(READ(.backoff_min_ns = 1), "backoff_min_ns is 1", "a millisecond");
    assert_refused(READ(.backoff_max_ns = UINT64_MAX), "backoff_max_ns is 18446744073709551615", "an hour");
    assert_refused(READ(.backoff_min_ns = 2 * FLOWCTL_NS_PER_SEC, .backoff_max_ns = FLOWCTL_NS_PER_SEC), "backoff_max_ns",
                   "is less than");
    assert_refused(READ(.backoff_min_ns = 3 * FLOWCTL_NS_PER_SEC), "backoff_max_ns", "is less than"); /* its default */
    assert_refused(READ(.start = (flowctl_redis_start)2), "start is 2", "FLOWCTL_REDIS_START_FAIL");
    accept(READ(.port = 65535, .database = 1000000));
}

static void refuses_what_is_empty_or_too_long(void **state) {
    char prefix[FLOWCTL_REDIS_PREFIX_MAX + 2], path[120];
    (void)state;
    assert_refused(READ(.host = ""), "host", "is empty");
    assert_refused(READ(.unix_socket = ""), "unix_socket", "is empty");
    memset(prefix, 'p', sizeof prefix), prefix[sizeof prefix - 1] = '\0';
    assert_refused(READ(.key_prefix = prefix), "key_prefix has 65 bytes", "at most 64");
    accept(READ(.key_prefix = prefix + 1));
    memset(path, '/', sizeof path), path[107] = '\0';
    assert_refused(READ(.unix_socket = path), "unix_socket has 107 bytes", "at most 106");
    accept(READ(.unix_socket = path + 1));
    for (const char *c = "{}*?[]\\^"; *c != '\0'; c++)
        assert_refused(READ(.key_prefix = (char[]){'a', *c, '\0'}), "key_prefix", "mean something to the server");
}

static void who_has_a_name_has_a_password(void **state) {
    (void)state;
    assert_refused(READ(.user = "ann"), "password", "is missing, and there is a user");
    assert_refused(READ(.url = "redis://ann@h"), "password", "is missing, and there is a user");
    accept(READ(.url = "redis://ann@h", .password = SECRET));
    accept(READ(.url = "redis://:" SECRET "@h", .user = "ann"));
    accept(READ(.user = "ann", .password = "")); /* of a user that needs none */
    accept(READ(.password = SECRET));
}

static void options_of_another_library(void **state) {
    (void)state;
    flowctl_redis_options options = FLOWCTL_REDIS_OPTIONS_INIT;
    struct fc_redis_settings s;
    flowctl_error err;
    for (size_t size = 0; size < 2 * sizeof options; size += 8) {
        options.size = size;
        if (size == sizeof options) continue;
        assert_int_equal(fc_redis_settings_read(&s, &options, &err), FLOWCTL_BAD_SIZE);
        assert_contains(err.message, "FLOWCTL_REDIS_OPTIONS_INIT");
    }
    assert_int_equal(fc_redis_settings_read(&s, NULL, &err), FLOWCTL_INVALID_ARGUMENT);
    assert_contains(err.message, "config");
}

/* ---- given twice ---- */

static void the_same_twice_is_no_conflict(void **state) {
    (void)state;
    accept(READ(.url = "redis://ann:" SECRET "@h:7000/3", .host = "h", .port = 7000, .user = "ann", .password = SECRET,
                .database = 3));
    accept(READ(.url = "redis+unix:///s?db=3", .unix_socket = "/s", .database = 3));
    accept(READ(.url = "redis://%68:7000", .host = "h"));
}

static void what_the_url_leaves_out_is_a_fields(void **state) {
    (void)state;
    struct read r = READ(.url = "redis://h/0", .port = 7000, .user = "ann", .password = SECRET, .database = 3);
    assert_int_equal(r.status, FLOWCTL_OK);
    assert_text(r.settings.host, "h");
    assert_int_equal(r.settings.port, 7000);
    assert_text(r.settings.user, "ann");
    assert_text(r.settings.password, SECRET);
    assert_int_equal(r.settings.database, 3);
    fc_redis_settings_free(&r.settings);
    r = READ(.url = "redis://:" SECRET "@:7000", .host = "h");
    assert_text(r.settings.host, "h");
    fc_redis_settings_free(&r.settings);
}

static void refuses_another_one(void **state) {
    (void)state;
    assert_refused(READ(.url = "redis://h", .host = "other"), "host", "is another one in the url");
    assert_refused(READ(.url = "redis://h:7000", .port = 7001), "port", "is another one in the url");
    assert_refused(READ(.url = "redis://h/3", .database = 4), "database", "is another one in the url");
    assert_refused(READ(.url = "redis://ann:" SECRET "@h", .user = "bob"), "user", "is another one in the url");
    assert_refused(READ(.url = "redis://ann:" SECRET "@h", .password = "other" SECRET), "password",
                   "is another one in the url");
    assert_refused(READ(.url = "redis+unix:///s", .unix_socket = "/other"), "unix_socket", "is another one in the url");
}

static void refuses_two_places(void **state) {
    (void)state;
    assert_refused(READ(.unix_socket = "/s", .host = "h"), "unix_socket", "a host or port too");
    assert_refused(READ(.unix_socket = "/s", .port = 7000), "unix_socket", "a host or port too");
    assert_refused(READ(.url = "redis+unix:///s", .host = "h"), "unix_socket", "a host or port too");
    assert_refused(READ(.url = "redis://h", .unix_socket = "/s"), "unix_socket", "a host or port too");
    assert_refused(READ(.url = "redis://:7000", .unix_socket = "/s"), "unix_socket", "a host or port too");
}

static void a_bad_url_is_refused_whatever_the_fields(void **state) {
    (void)state;
    assert_refused(READ(.url = "redis://ann:" SECRET "@h/x", .password = SECRET), "url", "the number of a database");
    assert_refused(READ(.url = "", .host = "h"), "url", "begins with redis://");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_but_defaults),
        cmocka_unit_test(all_of_it),
        cmocka_unit_test(a_socket_has_no_host),
        cmocka_unit_test(the_initialiser_is_a_function_too),
        cmocka_unit_test(refuses_what_is_out_of_range),
        cmocka_unit_test(refuses_what_is_empty_or_too_long),
        cmocka_unit_test(who_has_a_name_has_a_password),
        cmocka_unit_test(options_of_another_library),
        cmocka_unit_test(the_same_twice_is_no_conflict),
        cmocka_unit_test(what_the_url_leaves_out_is_a_fields),
        cmocka_unit_test(refuses_another_one),
        cmocka_unit_test(refuses_two_places),
        cmocka_unit_test(a_bad_url_is_refused_whatever_the_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

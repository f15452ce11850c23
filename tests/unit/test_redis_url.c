/* The text form of where a Redis server is. */
#include "unit/fixture.h"

#include "redis.h"

struct read {
    struct fc_redis_settings settings;
    flowctl_error err;
    flowctl_status status;
};

static struct read read_url(const char *url) {
    struct read r = {.settings = {.port = 0}, .err = fixture_error()};
    r.status = fc_redis_url_read(&r.settings, url, &r.err);
    return r;
}

static void assert_text(const char *text, const char *expected) {
    if (expected == NULL) assert_null(text);
    else assert_non_null(text), assert_string_equal(text, expected);
}

/* ---- what is accepted ---- */

static const struct {
    const char *url, *host;
    int port, database;
    const char *unix_socket, *user, *password;
} accepted[] = {
    {"redis://cache.example", "cache.example", 0, 0, NULL, NULL, NULL},
    {"redis://cache.example:6380", "cache.example", 6380, 0, NULL, NULL, NULL},
    {"redis://cache.example:1", "cache.example", 1, 0, NULL, NULL, NULL},
    {"redis://cache.example:65535/", "cache.example", 65535, 0, NULL, NULL, NULL},
    {"redis://cache.example:/", "cache.example", 0, 0, NULL, NULL, NULL},
    {"redis://cache.example/0", "cache.example", 0, 0, NULL, NULL, NULL},
    {"redis://cache.example/15", "cache.example", 0, 15, NULL, NULL, NULL},
    {"redis://cache.example/1000000", "cache.example", 0, 1000000, NULL, NULL, NULL},
    {"redis://redis_1:7000/2", "redis_1", 7000, 2, NULL, NULL, NULL},
    {"redis://c%61che", "cache", 0, 0, NULL, NULL, NULL},
    /* No host: the default, or the field. */
    {"redis://", NULL, 0, 0, NULL, NULL, NULL},
    {"redis:///3", NULL, 0, 3, NULL, NULL, NULL},
    {"redis://:7000", NULL, 7000, 0, NULL, NULL, NULL},
    {"redis://:secret@:7000/3", NULL, 7000, 3, NULL, NULL, "secret"},
    /* Addresses. */
    {"redis://192.0.2.7:7000", "192.0.2.7", 7000, 0, NULL, NULL, NULL},
    {"redis://[::1]", "::1", 0, 0, NULL, NULL, NULL},
    {"redis://[::1]:7000/2", "::1", 7000, 2, NULL, NULL, NULL},
    {"redis://u:p@[2001:db8::7]:7000", "2001:db8::7", 7000, 0, NULL, "u", "p"},
    {"redis://[::ffff:192.0.2.7]", "::ffff:192.0.2.7", 0, 0, NULL, NULL, NULL},
    /* Who. */
    {"redis://ann:secret@h", "h", 0, 0, NULL, "ann", "secret"},
    {"redis://:secret@h", "h", 0, 0, NULL, NULL, "secret"},
    {"redis://ann@h", "h", 0, 0, NULL, "ann", NULL},
    {"redis://ann:@h", "h", 0, 0, NULL, "ann", NULL},
    {"redis://:@h", "h", 0, 0, NULL, NULL, NULL},
    {"redis://@h", "h", 0, 0, NULL, NULL, NULL},
    {"redis://a%3an%40n:p%40s%3As%2Fw%25@h", "h", 0, 0, NULL, "a:n@n", "p@s:s/w%"},
    {"redis://ann:a:b:c@h", "h", 0, 0, NULL, "ann", "a:b:c"},
    {"redis://ann:a+b%20c@h", "h", 0, 0, NULL, "ann", "a+b c"},
    {"redis://ann:%c3%a4@h", "h", 0, 0, NULL, "ann", "ä"},
    /* Sockets. */
    {"redis+unix:///run/redis.sock", NULL, 0, 0, "/run/redis.sock", NULL, NULL},
    {"redis+unix:///s", NULL, 0, 0, "/s", NULL, NULL},
    {"redis+unix:///run/redis.sock?db=3", NULL, 0, 3, "/run/redis.sock", NULL, NULL},
    {"redis+unix://ann:secret@/run/redis.sock?db=0", NULL, 0, 0, "/run/redis.sock", "ann", "secret"},
    {"redis+unix:///a%20b/%3Fc%23", NULL, 0, 0, "/a b/?c#", NULL, NULL},
    {"redis+unix:///a/../b;c=d:e@f", NULL, 0, 0, "/a/../b;c=d:e@f", NULL, NULL},
    /* Empty parts have no place in the text. */
    {"redis+unix:////run//redis.sock", NULL, 0, 0, "//run//redis.sock", NULL, NULL},
};

static void reads_every_form(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(accepted); i++) {
        struct read r = read_url(accepted[i].url);
        if (r.status != FLOWCTL_OK) fail_msg("%s: %s", accepted[i].url, r.err.message);
        assert_true(fixture_error_untouched(&r.err));
        assert_text(r.settings.host, accepted[i].host);
        assert_int_equal(r.settings.port, accepted[i].port);
        assert_int_equal(r.settings.database, accepted[i].database);
        assert_text(r.settings.unix_socket, accepted[i].unix_socket);
        assert_text(r.settings.user, accepted[i].user);
        assert_text(r.settings.password, accepted[i].password);
        fc_redis_settings_free(&r.settings);
    }
}

/* ---- what is refused ---- */

static const struct {
    const char *url, *why;
} refused[] = {
    {"", "begins with redis://"},
    {"cache.example", "begins with redis://"},
    {"//cache.example", "begins with redis://"},
    {"http://cache.example", "begins with redis://"},
    {"redis", "begins with redis://"},
    {"redis:", "begins with redis://"},
    {"redis:3", "begins with redis://"},
    {"redis:/3", "begins with redis://"},
    {"redis:cache.example:6379", "begins with redis://"},
    {"redis+unix:/run/redis.sock", "begins with redis://"},
    {"redis+unix:redis.sock", "begins with redis://"},
    {"unix:///run/redis.sock", "begins with redis://"},
    {"rediss://cache.example", "TLS"},
    {"redis://cache.example:0", "the port"},
    {"redis://cache.example:65536", "the port"},
    {"redis://cache.example:4294973675", "the port"}, /* 6379 in 32 bits */
    {"redis://cache.example:99999999999999999999", "the port"},
    {"redis://cache.example:63x", "can't be read"},
    {"redis://cache.example:-1", "can't be read"},
    {"redis://cache.example:+6379", "can't be read"},
    {"redis://::1", "can't be read"},
    {"redis://[::1", "can't be read"},
    {"redis://[cache.example]", "can't be read"},
    {"redis://cache example", "can't be read"},
    {"redis://cache.example/a", "the number of a database"},
    {"redis://cache.example/-1", "the number of a database"},
    {"redis://cache.example/1000001", "the number of a database"},
    {"redis://cache.example/4294967296", "the number of a database"},
    {"redis://cache.example/%31", "the number of a database"},
    {"redis://cache.example/1/", "the number of a database"},
    {"redis://cache.example//1", "the number of a database"},
    {"redis://cache.example/1/2", "the number of a database"},
    {"redis://cache.example?db=1", "nothing is known behind ?"},
    {"redis://cache.example/1?", "nothing is known behind ?"},
    {"redis://cache.example#1", "nothing is known behind #"},
    {"redis+unix:///s#", "nothing is known behind #"},
    {"redis+unix://", "the path of the socket is missing"},
    {"redis+unix:///", "the path of the socket is missing"},
    {"redis+unix:///run/", "the path of the socket is missing"},
    {"redis+unix://?db=1", "the path of the socket is missing"},
    {"redis+unix://run/redis.sock", "begins with a slash"},
    {"redis+unix://cache.example", "begins with a slash"},
    {"redis+unix://:7000/s", "begins with a slash"},
    {"redis+unix://:/s", "begins with a slash"},
    {"redis+unix:///s?", "behind ? stands db="},
    {"redis+unix:///s?db=", "behind ? stands db="},
    {"redis+unix:///s?db", "behind ? stands db="},
    {"redis+unix:///s?DB=1", "behind ? stands db="},
    {"redis+unix:///s?db=1&db=2", "behind ? stands db="},
    {"redis+unix:///s?db=1000001", "behind ? stands db="},
    {"redis+unix:///s?db=0x1", "behind ? stands db="},
    /* A zero byte would end the text for all who read it later. */
    {"redis://cache%00.example", "the host"},
    {"redis://ann%00:secret@h", "the user or password"},
    {"redis://ann:%00@h", "the user or password"},
    {"redis+unix:///run%00/redis.sock", "the path can't be read"},
    {"redis://%zz", "can't be read"},
    {"redis://a%4", "can't be read"},
    {"redis://ann:p@ss@h", "can't be read"},
    {"redis://h\nSELECT 1", "can't be read"},
};

static void refuses_what_it_does_not_know(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct read r = read_url(refused[i].url);
        if (r.status != FLOWCTL_INVALID_ARGUMENT) fail_msg("\"%s\" is read", refused[i].url);
        assert_int_equal(r.err.status, FLOWCTL_INVALID_ARGUMENT);
        assert_contains(r.err.message, "redis: url: ");
        assert_contains(r.err.message, refused[i].why);
        fc_redis_settings_free(&r.settings);
    }
}

/* However wrong the URL is, and wherever. */
static void shows_nothing_of_the_url(void **state) {
    static const char *const urls[] = {
        "redis://ann:Tr0ub4dor@h:0",
        "redis://ann:Tr0ub4dor@h/x",
        "redis://ann:Tr0ub4dor@h?Tr0ub4dor",
        "redis://ann:Tr0ub4dor@h#Tr0ub4dor",
        "redis://ann:Tr0ub4dor@x@h",
        "rediss://:Tr0ub4dor@h",
        "Tr0ub4dor",
        "http://:Tr0ub4dor@h",
        "redis://ann:Tr0ub4dor%00@h",
        "redis:Tr0ub4dor",
        "redis+unix://:Tr0ub4dor@h/s",
        "redis+unix://:Tr0ub4dor@/",
        "redis+unix://:Tr0ub4dor@/s?db=x",
        "redis://Tr0ub4dor:1:2",
        "redis://ann:Tr0ub4dor@[::1",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(urls); i++) {
        struct read r = read_url(urls[i]);
        assert_int_equal(r.status, FLOWCTL_INVALID_ARGUMENT);
        if (strstr(r.err.message, "Tr0ub4dor") != NULL) fail_msg("%s: %s", urls[i], r.err.message);
        fc_redis_settings_free(&r.settings);
    }
}

static void what_it_does_not_say_stays(void **state) {
    (void)state;
    struct fc_redis_settings s = {.host = strdup("before"), .user = strdup("ann"), .port = 7000, .database = 3};
    assert_int_equal(fc_redis_url_read(&s, "redis://:secret@", NULL), FLOWCTL_OK);
    assert_text(s.host, "before");
    assert_text(s.user, "ann");
    assert_text(s.password, "secret");
    assert_int_equal(s.port, 7000);
    assert_int_equal(s.database, 3);
    assert_int_equal(fc_redis_url_read(&s, "redis://bob:other@after:1/1", NULL), FLOWCTL_OK);
    assert_text(s.host, "after");
    assert_text(s.user, "bob");
    assert_text(s.password, "other");
    fc_redis_settings_free(&s);
}

static void an_error_need_not_be_taken(void **state) {
    (void)state;
    struct fc_redis_settings s = {.port = 0};
    assert_int_equal(fc_redis_url_read(&s, "redis://h/x", NULL), FLOWCTL_INVALID_ARGUMENT);
    fc_redis_settings_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_form),           cmocka_unit_test(refuses_what_it_does_not_know),
        cmocka_unit_test(shows_nothing_of_the_url),   cmocka_unit_test(what_it_does_not_say_stays),
        cmocka_unit_test(an_error_need_not_be_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

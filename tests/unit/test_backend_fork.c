/* A forked child holds nothing, and may destroy its copies, whatever its parent's threads did at the fork. */
#include "fixture.h"

#include <flowctl/flowctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FORKS = 30, HUNG_S = 20 };

static flowctl_backend *open_memory(void) {
    flowctl_backend_options o = FLOWCTL_BACKEND_OPTIONS_INIT;
    flowctl_backend *b;
    o.ops = flowctl_memory_backend();
    assert_int_equal(flowctl_backend_open(&o, &b, NULL), FLOWCTL_OK);
    return b;
}

static flowctl_limiter *create(flowctl_backend *b) {
    flowctl_token_bucket_options o = FLOWCTL_TOKEN_BUCKET_OPTIONS_INIT;
    flowctl_limiter *l;
    o.id = "forked";
    o.rate = flowctl_per_second(1000000);
    o.burst = 1000000;
    o.backend = b;
    assert_int_equal(flowctl_token_bucket_create(&o, &l, NULL), FLOWCTL_OK);
    assert_int_equal(flowctl_limiter_wait_ready(l, FLOWCTL_FOREVER), FLOWCTL_OK);
    return l;
}

static _Noreturn void be_child(flowctl_backend *b, flowctl_limiter *l) {
    alarm(HUNG_S);
    flowctl_decision d = flowctl_decide(l, 1);
    bool closed = d.verdict == FLOWCTL_DENY && d.status == FLOWCTL_CLOSED;
    flowctl_limiter_destroy(l);
    flowctl_backend_destroy(b);
    _exit(closed ? 0 : 1);
}

/* Its thread is asleep in most of the forks, and awake in some. */
static void test_a_child_destroys_its_copies(void **state) {
    (void)state;
    flowctl_backend *b = open_memory();
    flowctl_limiter *l = create(b);
    for (int i = 0; i < FORKS; i++) {
        int status;
        pid_t child = fork();
        if (child == 0) be_child(b, l);
        assert_true(child > 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        flowctl_limiter_wait_ready(l, FLOWCTL_NS_PER_SEC);
        flowctl_try_acquire(l, 10000); /* so that there is something to ask for */
    }
    assert_int_equal(flowctl_decide(l, 1).status, FLOWCTL_OK);
    flowctl_limiter_destroy(l);
    flowctl_backend_destroy(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_child_destroys_its_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

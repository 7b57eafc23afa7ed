// SPDX-License-Identifier: MIT
// What the C blocks of docs/GO-TO-C.md take for granted (go_to_c_test.sh). A block may have names
// of its own that are given here, too, and need not use all that it makes.
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <tuza/go.h>
#ifdef HAS_HTTP
#include <tuza/http.h>
#endif
#include <tuza/tuza.h>

// A second would be long to wait for.
#undef TUZA_SECOND
#define TUZA_SECOND TUZA_MILLISECOND

enum { COUNT = 3 };
struct order {
	int id, price;
};
struct request;
extern tuza_chan *c, *in, *jobs, *results, *quit, *urgent, *normal, *channels[COUNT];
extern tuza_context *ctx, *parent;
extern tuza_mutex mu;
extern tuza_cond cond;
extern tuza_rwmutex rw;
extern tuza_singleflight flights;
extern tuza_listener *l;
extern tuza_conn *conn;
#ifdef HAS_HTTP
extern tuza_http_server *server;
#endif
extern int v, job, item, err, cached;
extern int64_t due, when;
extern bool ready, ok;
extern char buffer[512], host[64];
extern void *key, *s, *found, *old;
extern const char *path, *url;
void greet(const char *name, int times);
void process(int id, int price);
void print_number(int i);
void fetch(int i, tuza_waitgroup *wg);
void run(int job);
void use(int v);
int compute(void);
int work(int job);
void task(void *arg);
int cube(tuza_context *ctx, const void *in, void *out, void *arg);
int query(void *arg, void **result);
int get(tuza_context *ctx, const char *url);
void connect_to(void *host);
void fill(char *bytes);
void expire(void *arg);
void clean(void *arg);
void risky(void *request);
void serve(tuza_conn *conn);

// ---- for those that run the blocks -------------------------------------------------------------

struct block {
	int line; // of the page
	int (*run)(void);
};
extern const struct block blocks[]; // ends with a line of 0

void answer_questions(tuza_chan *questions); // those of `struct question`

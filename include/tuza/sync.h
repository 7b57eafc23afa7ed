// SPDX-License-Identifier: MIT
/*
 * What goroutines share memory with: locks, groups, conditions, pools and concurrent maps, after
 * Go's sync.
 *
 *	static tuza_mutex lock;         // zeroed is ready
 *	static int hits;
 *
 *	static void hit(void)
 *	{
 *		TUZA_LOCK(&lock);       // unlocked when the block is left, by a panic too
 *		hits++;
 *	}
 *
 * Every type here is valid when zeroed and needs no destructor, except where a _free is named. None
 * may be copied or moved after its first use. Fields without a comment are private.
 *
 * Last touch: once the effect of an operation has been seen, it no longer touches its object. A
 * mutex may be freed by whoever locks it last, a waitgroup when tuza_waitgroup_wait returns, and so
 * on.
 *
 * Everything works between goroutines and plain threads: a goroutine that has to wait is parked, a
 * thread is blocked. Nothing here may be used in a signal handler. A function that has to wait
 * panics inside a tuza_blocking section.
 */
#ifndef TUZA_SYNC_H
#define TUZA_SYNC_H

#include <tuza/macros.h>
#include <tuza/panic.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---- mutex -------------------------------------------------------------------------------------

/*
 * A mutual exclusion lock. Nobody owns it: one goroutine may lock it and another unlock it. Not
 * recursive.
 *
 * Waiters are served first come first served, but whoever runs may take a free lock before one that
 * is just waking up; a waiter that was passed by for 1 ms gets the lock handed over (Go's
 * starvation mode).
 */
typedef struct TUZA_TSA_(capability("mutex")) tuza_mutex {
	uint32_t state;
	uint32_t holder; // whose stack it was locked on, for reports of deadlocks
} tuza_mutex;

/*
 * Locks `m`.
 *
 * Blocks   until it is free.
 * Orders   everything before an earlier tuza_mutex_unlock is visible after the return.
 * Go       (*sync.Mutex).Lock
 */
TUZA_INLINE_ void tuza_mutex_lock(tuza_mutex *m) TUZA_TSA_(acquire_capability(m));

/*
 * Locks `m` if it is free.
 *
 * Returns  true when it is locked now. A failure orders nothing.
 * Blocks   never.
 * Go       (*sync.Mutex).TryLock
 */
TUZA_MUST_USE bool tuza_mutex_try_lock(tuza_mutex *m) TUZA_TSA_(try_acquire_capability(true, m));

/*
 * Unlocks `m`. Any goroutine may, not only the one that locked it.
 *
 * Errors   fatal "sync: unlock of unlocked mutex".
 * Blocks   never. May let a waiter that was handed the lock run first.
 * Orders   everything before is visible to those who lock it later.
 * Go       (*sync.Mutex).Unlock
 */
TUZA_INLINE_ void tuza_mutex_unlock(tuza_mutex *m) TUZA_TSA_(release_capability(m));

/*
 * TUZA_LOCK(&mutex): locks it until the enclosing block is left in any way: its end, return, break,
 * a panic or tuza_goexit. The argument is evaluated once. To Clang's analysis the mutex is
 * held from here to the end of the function.
 *
 * Go       m.Lock(); defer m.Unlock()
 */
#define TUZA_LOCK(...) TUZA_LOCK2_(TUZA_CAT_(tuza_locked_, __COUNTER__), __VA_ARGS__)

// ---- rwmutex -----------------------------------------------------------------------------------

/*
 * A lock that many readers or one writer hold.
 *
 * A writer that waits keeps new readers out, so one goroutine must not read-lock it twice: a writer
 * between the two deadlocks both. When a writer unlocks, the readers that wait then go before the
 * next writer. A read lock cannot become a write lock, nor the other way round.
 *
 * Where there are more than about 30,000 reads between two writers, a read lock costs a few
 * ordinary stores, and readers on several processors do not slow each other down; the first writer
 * after a time of reading pays some microseconds for that.
 */
typedef struct TUZA_TSA_(capability("rwmutex")) tuza_rwmutex {
	uint64_t state;
	uint32_t holder; // a writer's, as in tuza_mutex
	uint16_t number; // for TUZA_DEBUG=lockorder
	uint16_t reads;  // about as many as there were since the last writer
} tuza_rwmutex;

/*
 * Locks `rw` for writing.
 *
 * Blocks   until no writer and no reader holds it.
 * Orders   everything before an earlier tuza_rwmutex_unlock or _runlock is visible after the
 *          return.
 * Go       (*sync.RWMutex).Lock
 */
void tuza_rwmutex_lock(tuza_rwmutex *rw) TUZA_TSA_(acquire_capability(rw));

// Locks `rw` for writing if nobody holds it: true when it is locked now. Never blocks. Go: TryLock
TUZA_MUST_USE bool tuza_rwmutex_try_lock(tuza_rwmutex *rw)
	TUZA_TSA_(try_acquire_capability(true, rw));

/*
 * Ends a write lock; any goroutine may.
 *
 * Errors   fatal "sync: Unlock of unlocked RWMutex".
 * Blocks   never.
 * Orders   everything before is visible to those who lock it later, either way.
 * Go       (*sync.RWMutex).Unlock
 */
void tuza_rwmutex_unlock(tuza_rwmutex *rw) TUZA_TSA_(release_capability(rw));

/*
 * Locks `rw` for reading.
 *
 * Blocks   while a writer holds it or waits for it.
 * Orders   everything before an earlier tuza_rwmutex_unlock is visible after the return.
 * Go       (*sync.RWMutex).RLock
 */
TUZA_INLINE_ void tuza_rwmutex_rlock(tuza_rwmutex *rw) TUZA_TSA_(acquire_shared_capability(rw));

// Locks `rw` for reading if that needs no waiting: true when it is locked now. Never blocks.
// Go: TryRLock
TUZA_MUST_USE bool tuza_rwmutex_try_rlock(tuza_rwmutex *rw)
	TUZA_TSA_(try_acquire_shared_capability(true, rw));

/*
 * Ends one read lock; any goroutine may.
 *
 * Errors   fatal "sync: RUnlock of unlocked RWMutex".
 * Blocks   never.
 * Orders   everything before is visible to writers that lock it later.
 * Go       (*sync.RWMutex).RUnlock
 */
TUZA_INLINE_ void tuza_rwmutex_runlock(tuza_rwmutex *rw) TUZA_TSA_(release_shared_capability(rw));

// ---- waitgroup ---------------------------------------------------------------------------------

/*
 * Waits for a collection of goroutines to finish.
 *
 *	tuza_waitgroup wg = {0};
 *	for (int i = 0; i < n; i++)
 *		tuza_waitgroup_go(&wg, work, &jobs[i]);
 *	tuza_waitgroup_wait(&wg);
 *
 * It counts what is under way. Reaching zero releases all waiters in one step, so it may be used
 * again as soon as one wait has returned (Go's "WaitGroup is reused before previous Wait has
 * returned" cannot happen), and freed if nobody else is about to begin one.
 */
typedef struct tuza_waitgroup {
	uint64_t state;
	void *waiters;
} tuza_waitgroup;

/*
 * Adds `delta` to the counter.
 *
 *   delta  may be negative. An add from zero must happen before the wait that is to wait for it.
 *
 * Panics   "sync: negative WaitGroup counter"; the counter stays as it was.
 * Blocks   never.
 * Orders   everything before an add that lowers the counter is visible after the waits that it
 *          releases.
 * Go       (*sync.WaitGroup).Add
 */
void tuza_waitgroup_add(tuza_waitgroup *wg, int delta);

// tuza_waitgroup_add(wg, -1), with its panic. Fits TUZA_DEFER. Go: Done
void tuza_waitgroup_done(tuza_waitgroup *wg);

/*
 * Waits until the counter is zero.
 *
 * Blocks   until then; not at all if it is.
 * Orders   everything before the adds that brought it to zero is visible after the return.
 * Go       (*sync.WaitGroup).Wait
 */
void tuza_waitgroup_wait(tuza_waitgroup *wg);

/*
 * Adds one, starts fn(arg) as a goroutine, and takes one off when it has returned or called
 * tuza_goexit.
 *
 * Errors   out of memory is fatal, as in TUZA_GO. A panic that leaves fn ends the process: the
 *          counter is not lowered then, so nobody sees the group finish.
 * Blocks   never.
 * Orders   everything before is visible to fn; everything fn did is visible after the wait.
 * Go       (*sync.WaitGroup).Go
 */
void tuza_waitgroup_go(tuza_waitgroup *wg, void (*fn)(void *), void *arg);

// ---- once --------------------------------------------------------------------------------------

// Something that is done once.
typedef struct tuza_once {
	uint32_t state;
} tuza_once;

/*
 * Calls fn(arg) if this is the first call for `once`; otherwise waits until the first one's call
 * has ended.
 *
 *   fn   a panic or tuza_goexit in it counts as done: it is not called again. So does the end of
 *        tuza_run, if it drops the goroutine that is in it. It must not use the same `once`: that
 *        deadlocks.
 *
 * Panics   as fn does, in the first caller.
 * Blocks   while another caller is in fn.
 * Orders   everything fn did is visible after every return.
 * Go       (*sync.Once).Do
 */
TUZA_INLINE_ void tuza_once_do(tuza_once *once, void (*fn)(void *), void *arg);

// ---- cond --------------------------------------------------------------------------------------

/*
 * A place to wait for a change of what a mutex guards.
 *
 *	tuza_mutex_lock(&m);
 *	while (!ready)
 *		tuza_cond_wait(&cond, &m);
 *	…
 *	tuza_mutex_unlock(&m);
 *
 * Waiters are woken in the order in which they came; there are no spurious wake-ups. Each function
 * panics "sync.Cond is copied" if it was.
 */
typedef struct tuza_cond {
	void *self;
	uint32_t state;
} tuza_cond;

/*
 * Unlocks `m`, waits for a signal or broadcast and locks `m` again. No signal sent after the unlock
 * is missed.
 *
 *   m  locked.
 *
 * Blocks   until it is woken and `m` is free.
 * Orders   everything before the signal or broadcast is visible after the return.
 * Go       (*sync.Cond).Wait
 */
void tuza_cond_wait(tuza_cond *cond, tuza_mutex *m) TUZA_TSA_(requires_capability(m));

// Wakes the goroutine that has waited longest, if any waits. The mutex need not be held. Go: Signal
void tuza_cond_signal(tuza_cond *cond);

// Wakes all that wait. The mutex need not be held. Go: Broadcast
void tuza_cond_broadcast(tuza_cond *cond);

// ---- pool --------------------------------------------------------------------------------------

/*
 * A cache of items that were used and will be used again, cheap to take from on every processor.
 *
 *	static tuza_pool buffers = {.make = buffer_new, .drop = buffer_free};
 *	struct buffer *b = tuza_pool_get(&buffers);
 *	…
 *	tuza_pool_put(&buffers, b);
 *
 * Go's collector empties a pool now and then; here each processor keeps up to 63 items, the last
 * used first, and one too many is dropped. Any item may be dropped at any put.
 */
typedef struct tuza_pool {
	void *(*make)(void *arg); // makes an item when none is left; NULL: get returns NULL then
	void *arg;                // passed to make
	void (*drop)(void *item); // ends an item that is not kept; NULL: free
	void *lockers;
} tuza_pool;

/*
 * Takes an item.
 *
 * Returns  one that was put, any of them; else what make returns; NULL without make.
 * Panics   "nil Pool"; as make does.
 * Blocks   never.
 * Orders   everything before the put of the item is visible after the return.
 * Go       (*sync.Pool).Get
 */
void *tuza_pool_get(tuza_pool *pool);

/*
 * Gives an item back, or adds a new one.
 *
 *   item  belongs to the pool now; NULL is ignored.
 *
 * Panics   "nil Pool".
 * Blocks   never.
 * Go       (*sync.Pool).Put
 */
void tuza_pool_put(tuza_pool *pool, void *item);

/*
 * Drops every item and frees what the pool itself allocated. Nobody else may be using it. It is
 * empty and usable afterwards.
 */
void tuza_pool_free(tuza_pool *pool);

// ---- semaphore ---------------------------------------------------------------------------------

/*
 * A weighted semaphore: bounds what is used at the same time. Strictly first come first served: a
 * large request that waits keeps later, smaller ones waiting too. Zeroed, it has size 0. After
 * golang.org/x/sync/semaphore.
 */
typedef struct tuza_semaphore {
	int64_t size;
	int64_t state;
} tuza_semaphore;

/*
 * Sets the size: what may be held in total.
 *
 *   n  0 to 2^62 - 1.
 *
 * Panics   "tuza: semaphore size out of range".
 * Go       semaphore.NewWeighted
 */
void tuza_semaphore_init(tuza_semaphore *s, int64_t n);

/*
 * Acquires a weight of `n`.
 *
 *   n  0 or more. More than the size: waits for ever, without keeping others from theirs.
 *
 * Panics   "tuza: negative semaphore weight".
 * Blocks   until n can be had and all who asked before have theirs.
 * Orders   everything before the releases that made room is visible after the return.
 * Go       (*semaphore.Weighted).Acquire(context.Background(), n)
 */
void tuza_semaphore_wait(tuza_semaphore *s, int64_t n);

/*
 * Acquires a weight of `n` if that needs no waiting.
 *
 * Returns  true when it is held now; false also when others wait.
 * Panics   "tuza: negative semaphore weight".
 * Blocks   never. May let others run first, when the caller has had its time slice.
 * Go       (*semaphore.Weighted).TryAcquire
 */
TUZA_MUST_USE bool tuza_semaphore_try_acquire(tuza_semaphore *s, int64_t n);

/*
 * Gives a weight of `n` back; any goroutine may.
 *
 * Panics   "semaphore: released more than held"; "tuza: negative semaphore weight".
 * Blocks   never.
 * Orders   everything before is visible to those who acquire what it freed.
 * Go       (*semaphore.Weighted).Release
 */
void tuza_semaphore_release(tuza_semaphore *s, int64_t n);

// ---- singleflight ------------------------------------------------------------------------------

/*
 * Suppresses duplicate work: callers that ask for the same key at the same time share one call.
 * After golang.org/x/sync/singleflight.
 */
typedef struct tuza_singleflight {
	tuza_mutex lock;
	struct tuza_flight_ *flights[16];
} tuza_singleflight;

/*
 * Calls fn(arg, result), or waits for the call that is under way for the same key and takes over
 * what it returned.
 *
 *   key     a string, copied.
 *   fn      runs in the goroutine of one of the callers.
 *   result  what fn stored there (NULL if nothing), the same pointer for every caller. May be NULL.
 *   shared  whether others got the same result. May be NULL.
 *
 * Returns  what fn returned; -ENOMEM, fn not called, when out of memory.
 * Panics   in every caller, with the same message, when fn panicked. tuza_goexit in fn ends every
 *          caller that way.
 * Blocks   while another caller is in fn for this key.
 * Orders   everything fn did is visible after the return.
 * Owns     *result is whatever fn and its callers agree on: it is given to all of them.
 * Go       (*singleflight.Group).Do
 */
int tuza_singleflight_do(tuza_singleflight *sf, const char *key,
	int (*fn)(void *arg, void **result), void *arg, void **result, bool *shared);

// Forgets the key: the next call for it calls its function, rather than wait for one under way.
// Go: Forget
void tuza_singleflight_forget(tuza_singleflight *sf, const char *key);

// ---- map ---------------------------------------------------------------------------------------

/*
 * A hash map for concurrent use, after sync.Map.
 *
 *	static tuza_map sessions;       // keys compare by address
 *	static tuza_map by_name = {.hash = name_hash, .equal = name_equal};
 *
 * Keys and values are borrowed pointers, any of them may be NULL. A store under a key that is there
 * keeps the key pointer that is there. A deleted key may be freed when the delete has returned.
 * Keys that compare by address are looked up without a lock; equal is called under a lock of the
 * map's, which it must not use.
 *
 * Functions that store panic "tuza: out of memory" when the map cannot grow.
 */
typedef struct tuza_map {
	uint64_t (*hash)(const void *key); // set both or neither
	bool (*equal)(const void *a, const void *b);
	void *shards;
} tuza_map;

/*
 * Looks up a key.
 *
 *   value  gets what is stored under it, NULL if nothing; may be NULL.
 *
 * Returns  whether the key is there.
 * Blocks   only while another goroutine changes the map, for its short time. So do all functions of
 *          the map.
 * Orders   everything before the store of the value is visible after the return.
 * Go       (*sync.Map).Load
 */
bool tuza_map_load(tuza_map *map, const void *key, void **value);

// Stores a value under a key. Go: Store
void tuza_map_store(tuza_map *map, const void *key, void *value);

/*
 * Stores `value` unless the key is there.
 *
 *   actual  gets what is stored under the key now; may be NULL.
 *
 * Returns  true when the key was there, false when `value` was stored.
 * Go       (*sync.Map).LoadOrStore
 */
bool tuza_map_load_or_store(tuza_map *map, const void *key, void *value, void **actual);

// Deletes a key; true when it was there, and then *value (may be NULL) gets what it had, else NULL.
// Go: LoadAndDelete
bool tuza_map_load_and_delete(tuza_map *map, const void *key, void **value);

// Deletes a key if it is there. Go: Delete
void tuza_map_delete(tuza_map *map, const void *key);

// Stores a value; true when the key was there, and then *previous (may be NULL) gets what it had,
// else NULL. Go: Swap
bool tuza_map_swap(tuza_map *map, const void *key, void *value, void **previous);

// Stores `value` if the key is there with `old`, by address; true when it did. Go: CompareAndSwap
bool tuza_map_compare_and_swap(tuza_map *map, const void *key, const void *old, void *value);

// Deletes the key if it is there with `old`, by address; true when it did. Go: CompareAndDelete
bool tuza_map_compare_and_delete(tuza_map *map, const void *key, const void *old);

/*
 * Calls fn for each key and its value until fn returns false.
 *
 *   fn   may use the map, also change it. Each key is visited at most once. It is no snapshot: what
 *        others store or delete meanwhile may or may not be seen; what was deleted before its turn
 *        is not visited.
 *
 * Panics   "tuza: out of memory"; as fn does.
 * Go       (*sync.Map).Range
 */
void tuza_map_range(tuza_map *map, bool (*fn)(const void *key, void *value, void *arg), void *arg);

// Deletes every key that is there when it gets to it. Go: Clear
void tuza_map_clear(tuza_map *map);

// The number of keys; while others change the map, of a moment ago.
size_t tuza_map_len(const tuza_map *map);

// Frees what the map itself allocated; not keys and values. Nobody else may be using it. It is
// empty and usable afterwards.
void tuza_map_free(tuza_map *map);

#ifdef __cplusplus
}
#endif

#include <tuza/sync_inline.h>

#endif
